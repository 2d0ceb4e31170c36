"""The tasks of the paper: sizes of its designs, and every design exact through live passes of the closed form."""

import functools
import itertools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

from learned_units.circuits import addition, algorithm, multiplication, permutation
from learned_units.circuits.algorithm import Algorithm
from learned_units.circuits.state_templates import Template, TemplateList
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import predictor, readout

GROUP = 8
LENGTHS = (1, 2, 3, 5, 8, 16, 64)


def closed_form(task: Algorithm, threshold=readout.calibrated) -> dict:
    return {each.name: predictor.closed_form(each, threshold) for each in task.networks}


def as_bits(words: Sequence[int] | np.ndarray, length: int) -> np.ndarray:
    """float32 [words, length], least significant first; words of any size."""
    return np.array([[word >> i & 1 for i in range(length)] for word in map(int, words)], np.float32)


def as_words(bits: np.ndarray) -> list[int]:
    return [sum(int(bit) << i for i, bit in enumerate(row)) for row in np.asarray(bits)]


def compute(task: Algorithm, params: dict, *operands: Sequence[int] | np.ndarray) -> tuple[list[int], float]:
    """Results as words, and the smallest margin."""

    @jax.jit
    def every(params, inputs):
        return algorithm.run(task, inputs, predictor.bound(task.networks, params))

    inputs = {field: as_bits(column, length).T for (field, length), column in zip(task.inputs, operands, strict=True)}
    found = every(params, inputs)
    return as_words(np.asarray(found.bits).T), float(found.margin.min())


def all_pairs(length: int) -> tuple[np.ndarray, np.ndarray]:
    every = np.arange(1 << length)
    one, other = np.meshgrid(every, every)
    return one.reshape(-1), other.reshape(-1)


def network_of(task: Algorithm) -> TemplateList:
    (network,) = task.networks
    assert isinstance(network, TemplateList)
    return network


# --- the sizes the paper states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_a_permutation_takes_one_template_a_bit_and_one_pass(length):
    task = permutation.paper(range(length))
    network = network_of(task)
    assert (len(network.templates), network.output_bits, network.padding, task.passes) == (length, length, 0, 1)


@pytest.mark.parametrize("length", LENGTHS)
def test_ripple_addition_takes_4l_templates_3l_bits_and_2l_passes(length):
    task = addition.ripple(length)
    network = network_of(task)
    assert (len(network.templates), network.output_bits, task.passes) == (4 * length, 3 * length, 2 * length)
    assert network.reads == network.writes
    assert network.padding == 0


@pytest.mark.parametrize("length", LENGTHS)
def test_ripple_multiplication_takes_20l_and_2_templates_18l_and_1_bits_and_4ll_and_3l_passes(length):
    task = multiplication.ripple(length)
    network = network_of(task)
    assert (len(network.templates), network.padding) == (20 * length + 2, length)
    assert (network.output_bits, task.passes) == (18 * length + 1, 4 * length**2 + 3 * length)
    assert network.reads == network.writes


@pytest.mark.parametrize(("length", "passes"), [(1, 2), (4, 2), (5, 3), (16, 3), (17, 4), (64, 4)])
def test_prefix_addition_takes_few_passes(length, passes):
    assert addition.grouped(length, GROUP).passes == passes


@pytest.mark.parametrize(("length", "passes"), [(1, 3), (2, 3), (4, 6), (8, 8), (16, 11), (32, 13)])
def test_multiplication_by_full_adders_takes_few_passes(length, passes):
    assert multiplication.grouped(length, GROUP).passes == passes


# --- the template list against brute force ----------------------------------------------------------------------------


def test_matching_and_labels_are_those_of_the_templates_one_by_one():
    network = network_of(multiplication.ripple(2))
    reads = [(field, i) for field, length in network.reads for i in range(length)]
    writes = [(field, i) for field, length in network.writes for i in range(length)]
    states = np.random.default_rng(0).integers(0, 2, (300, len(reads)))
    matched = np.asarray(algorithm.match(network, states.astype(np.float32)))
    labels = network.labels()
    assert matched.shape == (300, network.size)
    for state, row in zip(states, matched, strict=True):
        value = dict(zip(reads, state, strict=True))
        holds = [all(value[bit] == wanted for bit, wanted in each.when) for each in network.templates]
        assert row.tolist() == [*map(float, holds), *[0.0] * network.padding]
    for template, row in zip(network.templates, labels, strict=False):
        assert {bit for bit, label in zip(writes, row, strict=True) if label} == set(template.then)
    assert not labels[len(network.templates) :].any()
    assert network.label_counts().tolist() == labels.sum(0).tolist()


