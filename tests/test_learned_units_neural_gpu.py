"""The Neural GPU: the cell, the tape, the training set, what a trained net does, and that its weights do it."""

import itertools
import math
import random
from typing import Any

import exactness
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from learned_units import WeightsError, catalog
from learned_units.neural_gpu import acceptance, loading, long_arithmetic, measuring, network, tape, training
from learned_units.neural_gpu import operands as pairs_of_bits
from learned_units.neural_gpu.network import Network
from learned_units.proof import operands
from learned_units.weights import recipes

SEED = 20_151_125
slow = pytest.mark.slow
ISAS = ("sbn", "subleq")
each_task = pytest.mark.parametrize("task", tape.TASKS.values(), ids=tape.TASKS)


@pytest.fixture(scope="module")
def subtracter(unit_of) -> Network:
    return unit_of("neural-gpu").params


@pytest.fixture(scope="module")
def adder(trained_cache) -> Network:
    return loading.obtain(tape.ADD, 0, None)[0]


# --- the cell ---------------------------------------------------------------------------------------------------------


def cell_by_the_book(weights: Network, state: np.ndarray) -> np.ndarray:
    """One step, position by position and map by map, from the formulas in the module's docstring; float64."""
    positions, maps = state.shape
    padded = np.vstack([np.zeros(maps), state, np.zeros(maps)])

    def convolution(kernel: np.ndarray, of: np.ndarray, outputs: int) -> np.ndarray:
        out = np.zeros((positions, outputs))
        for i in range(positions):
            for k, neighbour in enumerate((i - 1, i, i + 1)):
                out[i] += of[neighbour + 1] @ kernel[:, k * outputs : (k + 1) * outputs]
        return out

    given = {name: np.asarray(value, np.float64) for name, value in weights._asdict().items()}
    gates = np.clip((convolution(given["gate_kernel"], padded, 2 * maps) + given["gate_bias"]) / 2 + 0.5, 0, 1)
    reset, update = gates[:, :maps], gates[:, maps:]
    reset_state = np.vstack([np.zeros(maps), reset * state, np.zeros(maps)])
    candidate = np.clip(convolution(given["candidate_kernel"], reset_state, maps) + given["candidate_bias"], -1, 1)
    third = maps // 3
    shifted = state.copy()
    shifted[:, maps - 2 * third : maps - third] = padded[:-2, maps - 2 * third : maps - third]
    shifted[:, maps - third :] = padded[2:, maps - third :]
    return update * shifted + (1 - update) * candidate


@pytest.mark.parametrize("maps", [3, pytest.param(16, marks=slow)])
def test_a_step_is_what_the_formulas_say(maps):
    rng = np.random.default_rng(2)
    shapes = network.shapes(7, maps)
    weights = Network(**{name: jnp.asarray(rng.uniform(-1, 1, shapes[name]), jnp.float32) for name in Network._fields})
    state = rng.uniform(-1, 1, (9, maps)).astype(np.float32)
    found, _ = jax.jit(network.step)(weights, state)
    assert np.abs(np.asarray(found) - cell_by_the_book(weights, state)).max() < 1e-5


@pytest.mark.slow
def test_a_batch_of_tapes_is_evaluated_like_each_alone():
    weights = network.initialise(jax.random.key(4), 7, 9)
    tapes = np.random.default_rng(5).integers(1, 7, (3, 11)).astype(np.int32)
    together = np.asarray(network.run(weights, jnp.asarray(tapes)))
    alone = np.stack([np.asarray(network.run(weights, jnp.asarray(each))) for each in tapes])
    assert np.abs(together - alone).max() < 1e-5


# --- the tape ---------------------------------------------------------------------------------------------------------


def test_operands_are_aligned_least_significant_first_with_the_ends_behind():
    first, second = tape.to_bits([0b011, 0b1], 3), tape.to_bits([0b101, 0b0], 3)
    lengths = np.array([3, 1])
    assert tape.lay_out(tape.SUBTRACT_SBN, first, second, lengths).tolist() == [[4, 3, 2, 5, 6], [3, 5, 6, 0, 0]]
    assert tape.lay_out(tape.ADD, first, second, lengths).tolist() == [[4, 3, 2, 5], [3, 5, 0, 0]]


