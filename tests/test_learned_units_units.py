"""Every unit against plain integers; what it says of its decisions; and that a broken one is seen to be broken."""

import itertools

import exactness
import jax.numpy as jnp
import numpy as np
import pytest

from learned_units import Unit, bits, load_unit
from learned_units.catalog import UNITS
from learned_units.proof import operands
from learned_units.unit import BLOCK

SEED = 20_250_217
ISAS = ("sbn", "subleq")
slow = pytest.mark.slow
both_isas = pytest.mark.parametrize("isa", ISAS)


# --- exactness --------------------------------------------------------------------------------------------------------


@slow
@both_isas
@pytest.mark.parametrize("group", [1, 2, 5])
def test_other_groups_are_exact_too(group, isa):
    unit = load_unit("ntk", 11, isa, group=group)
    exactness.check(unit, exactness.hard_and_random(11, 4000))
    exactness.check(unit, exactness.edges(11))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word_bits", "group", "isa"),
    [(7, 64, "sbn")]
    + [pytest.param(w, g, isa, marks=slow) for w, g in ((9, 1), (16, 16), (7, 64), (16, 5)) for isa in ISAS],
)
def test_the_limit_is_exact_whatever_the_group(word_bits, group, isa):
    unit = load_unit("ntk-limit", word_bits, isa, group=group)
    exactness.check(unit, exactness.hard_and_random(word_bits, 2000))
    exactness.check(unit, exactness.edges(word_bits))


# --- arguments and shapes ---------------------------------------------------------------------------------------------


def test_arguments_broadcast_and_keep_their_shape(unit_of):
    unit = unit_of("native", 8)
    found = unit.subtract_branch([[1], [2]], np.arange(3), 9, np.int8(-3))
    assert found.difference.tolist() == [[1, 0, 255], [2, 1, 0]]
    assert found.next_pc.tolist() == [[253, 253, 9], [253, 253, 253]]
    assert found.margin.shape == (2, 3)
    scalar = unit.subtract_branch(1, 2, 3, 4)
    assert (scalar.difference.shape, int(scalar.difference), int(scalar.next_pc)) == ((), 255, 3)


@pytest.mark.parametrize("name", ["native", "ntk-limit"])
def test_empty_arguments_give_empty_results(name, unit_of):
    for shape in ((0,), (0, 3), (2, 0)):
        found = unit_of(name, 8).subtract_branch(np.zeros(shape, int), 1, [] if shape == (0,) else 2, 3)
        assert found.difference.shape == found.next_pc.shape == found.margin.shape == shape
        assert (found.difference.dtype, found.margin.dtype) == (np.int64, np.float32)


def test_words_come_back_as_int64_and_at_64_bits_as_uint64(unit_of):
    assert unit_of("native", 63).subtract_branch(0, 1, 0, 0).difference.dtype == np.int64
    found = unit_of("native", 64).subtract_branch([0, -(2**63)], [1, 2**63], 0, 0)
    assert found.difference.dtype == np.uint64
    assert found.difference.tolist() == [2**64 - 1, 0]


def test_more_cases_than_a_block_are_all_answered(unit_of):
    count = 2 * BLOCK + 3
    found = unit_of("native", 16).subtract_branch(np.arange(count), 5, 0, 0)
    assert found.difference.tolist() == [(k - 5) % 65_536 for k in range(count)]


@pytest.mark.parametrize("place", range(4))
def test_misfits_are_refused_by_name(place, unit_of):
    unit = unit_of("native", 8)
    name = ("minuend", "subtrahend", "target", "fall_through")[place]
    for wrong, error in ((256, ValueError), (-129, ValueError), (1.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match=name):
            unit.subtract_branch(*(wrong if k == place else 0 for k in range(4)))
        with pytest.raises(error, match=name):
            unit.explain(*(wrong if k == place else 0 for k in range(4)))
    with pytest.raises(ValueError, match="broadcast"):
        unit.subtract_branch([1, 2], [1, 2, 3], 0, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "ntk-limt"}, "unknown unit 'ntk-limt'; did you mean 'ntk-limit'"),
        ({"name": "perceptron"}, "unknown unit 'perceptron' .*ntk, ntk-limit, ntk-bits, neural-gpu, modular, native"),
        ({"word_bits": 3}, "word_bits is 3; words have 4 to 64 bits"),
        ({"word_bits": 65}, "word_bits is 65"),
        ({"word_bits": 16.0}, "word_bits is 16.0"),
        ({"word_bits": True}, "word_bits is True"),
        ({"isa": "SBN"}, "unknown instruction set 'SBN' .*sbn, subleq"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"name": "ntk-limit", "group": 0}, "group is 0"),
        ({"name": "ntk-limit", "group": 65}, "group is 65"),
        ({"name": "ntk-limit", "group": 8.0}, "group is 8.0"),
    ],
    ids=str,
)
def test_a_unit_that_cannot_be_is_a_value_error(options, words):
    with pytest.raises(ValueError, match=words):
        load_unit(**{"name": "native", **options})


