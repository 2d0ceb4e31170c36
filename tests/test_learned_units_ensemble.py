"""One machine multiplies the output layer group by group, a batch and the enumeration at once: the same predictions."""

import jax
import numpy as np
import pytest
from marks import slow

from learned_units.circuits.subtract_branch import template_sets
from learned_units.networks import predictor
from learned_units.proof.enumeration import predict_inputs

ROUNDING = 1e-5  # the margin that is proved keeps every prediction 0.02 or more from its threshold
SAMPLES = 200
BROKEN = 20
# What is compared is one function for all: two stand for the others in the default suite.
each_network = pytest.mark.parametrize("name", ["first", *slow("prefix", "difference", "select"), "any"])


@pytest.mark.parametrize("groups", [2, *slow(1, 8)])
@each_network
def test_one_machine_and_a_batch_predict_the_same_up_to_rounding(name, groups, unit_of):
    params, template_set = unit_of("ntk", 16, "sbn").params[name], template_sets(8)[name]
    inputs = template_set.reachable_inputs()
    inputs = inputs[np.random.default_rng(0).permutation(len(inputs))[:SAMPLES]]
    together = np.asarray(predict_inputs(params, inputs, template_set=template_set).value)
    alone = jax.jit(predictor.predict, static_argnums=0)
    for start in range(0, SAMPLES, groups):
        index, expected = inputs[start : start + groups], together[start : start + groups]
        matched = tuple((index == f).astype(np.float32) for f in range(len(template_set.families)))
        found = np.asarray(alone(template_set, params, matched).value).reshape(len(index), -1)
        assert np.abs(found - expected).max() < ROUNDING


@pytest.mark.parametrize("unit", ["ntk", *slow("ntk-limit")])
@each_network
def test_they_are_one_function_also_of_matches_that_only_wrong_networks_bring_about(name, unit, unit_of):
    """Several families at one position, up to all of them: a row is not weighed twice, and none of another is read."""
    params, template_set = unit_of(unit, 16, "sbn").params[name], template_sets(8)[name]
    shape = (len(template_set.families), 2, 8, BROKEN)
    matched = tuple(np.random.default_rng(0).integers(0, 2, shape).astype(np.float32))
    alone = jax.jit(predictor.predict, static_argnums=0)
    together = alone(template_set, params, matched)
    for k in range(BROKEN):
        found = alone(template_set, params, tuple(each[..., k] for each in matched))
        np.testing.assert_allclose(found.value, together.value[..., k], rtol=0, atol=10 * ROUNDING)
        assert (np.asarray(found.threshold) == together.threshold[..., k]).all()