@pytest.mark.parametrize(
    ("task", "first", "second", "answer"),
    [
        (tape.ADD, 7, 1, "0001"),
        (tape.ADD, 2, 1, "1100"),
        (tape.SUBTRACT_SBN, 3, 5, "01111"),  # -2; borrow, negative
        (tape.SUBTRACT_SBN, 5, 3, "01000"),
        (tape.SUBTRACT_SBN, 3, 7, "00111"),  # -4 as a signed word of 3 bits: taken
        (tape.SUBTRACT_SBN, 4, 1, "11000"),  # MIN - 1 wraps to MAX: no borrow, not taken
        (tape.SUBTRACT_SBN, 6, 6, "00000"),
        (tape.SUBTRACT_SUBLEQ, 6, 6, "00001"),  # zero: subleq takes the branch
        (tape.SUBTRACT_SUBLEQ, 5, 3, "01000"),
    ],
)
def test_the_exact_answer_of_three_bits_is(task, first, second, answer):
    bits = tape.answers(task, tape.to_bits([first], 3), tape.to_bits([second], 3), np.array([3]))
    assert "".join(map(str, bits[0])) == answer


@each_task
def test_bits_and_integers_convert_both_ways_at_any_length(task):
    rng = random.Random(SEED)
    for length in (1, 7, 8, 9, 64, 65, 200):
        numbers = [rng.getrandbits(length) for _ in range(20)] + [0, (1 << length) - 1]
        bits = tape.to_bits(numbers, length)
        assert bits.shape == (22, length) and tape.to_ints(bits) == numbers
        assert [sum(int(bit) << k for k, bit in enumerate(row)) for row in bits] == numbers


# --- the operands -----------------------------------------------------------------------------------------------------


def longest_run(first: int, second: int, length: int, task: tape.Task) -> int:
    """Most positions in a row that a carry (or borrow) passes through."""
    carry, run, longest = 0, 0, 0
    for k in range(length):
        a, b = first >> k & 1, second >> k & 1
        passes = (a != b) if task.adds else (a == b)
        run = run + 1 if carry and passes else 0
        longest = max(longest, run)
        carry = int(a + b + carry > 1) if task.adds else int(a - b - carry < 0)
    return longest