def test_a_unit_says_what_is_learned_in_it(unit_of):
    assert set(UNITS) == {"ntk", "ntk-limit", "ntk-bits", "neural-gpu", "modular", "native"}
    trained, limit, native = (unit_of(name) for name in ("ntk", "ntk-limit", "native"))
    assert (trained.scope.difference, trained.scope.decision, trained.scope.select) == ("learned",) * 3
    assert (limit.scope.difference, limit.scope.decision, limit.scope.select) == ("closed form",) * 3
    assert (native.scope.difference, native.scope.decision, native.scope.select) == ("native",) * 3
    assert "160" in trained.scope.sentence and "a linear map could make it" in trained.scope.sentence
    assert sum(network.examples for network in trained.manifest.networks.values()) == 160
    assert "not a learned computation" in limit.scope.sentence
    assert trained.detail.startswith("ensembles of 2 ") and "every input verified" in trained.detail
    assert trained.seed == trained.manifest.seed_used


# --- explanations -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "word_bits", "isa"),
    [
        ("ntk", 16, "sbn"),
        ("ntk-limit", 12, "subleq"),
        ("ntk-limit", 5, "sbn"),
        ("ntk", 33, "subleq"),
    ],
)
def test_explanation_and_evaluation_agree_decision_by_decision(name, word_bits, isa, unit_of):
    unit = unit_of(name, word_bits, isa)
    cases = exactness.hard_and_random(word_bits, 12)
    found = unit.subtract_branch(*cases)
    for k, case in enumerate(zip(*(column.tolist() for column in cases), strict=True)):
        decisions = unit.explain(*case)
        last = {each.output: each.stage for each in decisions}
        written = {
            output: sum(each.value << each.bit for each in decisions if (each.output, each.stage) == (output, stage))
            for output, stage in last.items()
        }
        assert written["d"] == found.difference[k]
        assert written["chosen"] == found.next_pc[k]
        for each in decisions:
            assert each.value == (each.prediction > each.threshold)
            assert 0 <= each.bit < word_bits
            assert each.margin > 0
        assert min(each.margin for each in decisions) == pytest.approx(found.margin[k], abs=2e-4)
        stages = [each.stage for each in decisions]
        assert stages == sorted(stages)


@pytest.mark.slow
def test_the_decisions_of_an_explanation_are_all_that_are_made(unit_of):
    decisions = unit_of("ntk-limit", 12, "subleq").explain(5, 9, 100, 3)
    found = {}
    for each in decisions:
        found.setdefault((each.stage, each.network), []).append((each.output, each.bit))
    every = range(12)
    assert found == {
        (0, "first"): [(output, bit) for output in ("x", "G", "P") for bit in every],
        (1, "prefix"): [(output, bit) for output in ("G", "P") for bit in every],
        (2, "difference"): [("d", bit) for bit in every],
        (3, "any"): [("some", 0), ("some", 1)],
        (4, "any"): [("some", 0)],
        (5, "select"): [("chosen", 0)],
        (6, "select"): [("chosen", bit) for bit in every],
    }


# --- that it can be wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["first", "difference", "select"])
def test_noise_in_one_network_alone_breaks_most_answers(name, unit_of):
    good = unit_of("ntk", 8)
    unit = Unit(
        "ntk", good.spec, {**good.params, name: exactness.with_noise(good.params, "inner", "outer")[name]}, good.scope
    )
    cases = exactness.hard_and_random(8, BLOCK)
    found = unit.subtract_branch(*cases)
    differences, next_pcs = exactness.exact(8, "sbn", cases)
    wrong = (found.difference != np.array(differences)) | (found.next_pc != np.array(next_pcs))
    assert wrong.mean() > 0.9
    assert (found.difference.tolist() == differences) == (name == "select")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["first", "difference"])
