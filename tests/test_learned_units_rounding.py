"""How far float32 can move a margin: in no order of summation by more than the bound, which some come near to."""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import vm
from learned_units.circuits.subtract_branch import template_sets
from learned_units.networks import rounded
from learned_units.networks.ensemble import EnsembleParams
from learned_units.proof import certificate, enumeration, rounding

SELECT = template_sets(8)["select"]


def rows_of(params: EnsembleParams, inputs: np.ndarray) -> np.ndarray:
    """The first-layer rows of each input, float32 [inputs, positions, units], 0 where nothing matches."""
    rows = np.asarray(params.inner)
    families, positions, units = rows.shape
    rows = np.concatenate([rows.reshape(-1, units), np.zeros((1, units), np.float32)])
    return rows[np.where(inputs < 0, families * positions, inputs * positions + np.arange(positions))]


def summed(params: EnsembleParams, inputs: np.ndarray, kind: type, order: np.ndarray) -> np.ndarray:
    """Predictions times the root of n, of one number type, each sum made term by term in this order of the units."""
    rows = rows_of(params, inputs)[..., order].astype(kind)
    outer = np.asarray(params.outer).reshape(-1, rows.shape[-1])[:, order].astype(kind)
    hidden = np.maximum(np.add.accumulate(rows, axis=1)[:, -1], 0)
    return np.add.accumulate(hidden[:, None] * outer[None], axis=-1)[..., -1]


@pytest.mark.parametrize("order", ["as stored", "small ones first", "large ones first", "by sign"])
def test_no_order_of_summation_moves_a_margin_by_more_than_the_bound(order, unit_of):
    params = unit_of("ntk").params["select"]
    inputs = SELECT.reachable_inputs()[np.random.default_rng(0).permutation(6561)[:200]].astype(int)
    number = np.maximum((inputs >= 0).sum(1, keepdims=True), 1)
    size = np.asarray(params.outer)[0, 0]
    by = {"as stored": np.zeros(len(size)), "small ones first": np.abs(size), "large ones first": -np.abs(size)}
    chosen = np.argsort(by.get(order, size), kind="stable")
    moved = summed(params, inputs, np.float32, chosen) - summed(params, inputs, np.float64, chosen)
    moved = np.abs(moved) / np.sqrt(number) / np.asarray(params.table)[0][number]
    assert 0 < moved.max() <= rounding.bound(params)


def test_the_bound_of_all_inputs_is_at_least_that_of_each(unit_of):
    params = unit_of("ntk").params["select"]
    inputs = SELECT.reachable_inputs().astype(int)
    rows, outer = rows_of(params, inputs), np.abs(np.asarray(params.outer)).reshape(8, -1)
    number = np.maximum((inputs >= 0).sum(1, keepdims=True), 1)
    of_units, of_rows = rounding.gamma(outer.shape[1]), rounding.gamma(8)
    each = of_units * np.maximum(rows.sum(1), 0) @ outer.T + 2 * of_rows * np.abs(rows).sum(1) @ outer.T
    each = each / np.sqrt(number) / np.asarray(params.table)[0][number]
    assert each.max() <= rounding.bound(params) < 4 * each.max()


def test_sums_that_lose_every_small_term_come_near_the_bound():
    units = 1024
    outer = np.full((1, 1, units), 2.0**-24, np.float32)
    outer[..., 0] = 1
    # one row of ones, and thresholds of 0: half of the last digit is added 1,023 times, and lost each time
    params = EnsembleParams(jnp.ones((1, 1, units)), jnp.asarray(outer), jnp.asarray([[0.5, 0.5], [0.0, 0.0]]))
    inputs = np.zeros((1, 1), int)
    order = np.arange(units)
    exact, found = (float(summed(params, inputs, kind, order)[0, 0]) for kind in (np.float64, np.float32))
    assert found == 1 and exact == 1 + 1023 * 2.0**-24
    assert 0.8 * rounding.bound(params) < (exact - found) / 0.5 <= rounding.bound(params)


def test_whole_numbers_and_the_closed_form_have_nothing_but_the_scaling_to_round(unit_of):
    params = unit_of("ntk").params["select"]
    weights = np.asarray(params.inner).reshape(SELECT.size, -1), np.asarray(params.outer).reshape(8, -1).T
    whole = rounded.make_rounded(SELECT, *(rounded.rounded(each, 8) for each in weights))
    limit = unit_of("ntk-limit").params["select"]
    assert rounding.bound(limit) < rounding.bound(whole) < 5e-4 < 2e-3 < rounding.bound(params)


def test_every_shipped_margin_stands_in_any_order(unit_of):
    for unit in map(unit_of, ("ntk", "ntk-bits")):
        margins = {name: each.smallest_margin for name, each in unit.manifest.networks.items()}
        taken = rounding.in_any_order(margins, unit.params)
        assert taken is not None and 0 < taken < min(margins.values()) / 2
        said = certificate.of_unit(unit, 1)
        assert said is not None
        assert f"another order changes a margin by {taken:.2g} half gaps at most" in said.assumes


def test_the_chapters_state_the_bounds_as_they_are(unit_of):
    docs = Path(vm.__file__).resolve().parent.parent / "docs"
    for unit, chapter in (("ntk", "verification.md"), ("ntk", "what_is_learned.md"), ("ntk-bits", "ntk_bits.md")):
        taken = 2 * max(map(rounding.bound, unit_of(unit).params.values()))
        assert f"{taken:.3f}" in (docs / chapter).read_text(encoding="utf-8")


@pytest.mark.parametrize("margin", [0.005, 0.0, -1.0, np.nan])
def test_a_margin_that_another_order_could_take_is_told(margin, unit_of):
    unit = unit_of("ntk")
    margins = {name: each.smallest_margin for name, each in unit.manifest.networks.items()}
    assert rounding.in_any_order(margins | {"select": margin}, unit.params) is None
    written = unit.manifest.written
    networks = written["networks"] | {"select": written["networks"]["select"] | {"smallest_margin": margin}}
    manifest = dataclasses.replace(unit.manifest, written={**written, "networks": networks})
    said = certificate.of_unit(dataclasses.replace(unit, manifest=manifest), 1)
    assert said is not None
    assert "sums in another order differ by less than" in said.assumes


def test_weights_that_are_no_numbers_have_no_bound(unit_of):
    params = unit_of("ntk").params["any"]
    spoiled = params._replace(outer=params.outer.at[0, 0, 0].set(np.nan))
    assert rounding.in_any_order({"any": 1.0}, {"any": spoiled}) is None


def test_what_has_no_such_bound_is_refused():
    with pytest.raises(TypeError, match="no bound is known for tuple"):
        rounding.bound(())  # pyright: ignore[reportArgumentType]


def test_the_margins_that_are_enumerated_are_those_of_real_numbers_up_to_the_bound(unit_of):
    params = unit_of("ntk").params["select"]
    inputs = SELECT.reachable_inputs()
    found = enumeration.predict_inputs(params, inputs, template_set=SELECT)
    number = np.maximum((inputs >= 0).sum(1, keepdims=True), 1)
    real = summed(params, inputs.astype(int), np.float64, np.arange(params.inner.shape[-1])) / np.sqrt(number)
    assert (np.abs(np.asarray(found.value) - real) / np.asarray(found.half_gap)).max() < rounding.bound(params)