def said(template_set: TemplateSet, bit: Mapping[str, int]) -> set[str]:
    """The outputs asserted when the lines hold these bits."""
    holding = [each for each in template_set.families if all(bit[line] == want for line, want in each.when)]
    assert len(holding) <= 1
    return {output for each in holding for output in each.then}


def test_add_says_the_sum_and_the_carry_of_a_pair_of_positions():
    for values in itertools.product((0, 1), repeat=4):
        bit: dict[str, int] = dict(zip(("a", "b", "a_below", "b_below"), values, strict=True))
        outputs = said(addition.first(GROUP), bit)
        assert ("x" in outputs) == (bit["a"] != bit["b"])
        assert not {"G", "P"} <= outputs
        for carry in (0, 1):
            below = bit["a_below"] + bit["b_below"] + carry >= 2
            assert ("G" in outputs or ("P" in outputs and bool(carry))) == (bit["a"] + bit["b"] + below >= 2)


def test_a_full_adder_counts_its_three_bits():
    for values in itertools.product((0, 1), repeat=3):
        outputs = said(multiplication.full_adder(), dict(zip("uvw", values, strict=True)))
        assert ("sum" in outputs) + 2 * ("carry" in outputs) == sum(values)


# --- exact, through live passes ---------------------------------------------------------------------------------------

ADDITIONS = {"ripple": addition.ripple, "grouped": functools.partial(addition.grouped, group=GROUP)}
MULTIPLICATIONS = {"ripple": multiplication.ripple, "grouped": functools.partial(multiplication.grouped, group=GROUP)}


@pytest.mark.parametrize("length", [3, *slow(1, 2, 6)])
@pytest.mark.parametrize("design", ADDITIONS)
def test_every_sum_of_small_numbers_is_right_in_the_limit(design, length):
    one, other = all_pairs(length)
    task = ADDITIONS[design](length)
    found, margin = compute(task, closed_form(task), one, other)
    assert found == (one + other).tolist()
    assert margin == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("length", [2, *slow(1, 4)])
@pytest.mark.parametrize("design", MULTIPLICATIONS)
def test_every_product_of_small_numbers_is_right_in_the_limit(design, length):
    one, other = all_pairs(length)
    task = MULTIPLICATIONS[design](length)
    found, margin = compute(task, closed_form(task), one, other)
    assert found == (one * other).tolist()
    assert margin == pytest.approx(1, abs=1e-4)


