"""Multiplication by a Neural GPU: its tape, when each bit is asked for, and that what is learned is in the weights."""

from pathlib import Path

import jax
import numpy as np
import pytest
from marks import slow
from safetensors.numpy import load_file

from learned_units.experiments import (
    multiplying,
    neural_gpu_multiplication,
    neural_gpu_string,
    products_tape,
    sequences,
)
from learned_units.neural_gpu import tape
from learned_units.neural_gpu.network import Network

KEPT = Path(__file__).parent / "golden" / "multiplier.safetensors"


def silent(part: float, loss: float) -> None:
    """Progress that nobody looks at."""


def every_pair(length: int) -> products_tape.Examples:
    """The tapes of all pairs of numbers of that length."""
    numbers = tape.to_bits(list(range(1 << length)), length)
    first, second = np.repeat(numbers, len(numbers), 0), np.tile(numbers, (len(numbers), 1))
    return products_tape.lay_out(first, second, length)


@pytest.mark.parametrize(("length", "half"), [(1, 1), (4, 4), (3, 5)])
def test_a_systolic_array_of_adders_has_each_bit_when_it_is_asked_for(length, half):
    rng = np.random.default_rng(0)
    first, second = products_tape.random(rng, 40, length)
    tapes = products_tape.lay_out(first, second, half)
    up, down = tapes.symbols == products_tape.FIRST + 1, tapes.symbols == products_tape.SECOND + 1
    bits = np.zeros(up.shape, np.int64)
    carries = np.zeros_like(bits)
    for step in range(1, 3 * length):
        up, carries = (np.pad(each, ((0, 0), (1, 0)))[:, :-1] for each in (up, carries))
        down = np.pad(down, ((0, 0), (0, 1)))[:, 1:]
        total = bits + carries + (up & down)
        bits, carries = total & 1, total >> 1
        known = slice(2 * half - length, 2 * half - length + min(max(step - length + 1, 0), 2 * length))
        assert (bits[:, known] == tapes.answers[:, known.start - half : known.stop - half]).all()
    assert tapes.answers.sum() == bits[:, half : 3 * half].sum() > 0


def test_digits_that_wait_outside_enter_as_they_would_have_moved():
    tapes = products_tape.lay_out(*products_tape.random(np.random.default_rng(1), 3, 5), 5)
    lower, upper = products_tape.incoming(tapes.symbols, 9)
    for step in range(1, 10):
        for end, at in ((lower, 5 - step), (upper, 14 + step)):
            expected = tapes.symbols[:, at] if 0 <= at < 20 else np.zeros(3)
            assert np.asarray(end[step - 1]).tolist() == expected.tolist()


def test_structured_factors_are_of_five_kinds():
    first, second = (tape.to_ints(each) for each in products_tape.structured(np.random.default_rng(2), 50, 9))
    for k, (a, b) in enumerate(zip(first, second, strict=True)):
        told = (
            a == b == 511,
            a.bit_count() == b.bit_count() == 1,
            a == b,
            a == 511,
            (a & (a + 1)) == 0 and a > 0 and b & 1 == 1 and b.bit_count() <= 2,
        )
        assert told[k % 5]


def scrambled(weights: Network) -> Network:
    """The same numbers in the kernel of the candidate, in another order."""
    kernel = np.random.default_rng(3).permutation(np.ravel(weights.candidate_kernel))
    return weights._replace(candidate_kernel=jax.numpy.asarray(kernel.reshape(weights.candidate_kernel.shape)))


def kept() -> Network:
    """The net that the best of the trials led to."""
    return Network(**{name: jax.numpy.asarray(array) for name, array in load_file(KEPT).items()})


@pytest.mark.slow
def test_a_net_learns_short_products_and_forgets_them_with_a_scrambled_kernel():
    short = multiplying.PHASES[0]._replace(lengths=(2,), noise=0.1, updates=60)
    weights = multiplying.fit(0, [short], silent)
    given = every_pair(2)
    assert (multiplying.answers(weights, given.symbols) == given.answers).all()
    assert (multiplying.answers(scrambled(weights), given.symbols) != given.answers).mean() > 0.2


def test_the_kept_net_multiplies_every_two_numbers_of_4_bits_and_scrambled_it_does_not():
    given = every_pair(4)
    assert (multiplying.answers(kept(), given.symbols) == given.answers).all()
    assert (multiplying.answers(scrambled(kept()), given.symbols) != given.answers).mean() > 0.2


def test_the_string_has_both_factors_and_a_sign_and_its_answer_is_their_product():
    symbols, answers = neural_gpu_string.MULTIPLY.examples(np.random.default_rng(4), 5, 30, True)
    sign = neural_gpu_string.TIMES
    assert symbols.shape == answers.shape == (30, neural_gpu_string.MULTIPLY.positions(5))
    assert (symbols[:, 5] == sign).all() and sign not in (sequences.ZERO, sequences.ONE, tape.PAD)
    first, second = (tape.to_ints(symbols[:, some] - sequences.ZERO) for some in (slice(5), slice(6, 11)))
    assert tape.to_ints(answers) == [a * b for a, b in zip(first, second, strict=True)] and any(first)


@pytest.mark.parametrize(("length", "pairs"), [(64, 10), *slow((401, 20))])
@pytest.mark.parametrize("factors", products_tape.FACTORS.values())
def test_the_net_kept_from_the_trials_multiplies_far_longer_numbers_than_it_was_trained_on(factors, length, pairs):
    first, second = factors(np.random.default_rng(length), pairs, length)
    given = products_tape.lay_out(first, second, length)
    assert (multiplying.answers(kept(), given.symbols) == given.answers).all()


@pytest.mark.slow
def test_the_quick_experiment_on_strings_has_a_row_for_each_length():
    table = neural_gpu_string.measure(True, lambda what, part: None)
    assert table.column("bits") == list(neural_gpu_string.QUICK_LENGTHS)


@pytest.mark.slow
def test_the_quick_experiment_measures_everything_in_small():
    table = neural_gpu_multiplication.measure(True, lambda what, part: None)
    expected = len(products_tape.FACTORS) * len(neural_gpu_multiplication.QUICK_LENGTHS)
    assert len(table.rows) == expected and table.column("pairs")[0] == 60
