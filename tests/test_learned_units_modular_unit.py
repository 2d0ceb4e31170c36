"""The unit `modular`: subtraction by base-16 digits on one expert modulo 32, grokked or analytic."""

import itertools

import exactness
import jax.numpy as jnp
import numpy as np
import pytest

from learned_units import Unit, WeightsError, catalog, load_unit
from learned_units.modular import loading
from learned_units.modular.network import answers, every_input
from learned_units.modular.unit import MODULUS, ModularSpec
from learned_units.proof import rounding
from learned_units.weights import recipes as weights_by_recipe

SEED = 240_603_495
ISAS = ("sbn", "subleq")
WEIGHTS = ("grokked", "analytic")
WIDTHS = (4, 5, 6, 7, 8, 9, 11, 12, 16, 17, 24, 31, 32, 33, 48, 63, 64)
slow = pytest.mark.slow
both_isas = pytest.mark.parametrize("isa", ISAS)
both_weights = pytest.mark.parametrize("weights", WEIGHTS)


@pytest.fixture(scope="module")
def modular(trained_cache):
    """modular(weights, word_bits=16, isa="sbn"): the unit; weights are made once."""
    made = {weights: load_unit("modular", weights=weights) for weights in WEIGHTS}

    def of(weights: str, word_bits: int = 16, isa: str = "sbn") -> Unit:
        return Unit("modular", ModularSpec(word_bits, isa), made[weights].params, made[weights].scope)

    return of


# --- exactness --------------------------------------------------------------------------------------------------------


@both_weights
def test_the_expert_is_right_on_every_input_it_can_receive(weights, modular):
    rows = every_input(MODULUS, 2)
    classes, margins = answers(modular(weights).params, rows)
    assert np.asarray(classes).tolist() == [(a - b) % 32 for a, b in rows.tolist()]
    assert np.asarray(margins).min() >= loading.MARGIN_FLOOR


@both_weights
def test_no_order_of_summation_changes_an_answer(weights, modular):
    """Two sums of one output in float32, each in any order, differ by less than a thousandth of the gap."""
    inner, outer = (np.asarray(each, np.float64) for each in modular(weights).params[:2])
    squares = (inner[0][:, None] + inner[1][None]) ** 2  # [a, b, units]; each is rounded three times
    *_, second, first = np.moveaxis(np.sort(squares @ outer, axis=-1), -1, 0)
    apart = 2 * rounding.gamma(len(outer) + 3) * (squares @ np.abs(outer)).max(-1)
    assert 0 < (apart / (first - second)).max() < 1e-3


def test_the_digits_compose_to_a_difference_whatever_the_borrow():
    """What the readings of u say, for all digits and borrows, and that no other inputs arise."""
    needed = loading.needed_inputs()
    asked = set()
    for a, b, borrow in itertools.product(range(16), range(16), range(2)):
        t = (a - b) % 32
        u = (t - borrow) % 32
        assert (u % 16, u >= 16) == ((a - b - borrow) % 16, a - b - borrow < 0)
        asked |= {(a, b), (t, borrow)}
    assert asked == {(int(a), int(b)) for a, b in zip(*np.nonzero(needed), strict=True)} and len(asked) == 286


@both_isas
@pytest.mark.parametrize("word_bits", [5, *(pytest.param(bits, marks=slow) for bits in (4, 6, 7))])
def test_every_pair_of_the_smallest_words_is_exact(word_bits, isa, modular):
    pairs = np.array(list(itertools.product(range(2**word_bits), repeat=2)), np.uint64)
    exactness.check(
        modular("grokked", word_bits, isa), (pairs[:, 0], pairs[:, 1], *np.full((2, len(pairs)), [[2], [3]], np.uint64))
    )


# --- what is said of it -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("word_bits", "isa"), [(10, "subleq"), (16, "sbn")])
def test_explanation_and_evaluation_agree_evaluation_by_evaluation(word_bits, isa, modular):
    unit = modular("grokked", word_bits, isa)
    cases = exactness.hard_and_random(word_bits, 12)
    found = unit.subtract_branch(*cases)
    digits = unit.spec.evaluations // 2
    for k, case in enumerate(zip(*(column.tolist() for column in cases), strict=True)):
        decisions = unit.explain(*case)
        assert [(each.stage, each.output, each.bit) for each in decisions] == [
            *((0, "t", 4 * digit) for digit in range(digits)),
            *((1 + digit, "u", 4 * digit) for digit in range(digits)),
        ]
        for each in decisions:
            assert each.prediction > each.threshold and each.margin > 0 and 0 <= each.value < 32
        borrow = 0
        for t, u in zip(decisions[:digits], decisions[digits:], strict=True):
            a, b = (case[side] >> t.bit & 15 for side in (0, 1))
            assert (t.value, u.value) == ((a - b) % 32, (a - b - borrow) % 32)
            borrow = u.value >> 4
        written = sum((each.value & 15) << each.bit for each in decisions[digits:]) % 2**word_bits
        assert written == found.difference[k]
        assert min(each.margin for each in decisions) == pytest.approx(found.margin[k], abs=1e-4)