def test_a_wrong_closed_form_breaks_most_answers_of_the_limit(name, unit_of):
    good = unit_of("ntk-limit", 8)
    form = good.params[name]
    wrong = {**good.params, name: form._replace(table=form.table.at[0].multiply(-1))}
    cases = exactness.hard_and_random(8, BLOCK)
    found = Unit("ntk-limit", good.spec, wrong, good.scope).subtract_branch(*cases)
    assert np.mean(found.difference != exactness.exact(8, "sbn", cases)[0]) > 0.9


def test_untrained_networks_know_nothing(unit_of):
    """The start of training, where every prediction is 0, answers hardly anything right: training does it."""
    good = unit_of("ntk", 8)
    params = {name: weights._replace(outer=jnp.zeros_like(weights.outer)) for name, weights in good.params.items()}
    cases = exactness.hard_and_random(8, BLOCK)
    found = Unit("ntk", good.spec, params, good.scope).subtract_branch(*cases)
    assert np.mean(found.difference != exactness.exact(8, "sbn", cases)[0]) > 0.7


# --- the operands that test it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word_bits", [4, 5, 8, 16, 33, 64])
def test_adversarial_operands_contain_what_they_say(word_bits):
    count, high = 5_000, 2**word_bits - 1
    columns = operands.adversarial(np.random.default_rng(SEED), count, word_bits)
    assert all(column.dtype == np.uint64 and column.shape == (count,) for column in columns)
    minuend, subtrahend, target, fall_through = (column.tolist() for column in columns)
    assert max(map(max, (minuend, subtrahend, target, fall_through))) <= high
    pairs = list(zip(minuend, subtrahend, strict=True))

    def share(holds) -> float:
        return sum(map(holds, pairs)) / count

    def chain(pair) -> int:
        """Longest run of positions a borrow passes through."""
        borrow, run, longest = 0, 0, 0
        for k in range(word_bits):
            a, b = pair[0] >> k & 1, pair[1] >> k & 1
            run = run + 1 if borrow and a == b else 0
            longest = max(longest, run)
            borrow = int(a - b - borrow < 0)
        return longest

    edges = {0, 1, high, 1 << (word_bits - 1), high >> 1}
    assert share(lambda pair: pair[0] == pair[1]) > 0.06
    assert share(lambda pair: (pair[1] - pair[0]) & high == 1) > 0.06
    assert share(lambda pair: (pair[0] - pair[1]) & high == 1) > 0.06
    assert share(lambda pair: (pair[0] ^ pair[1]).bit_count() == 1) > 0.06
    assert share(lambda pair: set(pair) <= edges) > 0.06
    assert {pair for pair in pairs if set(pair) <= edges} == set(itertools.product(edges, edges))
    assert share(lambda pair: chain(pair) >= (word_bits - 1) // 2) > 0.02
    assert max(map(chain, pairs)) == word_bits - 1
    if word_bits >= 16:
        assert share(lambda pair: pair[0].bit_count() <= word_bits // 4) > 0.06
        assert share(lambda pair: pair[1].bit_count() >= 3 * word_bits // 4) > 0.06
    for column in (target, fall_through):
        assert sum(word == 0 for word in column) / count > 0.04
    assert sum(word == high for word in target) / count > 0.04
    assert sum(one == two for one, two in zip(target, fall_through, strict=True)) / count > 0.04


@pytest.mark.parametrize("word_bits", [4, 33, 64])
def test_uniform_operands_use_every_bit(word_bits):
    for column in operands.uniform(np.random.default_rng(SEED), 4000, word_bits):
        assert int(column.max()) <= 2**word_bits - 1
        for k in range(word_bits):
            assert 0.4 < np.mean(column >> np.uint64(k) & np.uint64(1)) < 0.6


def test_limbs_and_words_agree_in_all_these_tests():
    """`exact` is given plain integers; they are the words the unit sees."""
    cases = exactness.hard_and_random(64, 100)
    assert bits.limbs_to_words(bits.words_to_limbs(cases[0], 64), 64).tolist() == cases[0].tolist()


def test_explain_refuses_several_cases(unit_of):
    with pytest.raises(ValueError, match=r"subtrahend has the shape \(2,\); `explain` takes one case"):
        unit_of("native").explain(5, [3, 4])


def test_a_width_in_quotation_marks_is_shown_with_them():
    with pytest.raises(ValueError, match="word_bits is '16'; words have 4 to 64 bits"):
        load_unit("native", "16")  # pyright: ignore[reportArgumentType]
