"""What every unit must do, whatever it is made of: be exact, explain what it did, and be wrong on other weights."""

from collections.abc import Callable

import exactness
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exactness import ISAS, SEED

from learned_units import Unit, load_unit
from learned_units.catalog import UNITS
from learned_units.neural_gpu.network import Network
from learned_units.unit import BLOCK

slow = pytest.mark.slow

WIDTHS = (4, 5, 6, 7, 8, 9, 11, 12, 16, 17, 24, 31, 32, 33, 48, 63, 64)
ANALYTIC = "modular, analytic"
FORMS = (*UNITS, ANALYTIC)
# The weights whose leaves these are decide every answer of the unit.
WEIGHTS = {
    "ntk": ("inner", "outer"),
    "ntk-bits": ("inner", "outer"),
    "neural-gpu": Network._fields,
    "modular": ("inner", "outer"),
    ANALYTIC: ("inner", "outer"),
}
# Run in the default suite: among all units, narrow, middle and wide words and both instruction sets.
QUICK = {
    "ntk": {(16, "sbn")},
    "ntk-limit": set(),
    "ntk-bits": set(),
    "neural-gpu": {(4, "sbn")},
    "modular": {(33, "subleq")},
    ANALYTIC: set(),
    "native": {(4, "sbn"), (64, "subleq")},
}

# Of whose pairs of 8-bit words the default suite tries every one.
ALL_PAIRS = {"ntk": "sbn", "ntk-limit": "subleq", "modular": "sbn", "native": "subleq"}

each_learned_form = pytest.mark.parametrize("form", WEIGHTS)
both_isas = pytest.mark.parametrize("isa", ISAS)
every_size = pytest.mark.parametrize(
    ("form", "word_bits", "isa"),
    [
        pytest.param(form, word_bits, isa, marks=() if (word_bits, isa) in QUICK[form] else slow)
        for form in FORMS
        for word_bits in WIDTHS
        for isa in ISAS
    ],
)


@pytest.fixture(scope="module")
def form_of(unit_of) -> Callable[..., Unit]:
    """form_of(form, word_bits=16, isa="sbn"): the unit of that form."""

    def of(form: str, word_bits: int = 16, isa: str = "sbn") -> Unit:
        if form == ANALYTIC:
            return load_unit("modular", word_bits, isa, weights="analytic")
        return unit_of(form, word_bits, isa)

    return of


def test_every_unit_conforms():
    assert set(QUICK) == set(FORMS) and set(WEIGHTS) == set(FORMS) - {"ntk-limit", "native"}


@pytest.mark.parametrize(
    ("form", "isa"),
    [pytest.param(form, isa, marks=() if ALL_PAIRS.get(form) == isa else slow) for form in FORMS for isa in ISAS],
)
def test_all_65536_pairs_of_8_bits_are_exact(form, isa, form_of):
    assert len(exactness.check(form_of(form, 8, isa), exactness.all_pairs(8))) == 65_536


@every_size
def test_hard_and_random_cases_are_exact_at_any_width(form, word_bits, isa, form_of):
    unit = form_of(form, word_bits, isa)
    many = exactness.hard_and_random(word_bits, 2 * BLOCK, SEED + word_bits)
    margin = exactness.check(unit, exactness.joined(many, exactness.edges(word_bits)))
    if form == "ntk-limit":
        assert margin.min() >= 1 - 1e-4  # one matched template or none, half a gap away
    if form == "neural-gpu":
        assert margin.max() <= 1  # a difference of probabilities


MANY = {16: 2_000_000, 32: 200_000, 64: 200_000}


@slow
@both_isas
@pytest.mark.parametrize("word_bits", MANY)
@each_learned_form
def test_very_many_cases_are_exact(form, word_bits, isa, form_of):
    unit = form_of(form, word_bits, isa)
    part = 100_000
    for k in range(0, MANY[word_bits] if form in ("ntk", "ntk-bits") else 200_000, part):
        exactness.check(unit, exactness.hard_and_random(word_bits, part, SEED + k))


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=() if form in ("ntk", "modular", "native") else slow) for form in FORMS]
)
def test_an_explanation_is_of_the_decisions_that_were_made(form, form_of):
    """Each on the side of its threshold that it says, and the least certain of them the one that was reported."""
    unit = form_of(form, 8, ALL_PAIRS.get(form, "sbn"))
    cases = exactness.hard_and_random(8, BLOCK)
    found = unit.subtract_branch(*cases)
    for k in range(0, BLOCK, BLOCK // 8):  # uniform and adversarial ones
        decisions = unit.explain(*(int(column[k]) for column in cases))
        if form == "native":
            assert decisions == []
            continue
        assert all(each.margin > 0 and 0 <= each.bit < 8 for each in decisions)
        assert [each.stage for each in decisions] == sorted(each.stage for each in decisions)
        assert min(each.margin for each in decisions) == pytest.approx(found.margin[k], abs=2e-4)


@each_learned_form
def test_one_set_of_weights_serves_every_width(form, form_of):
    one, other = (jax.tree.leaves(form_of(form, word_bits).params) for word_bits in (8, 64))
    assert len(one) == len(other) > 0
    assert all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(one, other, strict=True))


@each_learned_form
def test_the_weights_are_traced_and_not_part_of_the_compiled_code(form, form_of):
    unit = form_of(form)
    assert all(isinstance(leaf, jax.Array) and leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(unit.params))
    words = [jnp.zeros(1, jnp.uint32)] * 4
    jaxpr = jax.make_jaxpr(unit.spec.evaluate)(unit.params, *words)
    assert sum(constant.size for constant in jaxpr.consts if hasattr(constant, "size")) < 300
    assert hash(unit.spec) == hash(form_of(form).spec)


@each_learned_form
@pytest.mark.parametrize("isa", ["sbn", pytest.param("subleq", marks=slow)])
def test_noise_in_place_of_weights_breaks_most_answers(form, isa, form_of):
    good = form_of(form, 8, isa)
    noisy = exactness.with_params(good, exactness.with_noise(good.params, *WEIGHTS[form]))
    assert exactness.wrong(noisy, exactness.hard_and_random(8, BLOCK)).mean() > 0.9


@each_learned_form
def test_weights_that_are_no_numbers_have_no_margin_however_many_cases_there_are(form, form_of):
    good = form_of(form, 8)
    lost = exactness.with_params(good, jax.tree.map(lambda leaf: leaf * np.float32(np.nan), good.params))
    operands = np.arange(BLOCK, dtype=np.uint64) % 256
    assert np.isnan(lost.subtract_branch(operands, operands, 1, 2).margin).all()


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ("modular", "inner"),
        ("modular", "outer"),
        (ANALYTIC, "inner"),
        (ANALYTIC, "outer"),
        ("neural-gpu", "embedding"),
        ("neural-gpu", "gate_kernel"),
        ("neural-gpu", "candidate_kernel"),
        ("neural-gpu", "readout_kernel"),
    ],
)
def test_noise_in_one_layer_alone_breaks_most_answers(form, part, form_of):
    good = form_of(form, 8)
    noisy = exactness.with_params(good, exactness.with_noise(good.params, part))
    assert exactness.wrong(noisy, exactness.hard_and_random(8, BLOCK)).mean() > 0.5