def test_the_unit_says_what_is_learned_in_it_and_what_its_expert_never_saw(modular):
    unit = load_unit("modular", 8)
    assert (unit.scope.difference, unit.scope.decision, unit.scope.select) == ("learned", "learned", "native")
    assert "half of the table" in unit.scope.sentence and "borrow" in unit.scope.glue
    assert unit.scope.step_kind == "learned" and unit.detail.startswith("one grokked expert of 256 units")
    assert isinstance(unit.manifest, loading.GrokkedManifest)
    assert unit.manifest.train_inputs == 512 and unit.manifest.verified.inputs == 1024
    assert unit.manifest.unit_inputs == 286 and unit.manifest.unit_inputs_held_out > 100
    assert unit.seed == unit.manifest.seed_used
    analytic = load_unit("modular", 8, weights="analytic")
    assert (analytic.scope.difference, analytic.scope.step_kind) == ("analytic", "analytic")
    assert "not trained" in analytic.scope.sentence
    assert [ModularSpec(n, "sbn").evaluations for n in (4, 5, 16, 64)] == [2, 4, 8, 32]


def test_one_set_of_weights_serves_every_width_and_instruction_set():
    hashes = {load_unit("modular", n, isa).tensor_hash for n, isa in ((4, "sbn"), (64, "subleq"))}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "modular", "weights": "guessed"}, r"unknown weights 'guessed' \(weights: grokked, analytic\)"),
        ({"name": "ntk", "weights": "grokked"}, r"unknown weights 'grokked' \(weights: float32, int8, paper\)"),
        (
            {"name": "modular", "group": 8},
            "group is for the units 'ntk' and 'ntk-limit'; the unit 'modular' does not have it",
        ),
    ],
)
def test_options_of_other_units_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        load_unit(**options)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda tensors, manifest: tensors.pop("outer"), "the weights 'outer' are missing"),
        (
            lambda tensors, manifest: tensors.update(inner=tensors["inner"][:1]),
            r"'inner' are float32 \(1, 32, 256\), not",
        ),
        (lambda tensors, manifest: tensors.update(inner=tensors["inner"].astype(np.float64)), "'inner' are float64"),
        (lambda tensors, manifest: tensors.update(inner=tensors["inner"] * np.nan), "'inner' are not all finite"),
        (
            lambda tensors, manifest: manifest.update(verified={"kind": "none", "inputs": 9, "smallest_margin": 0.2}),
            "the manifest claims too little",
        ),
        (lambda tensors, manifest: manifest.pop("verified"), "the manifest does not say 'verified'"),
        (lambda tensors, manifest: manifest.pop("nominal"), "the manifest does not say 'nominal'"),
        (lambda tensors, manifest: manifest.update(nominal=float("nan")), "the manifest says 'nan' for 'nominal'"),
        (lambda tensors, manifest: manifest.update(epochs=-1), "the manifest says '-1' for 'epochs'"),
        (lambda tensors, manifest: manifest.update(units="256"), "the manifest says '256' for 'units'"),
    ],
)
def test_weights_that_do_not_suffice_are_refused(spoil, said):
    recipe = catalog.recipe("modular")
    assert recipe is not None
    tensors, manifest = weights_by_recipe.obtain(recipe, None)
    written = dict(manifest.written)
    assert weights_by_recipe.accepted(recipe, tensors, written) == manifest
    spoil(tensors, written)
    with pytest.raises(WeightsError, match=said):
        weights_by_recipe.accepted(recipe, tensors, written)


# --- that it can be wrong ---------------------------------------------------------------------------------------------


@slow
def test_weights_as_they_were_before_training_know_nothing(modular):
    """And those that fit the training half by heart but have not generalised are wrong on the other half."""
    from learned_units.modular import training

    good = modular("grokked", 8)
    a, b = np.indices((MODULUS, MODULUS))
    table = (a - b) % MODULUS
    early = training.train(table, loading.UNITS, loading.FRACTION, most_epochs=100)
    assert early.curve.train_accuracy[-1] == 1 and early.held_out_accuracy < 0.5
    cases = exactness.hard_and_random(8, 1024)
    differences = exactness.exact(8, "sbn", cases)[0]
    for (inner, outer), at_least in ((early.start, 0.9), ((early.inner, early.outer), 0.5)):
        params = good.params._replace(inner=jnp.asarray(inner), outer=jnp.asarray(outer))
        found = Unit("modular", good.spec, params, good.scope).subtract_branch(*cases)
        assert np.mean(found.difference != differences) > at_least
