"""The templates of the whole machine in one network: training set and fast match from one description."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from learned_units.ntk import kernel
from learned_units.whole import one_network
from learned_units.whole.families import Axis, Bit, Family, StateTemplates, Word
from learned_units.whole.one_templates import at_least, executable, templates

SIZES = [(3, 4), (5, 4), (12, 4), (15, 4), (16, 8), (32, 8), (9, 18)]
every_size = pytest.mark.parametrize(("cells", "word_bits"), SIZES)
both_isas = pytest.mark.parametrize("isa", ["sbn", "subleq"])


def matched_by_hand(templates: StateTemplates, state: np.ndarray) -> np.ndarray:
    """Which templates match, from the expanded requirements: bool [size]."""
    rows = templates.requirements()
    violated = ((rows == 1) & (state == 0)) | ((rows == -1) & (state == 1)) | (rows == 2)
    return ~violated.any(1)


def random_states(templates: StateTemplates, count: int) -> list[np.ndarray]:
    """States of every density, each bit at random: also such as no machine reaches."""
    rng = np.random.default_rng(3)
    return [(rng.random(templates.state_bits) < rng.random()).astype(np.float32) for _ in range(count)]


@every_size
@both_isas
def test_the_fast_match_is_the_expanded_templates(cells, word_bits, isa):
    of_machine = templates(cells, word_bits, isa)
    for state in random_states(of_machine, 4):
        matched = of_machine.match(of_machine.split(jnp.asarray(state)))
        flat = np.concatenate([np.asarray(each).reshape(-1) for each in matched])
        expected = matched_by_hand(of_machine, state)
        assert flat.tolist() == expected.astype(float).tolist()
        asserting = np.asarray(of_machine.collect(matched))
        assert asserting.tolist() == (expected.astype(np.float32) @ of_machine.labels()).tolist()


@every_size
@both_isas
def test_the_readout_knows_how_many_templates_assert_each_bit(cells, word_bits, isa):
    of_machine = templates(cells, word_bits, isa)
    counts = np.asarray(one_network.limit_params(of_machine).counts)
    assert counts.tolist() == of_machine.labels().sum(0).tolist()


def test_conditions_and_assertions_outside_their_field():
    shifted = StateTemplates(
        (("v", (3,)), ("w", (3,))),
        (
            Family((3,), (Bit("v", (Axis(0, -1),)),), (Bit("w", (Axis(0, 1),)),)),
            Family((3,), (Bit("v", (Axis(0, 2),), 0),), (Bit("v", (Axis(0),)),)),
        ),
    )
    for bits in itertools.product((0.0, 1.0), repeat=6):
        state = np.array(bits, np.float32)
        v = [*bits[:3], 0, 0]
        expected = [0, v[0], v[1], 1 - v[2], 1, 1]  # a bit outside reads as 0
        matched = shifted.match(shifted.split(jnp.asarray(state)))
        assert np.concatenate(matched).tolist() == expected
        assert np.asarray(shifted.collect(matched)).tolist() == [1 - v[2], 1, 1, 0, 0, v[0]]


def test_axes_may_stand_in_any_order():
    turned = StateTemplates(
        (("m", (2, 3)), ("t", (3, 2))),
        (Family((3, 2), (Bit("m", (Axis(1), Axis(0))),), (Bit("t", (Axis(0), Axis(1))),)),),
    )
    m = np.arange(6).reshape(2, 3) % 2
    state = np.concatenate([m.reshape(-1), np.zeros(6)]).astype(np.float32)
    asserted = turned.split(np.asarray(turned.collect(turned.match(turned.split(jnp.asarray(state))))))
    assert asserted["t"].tolist() == m.T.tolist()


@pytest.mark.parametrize("word_bits", [1, 3, 5])
def test_the_words_from_a_bound_on_fit_exactly_one_pattern(word_bits):
    for bound in range((1 << word_bits) + 1):
        for word in range(1 << word_bits):
            bits = [word >> i & 1 for i in range(word_bits)]
            fitting = [
                pattern
                for pattern in at_least(bound, word_bits)
                if all(want == "-" or int(want) == bit for want, bit in zip(pattern, bits, strict=True))
            ]
            assert len(fitting) == (word >= bound), (bound, word)


def test_an_instruction_stands_where_there_is_room_for_it():
    assert executable(32, 8) == 30 and executable(250, 8) == 128 and executable(3, 4) == 1


@pytest.mark.parametrize(("cells", "word_bits"), [(32, 8), (128, 16), (1024, 16)])
def test_the_margin_in_float32_is_nominal_at_the_worst_n_reachable(cells, word_bits):
    """A memory full of ones matches one copy a bit, and little else. The threshold of the bit with most templates."""
    of_machine = templates(cells, word_bits, "sbn")
    most = cells * word_bits + 12 * word_bits + 2 * cells + 8
    own, common = (each.astype(np.float32) for each in kernel.coefficients(of_machine.size, most))
    c = np.asarray(one_network.limit_params(of_machine).counts).max()
    for n in range(1, most + 1):
        half = own[n] * np.float32(0.5)
        taken_off = common[n] * c
        for m in (0, 1):
            distance = (own[n] * np.float32(m) - taken_off) - (half - taken_off)
            assert (distance > 0) == m and abs(distance) / half > 0.99


def test_a_condition_on_a_word_may_leave_bits_open():
    some = StateTemplates(
        (("v", (2,)), ("w", (2,))), (Family((2,), (Word("v", 0, ("1-", "01")),), (Word("w", 0, ("10", "11")),)),)
    )
    for low, high in itertools.product((0, 1), repeat=2):
        matched = some.match(some.split(jnp.asarray([low, high, 0, 0], jnp.float32)))
        assert matched[0].tolist() == [low, (1 - low) * high]
        assert np.asarray(some.collect(matched))[2:].tolist() == [low + (1 - low) * high, (1 - low) * high]
