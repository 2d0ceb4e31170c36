"""The unit on weights of 8 bits: made from the trained ones, proved as they are, and the same on every machine."""

import exactness
import jax
import numpy as np
import pytest

from learned_units import load_unit
from learned_units.experiments import controls
from learned_units.networks import predictor, rounded
from learned_units.networks.ensemble import EnsembleParams
from learned_units.proof import enumeration
from learned_units.store import WeightsError
from learned_units.units import ntk_int8


@pytest.fixture(scope="module")
def select(unit_of):
    """One network of the unit as it is stored, rounded: small enough to be run on every input in the default tests."""
    unit_of("ntk")
    network = controls.default_networks()["select"]
    both = [rounded.rounded(each, ntk_int8.BITS) for each in (network.inner, network.outer)]
    return network, rounded.make_rounded(network.template_set, *both)


@pytest.fixture(scope="module")
def unit(unit_of):
    unit_of("ntk")
    return load_unit("ntk", 16, weights="int8")


def test_the_weights_are_those_of_the_unit_to_half_a_number(select):
    network, whole = select
    for ours, theirs in ((whole.inner, network.inner), (whole.outer, network.outer.T)):
        numbers, theirs = np.asarray(ours), theirs.reshape(ours.shape)
        assert (numbers == np.rint(numbers)).all() and np.abs(numbers).max() == 127
        assert np.abs(numbers * (np.abs(theirs).max() / 127) - theirs).max() <= np.abs(theirs).max() / 253


def test_a_rounded_network_is_right_on_every_input_and_its_sums_are_exact_in_any_order(select):
    """The order of the hidden units changes no bit of a prediction, as it does with float32 weights."""
    template_set, network = select[0].template_set, select[1]
    found = enumeration.enumerate_inputs(template_set, network)
    assert found.wrong == 0 and found.smallest_margin >= 0.25
    assert ntk_int8.largest_sum(template_set, network) < rounded.EXACT
    order = np.random.default_rng(0).permutation(network.inner.shape[-1])
    other = network._replace(inner=network.inner[..., order], outer=network.outer[..., order])
    inputs = template_set.reachable_inputs()
    one, two = (
        np.asarray(enumeration.predict_inputs(each, inputs, template_set=template_set).value)
        for each in (network, other)
    )
    assert (one == two).all()
    float32 = predictor.trained(*select[0])
    assert isinstance(float32, EnsembleParams)
    shuffled = float32._replace(inner=float32.inner[..., order], outer=float32.outer[..., order])
    one, two = (
        np.asarray(enumeration.predict_inputs(each, inputs, template_set=template_set).value)
        for each in (float32, shuffled)
    )
    assert (one != two).any()


@pytest.mark.slow
def test_the_rounded_networks_are_proved_when_they_are_made(unit, unit_of):
    assert unit.manifest is not None and "exact" in unit.manifest.verified.kind
    assert unit.tensor_hash != unit_of("ntk").tensor_hash
    assert unit.manifest.verified.inputs == 2_200_027 and unit.manifest.verified.smallest_margin >= 0.25
    assert unit.detail.startswith("int8, ensembles of 2 ") and "whole numbers of 8 bits" in unit.scope.sentence


@pytest.mark.slow
@pytest.mark.parametrize("isa", exactness.ISAS)
def test_instructions_are_exact(isa, unit):
    exactness.check(load_unit("ntk", 9, isa, weights="int8"), exactness.hard_and_random(9, 2000))


def test_weights_that_round_to_too_small_a_margin_are_refused(unit_of, monkeypatch):
    unit_of("ntk")
    monkeypatch.setattr(ntk_int8, "BITS", 3)
    recipe = ntk_int8.recipe(16, "sbn", 0, None)
    with pytest.raises(WeightsError, match="in int8 has a margin of"):
        recipe.make(lambda what, part: None)


def test_whole_words_have_no_int8_weights():
    with pytest.raises(ValueError, match="int8 weights are for groups of up to 8"):
        load_unit("ntk", 16, group=16, weights="int8")


@pytest.mark.slow
@pytest.mark.parametrize("isa", exactness.ISAS)
def test_all_pairs_of_8_bits_are_exact(isa):
    unit = load_unit("ntk", 8, isa, weights="int8")
    assert len(exactness.check(unit, exactness.all_pairs(8))) == 65_536
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(unit.params))