@each_task
def test_adversarial_operands_have_carries_through_the_whole_number(task):
    length = 40
    first, second = pairs_of_bits.adversarial(np.random.default_rng(SEED), 2000, length, task)
    assert first.dtype == second.dtype == np.uint8 and set(np.unique([first, second])) == {0, 1}
    pairs = list(zip(tape.to_ints(first), tape.to_ints(second), strict=True))
    runs = [longest_run(a, b, length, task) for a, b in pairs]
    assert max(runs) == length - 1
    assert np.mean([run >= length // 2 for run in runs]) > 0.1
    assert any(a == b for a, b in pairs)
    assert any(bin(a).count("1") <= 3 for a, _ in pairs) and any(bin(b).count("1") >= 37 for _, b in pairs)


def test_every_pair_is_every_pair():
    first, second = pairs_of_bits.every_pair(3)
    assert sorted(zip(tape.to_ints(first), tape.to_ints(second), strict=True)) == list(
        itertools.product(range(8), range(8))
    )


@each_task
def test_no_example_of_the_training_set_is_longer_than_twenty_bits(task):
    rng = np.random.default_rng(SEED)
    seen = set()
    for _ in range(300):
        batch = training.batch(rng, task)
        positions = (np.asarray(batch.symbols) != tape.PAD).sum(1)
        seen |= set((positions - len(task.ends)).tolist())
    assert seen == set(range(1, training.LONGEST + 1)) and training.LONGEST == 20


# --- the trained net --------------------------------------------------------------------------------------------------


@slow
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("word_bits", [16, 32, 64])
def test_the_unit_is_exact_on_200000_cases(word_bits, isa, unit_of):
    unit = unit_of("neural-gpu", word_bits, isa)
    for seed in range(10):
        exactness.check(unit, exactness.hard_and_random(word_bits, 20_000, SEED + seed))
    for seed in range(2):
        rng = np.random.default_rng(SEED + seed)
        first, second = pairs_of_bits.adversarial(rng, 20_000, word_bits, tape.UNIT_TASKS[isa])
        words = [np.array(tape.to_ints(each), np.uint64) for each in (first, second)]
        exactness.check(unit, (*words, *(operands.words(rng, 20_000, word_bits) for _ in range(2))))


@pytest.mark.parametrize("kind", ["adversarial", "uniform"])
def test_trained_on_20_bits_it_is_exact_at_100(kind, subtracter):
    task, rng = tape.SUBTRACT_SBN, np.random.default_rng(SEED)
    chosen = (
        pairs_of_bits.adversarial(rng, 300, 100, task)
        if kind == "adversarial"
        else pairs_of_bits.uniform(rng, 300, 100)
    )
    found = measuring.measure(subtracter, task, chosen)
    assert (found.cases, found.wrong) == (300, 0) and found.smallest_margin > 0


@slow
@pytest.mark.parametrize("task", tape.TASKS.values(), ids=tape.TASKS)
def test_trained_on_20_bits_it_is_exact_on_10000_cases_of_256(task):
    weights, _ = loading.obtain(task, 0, None)
    rng = np.random.default_rng(SEED)
    for chosen in (pairs_of_bits.adversarial(rng, 5000, 256, task), pairs_of_bits.uniform(rng, 5000, 256)):
        found = measuring.measure(weights, task, chosen)
        assert found.wrong == 0, found


def test_explanation_and_evaluation_agree_decision_by_decision(unit_of):
    unit = unit_of("neural-gpu", 12)
    cases = exactness.hard_and_random(12, 40)
    found = unit.subtract_branch(*cases)
    for k, case in enumerate(zip(*(column.tolist() for column in cases), strict=True)):
        decisions = unit.explain(*case)
        outputs = [(each.output, each.bit) for each in decisions]
        assert outputs == [("difference", bit) for bit in range(12)] + [("borrow", 0), ("taken", 0)]
        assert sum(each.value << each.bit for each in decisions[:12]) == found.difference[k]
        assert decisions[12].value == (case[0] < case[1])
        assert (case[2] if decisions[13].value else case[3]) == found.next_pc[k]
        assert all(each.value == (each.prediction > each.threshold) for each in decisions)
        assert min(each.margin for each in decisions) == pytest.approx(found.margin[k], abs=1e-5)


def test_the_unit_says_what_is_not_learned_in_it(unit_of):
    scope = unit_of("neural-gpu").scope
    assert (scope.difference, scope.decision, scope.select) == ("learned", "learned", "native")
    assert "tape layout" in scope.glue and "not learned" in scope.sentence and "not proved" in scope.sentence


# --- that it is the weights -------------------------------------------------------------------------------------------


def test_untrained_weights_know_nothing_and_are_not_accepted():
    task = tape.SUBTRACT_SBN
    weights = network.initialise(jax.random.key(0), task.symbols, training.MAPS)
    shapes = {name: value.shape for name, value in weights._asdict().items()}
    assert shapes == network.shapes(task.symbols, training.MAPS)
    found = acceptance.examine(weights, task, lambda what, part: None)
    assert found.wrong > 0 and not acceptance.accepted(found)


def test_one_wrong_answer_or_one_small_margin_is_enough_to_refuse_a_net():
    assert acceptance.accepted(measuring.Found(1000, 0, acceptance.MARGIN_FLOOR))
    assert not acceptance.accepted(measuring.Found(1000, 1, 0.9))
    assert not acceptance.accepted(measuring.Found(1000, 0, acceptance.MARGIN_FLOOR - 0.01))
    unknown = measuring.Found(1000, 0, math.nan)
    assert not acceptance.accepted(unknown)
    assert not acceptance.accepted(measuring.NOTHING.and_(unknown)) and not acceptance.accepted(
        unknown.and_(measuring.Found(1000, 0, 0.9))
    )


def test_errors_are_counted_by_case_and_bit_by_bit(subtracter):
    """Weights for one task, asked for the other, are right but for the branch on zero."""
    found = measuring.measure(subtracter, tape.SUBTRACT_SUBLEQ, pairs_of_bits.every_pair(4))
    assert (found.cases, found.wrong) == (256, 16)


# --- training and the cache -------------------------------------------------------------------------------------------


def losses_of(seed: int, reports: int) -> list[float]:
    """The losses that training reports, up to a number of reports where it is stopped."""
    seen: list[float] = []

    def progress(part: float, loss: float) -> None:
        seen.append(loss)
        assert 0 < part < 1
        if len(seen) == reports:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(tape.SUBTRACT_SBN, seed, progress)
    return seen


@slow
def test_training_is_repeatable_and_stops_when_told():
    one = losses_of(5, 3)
    assert one == losses_of(5, 3)
    assert one != losses_of(6, 3)


def test_a_seed_that_is_not_accepted_gives_way_to_the_next(monkeypatch):
    tried = []

    def train(task, seed, progress):
        tried.append(seed)
        return network.initialise(jax.random.key(seed), task.symbols, training.MAPS)

    def examine(weights, task, progress):
        return measuring.Found(10, 0 if len(tried) == 3 else 1, 0.9)

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(acceptance, "examine", examine)
    made = loading.recipe_for(tape.ADD, 4).make(lambda what, part: None)
    assert tried == [4, 5, 6] and made.fields["seed_used"] == 6
    monkeypatch.setattr(acceptance, "examine", lambda *_: measuring.Found(10, 1, 0.9))
    with pytest.raises(WeightsError, match="no seed from 0 to 7"):
        loading.recipe_for(tape.ADD, 0).make(lambda what, part: None)


def test_the_stored_weights_are_those_of_the_unit_and_come_back_unchanged(unit_of):
    unit = unit_of("neural-gpu")
    recipe = catalog.recipe("neural-gpu")
    assert recipe is not None and recipe.path.exists()
    tensors, manifest = recipes.read(recipe, recipe.path)
    assert manifest == unit.manifest and catalog.recipe_of(manifest.written).file == recipe.file
    for name, tensor in tensors.items():
        assert (np.asarray(getattr(unit.params, name)) == tensor).all()
    assert manifest.parameters == sum(leaf.size for leaf in unit.params)


@pytest.mark.parametrize("fault", ["missing", "shape", "nan", "extra"])
def test_tensors_that_do_not_fit_are_refused(fault, subtracter):
    tensors = {name: np.asarray(value) for name, value in subtracter._asdict().items()}
    if fault == "missing":
        del tensors["gate_bias"]
    elif fault == "shape":
        tensors["gate_kernel"] = tensors["gate_kernel"][:, :-1]
    elif fault == "nan":
        tensors["readout_bias"] = np.full(1, np.nan, np.float32)
    else:
        tensors["more"] = np.zeros(1, np.float32)
    with pytest.raises(WeightsError):
        loading.as_network(tape.SUBTRACT_SBN, tensors)


def test_the_weights_of_different_tasks_and_seeds_are_different_files():
    files = {loading.recipe_for(task, seed).file for task in tape.TASKS.values() for seed in (0, 1)}
    assert len(files) == 6


# --- integers of any length -------------------------------------------------------------------------------------------


class Asked:
    """Exact arithmetic in the networks' place: what it is asked, and of which net."""

    def __init__(self, monkeypatch) -> None:
        self.tapes: list[tuple[str, int, int, int]] = []
        monkeypatch.setattr(measuring, "predictions", self._predictions)

    def nets(self, task: tape.Task) -> Any:
        return task

    def _predictions(self, weights, task, given):
        assert weights is task
        first, second = given
        pairs = zip(tape.to_ints(first), tape.to_ints(second), strict=True)
        self.tapes += [(task.name, first.shape[1], a, b) for a, b in pairs]
        exact_answers = tape.answers(task, first, second, np.full(len(first), first.shape[1]))
        yield slice(0, len(first)), np.where(exact_answers, np.float32(0.75), np.float32(-0.5))


def some_integers(bits: int) -> list[tuple[int, int]]:
    rng = random.Random(SEED + bits)
    full, top = (1 << bits) - 1, 1 << (bits - 1)
    a, b = rng.getrandbits(bits), rng.getrandbits(bits)
    magnitudes = [(a, b), (b, a), (a, a), (full, full), (full, 1), (1, full), (top, 1), (0, a), (a, 0), (0, 0)]
    return [(sign * x, other * y) for x, y in magnitudes for sign in (1, -1) for other in (1, -1)]


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 17, 64, 100])
def test_integers_are_taken_apart_and_put_together_rightly(bits, monkeypatch):
    asked = Asked(monkeypatch)
    for first, second in some_integers(bits):
        for operation, exact_result in (("add", first + second), ("subtract", first - second)):
            asked.tapes.clear()
            found = long_arithmetic.OPERATIONS[operation](asked.nets, first, second, lambda what, part: None)
            assert (found.value, found.tapes, found.rounds) == (exact_result, 1, 1)
            ((_, length, one, other),) = asked.tapes
            assert (one, other) == (abs(first), abs(second)) and length == max(1, one.bit_length(), other.bit_length())
            assert found.margin in (0.5, 0.75)
        asked.tapes.clear()
        found = long_arithmetic.multiply(asked.nets, first, second)
        assert found.value == first * second
        assert found.tapes == len(asked.tapes) <= max(0, second.bit_count() - 1)
        assert found.margin == (0.5 if asked.tapes else math.inf)
        assert found.rounds <= bits.bit_length()
        assert {name for name, *_ in asked.tapes} <= {"add"}


@pytest.mark.slow
def test_long_differences_are_exact_and_signed(subtracter):
    rng = random.Random(SEED)
    for bits in (1, 40, 300):
        first, second = rng.getrandbits(bits), rng.getrandbits(bits)
        for a, b in ((first, second), (second, first), (first, first), (1 << bits, 1), (1, 1 << bits)):
            found = long_arithmetic.subtract(lambda task: subtracter, a, b)
            assert found.value == a - b and 0 < found.margin <= 1


@slow
@pytest.mark.parametrize("bits", [1, 2, 7, 40, 64])
def test_long_sums_and_products_are_exact(bits, adder):
    for first, second in some_integers(bits):
        if (first < 0) == (second < 0):
            assert long_arithmetic.add(lambda task: adder, first, second).value == first + second
        assert long_arithmetic.multiply(lambda task: adder, first, second).value == first * second


@slow
def test_noise_in_the_adder_breaks_products(adder):
    broken = exactness.with_noise(adder, "candidate_kernel")
    assert long_arithmetic.multiply(lambda task: broken, 12345, 54321).value != 12345 * 54321
