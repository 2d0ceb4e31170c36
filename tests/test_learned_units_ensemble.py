"""One machine multiplies the output layer group by group, a batch and the enumeration at once: the same predictions."""

import jax
import numpy as np
import pytest

from learned_units.circuits.subtract_branch import template_sets
from learned_units.networks import predictor
from learned_units.proof.enumeration import predict_inputs

ROUNDING = 1e-5  # the margin that is proved keeps every prediction 0.02 or more from its threshold
SAMPLES = 200


@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("name", template_sets(8))
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