def hard_words(rng: np.random.Generator, count: int, length: int) -> list[int]:
    """Uniform words among such with long runs of ones: what carries run through."""
    top = (1 << length) - 1
    uniform = [int.from_bytes(rng.bytes(-(-length // 8)), "little") & top for _ in range(count)]
    runs = [top >> int(rng.integers(length)) << int(rng.integers(length)) & top for _ in range(count)]
    return [*(uniform[: count // 2]), *runs[: count // 2 - 4], 0, 1, top, top - 1]


@pytest.mark.slow
@pytest.mark.parametrize(("design", "length"), [("grouped", 64), ("ripple", 33), ("grouped", 33)])
def test_long_sums_are_right_in_the_limit(design, length):
    rng = np.random.default_rng(length)
    one, other = hard_words(rng, 600, length), hard_words(rng, 600, length)[::-1]
    task = ADDITIONS[design](length)
    found, _ = compute(task, closed_form(task), one, other)
    assert found == [a + b for a, b in zip(one, other, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "length"), [("ripple", 9), ("grouped", 9), pytest.param("grouped", 13, marks=pytest.mark.slow)]
)
def test_long_products_are_right_in_the_limit(design, length):
    rng = np.random.default_rng(length)
    one, other = hard_words(rng, 100, length), hard_words(rng, 100, length)[::-1]
    rng.shuffle(other)
    task = MULTIPLICATIONS[design](length)
    found, _ = compute(task, closed_form(task), one, other)
    assert found == [a * b for a, b in zip(one, other, strict=True)]


PERMUTATIONS = {"paper": permutation.paper, "grouped": permutation.grouped}


@pytest.mark.parametrize("length", [9, *(pytest.param(length, marks=pytest.mark.slow) for length in (1, 7, 8, 20, 64))])
@pytest.mark.parametrize("design", PERMUTATIONS)
def test_permutations_move_every_bit_to_its_place_in_the_limit(design, length):
    rng = np.random.default_rng(length)
    for places in (rng.permutation(length).tolist(), [*range(length)], [*range(length)][::-1]):
        given = as_bits(hard_words(rng, 200, length), length)
        expected = np.zeros_like(given)
        expected[:, places] = given
        task = PERMUTATIONS[design](places)
        found, margin = compute(task, closed_form(task), as_words(given))
        assert found == as_words(expected)
        assert margin == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("places", [(0, 0), (1, 2), (0, 2, 1, 4), (-1, 0)])
def test_what_is_no_permutation_is_refused(places):
    for design in PERMUTATIONS.values():
        with pytest.raises(ValueError, match=r"a permutation of \d bits must name each of 0 \.\. \d; \d is missing"):
            design(places)


# --- the paper's readout ----------------------------------------------------------------------------------------------

RIPPLES = {"addition": (addition.ripple, int.__add__), "multiplication": (multiplication.ripple, int.__mul__)}


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 16, *slow(64)])
def test_the_paper_designs_meet_the_condition_of_the_sign_readout(length):
    for task in (permutation.paper(range(length)), addition.ripple(length), multiplication.ripple(length)):
        readout.check_sign_readout(network_of(task))


@pytest.mark.parametrize("length", [3, *slow(1, 4)])
@pytest.mark.parametrize("task", RIPPLES)
def test_the_sign_readout_is_right_on_all_pairs(task, length):
    make, exact = RIPPLES[task]
    one, other = all_pairs(length)
    found, margin = compute(make(length), closed_form(make(length), readout.sign), one, other)
    assert found == [exact(a, b) for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    assert margin == 0  # at one matched template the mean of an output not asserted is exactly 0


@pytest.mark.slow
def test_the_condition_names_what_breaks_it_and_padding_mends_it():
    """20 templates that can all match at once assert one output: threshold 0 would miss that one of them matches."""
    templates = [Template(((("x", i), 1),), (("y", 0),) if i < 20 else (("y", 1),)) for i in range(40)]
    form = functools.partial(TemplateList, "crowded", (("x", 40),), (("y", 2),), tuple(templates), 40)
    with pytest.raises(ValueError, match=r"'crowded': threshold 0 is wrong at n = \d+ for an output that 20 of 40"):
        readout.check_sign_readout(form())
    readout.check_sign_readout(form(padding=800))
    state = np.ones((1, 40), np.float32)
    state[:, 1:20] = 0  # n = 21, and of the 20 that assert the first output one matches
    for padding, right in ((0, False), (800, True)):
        network = form(padding=padding)
        params = predictor.closed_form(network, readout.sign)
        answer = predictor.predict(network, params, (algorithm.match(network, state),))
        assert bool(answer.value[0, 0] > 0) == right


@pytest.mark.parametrize("length", [3, *slow(1, 2, 5)])
def test_the_bound_on_matched_templates_is_reached_and_never_passed(length):
    for make, _ in RIPPLES.values():
        network = network_of(make(length))
        most = max(most_matched_in_runs(make(length), network, length))
        assert most == network.most_matched


def most_matched_in_runs(task: Algorithm, network: TemplateList, length: int) -> list[int]:
    """The most templates matched at once in each pass, over all pairs, by the templates' own meaning."""
    ones = {bit: 1 for bit in task.ones}
    fields = [(field, i) for field, count in network.reads for i in range(count)]
    pairs = all_pairs(length)
    state = np.zeros((len(pairs[0]), len(fields)), np.float32)
    for (field, count), column in zip(task.inputs, pairs, strict=True):
        state[:, [fields.index((field, i)) for i in range(count)]] = as_bits(column, count)
    state[:, [fields.index(bit) for bit in ones]] = 1
    most = []
    for _ in range(task.passes):
        matched = np.asarray(algorithm.match(network, state))
        most.append(int(matched.sum(1).max()))
        state = (matched @ network.labels() > 0).astype(np.float32)
    return most


@pytest.mark.slow
def test_a_state_that_matches_more_than_the_bound_has_no_margin():
    network = TemplateList(
        "bound", (("x", 3),), (("y", 3),), tuple(Template(((("x", i), 1),), (("y", i),)) for i in range(3)), 2
    )
    params = predictor.closed_form(network)
    matched = np.array(list(itertools.product((0, 1), repeat=3)), np.float32)
    answer = predictor.predict(network, params, (jnp.asarray(matched),))
    beyond = matched.sum(1) > 2
    assert np.isnan(answer.threshold[beyond]).all()
    assert not np.isnan(answer.threshold[~beyond]).any()
