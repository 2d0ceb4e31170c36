"""One network's prediction, by a trained ensemble or by its limit: what runs, what explains and what is enumerated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np

from learned_units.circuits.passes import Prediction, Predictor
from learned_units.circuits.state_templates import StateTemplates
from learned_units.circuits.template_list import TemplateList
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import ensemble, limit, listed, readout, whole_state
from learned_units.networks.readout import Readout

# What was proved of weights holds for the code that evaluated them. A change to how networks predict (here, in the
# ensemble, the kernel) or to how they are verified raises this number, and a golden prediction in the tests says when.
VERSION = 1

NetworkParams = (
    ensemble.EnsembleParams
    | limit.LimitParams
    | listed.ListedEnsemble
    | listed.ListedLimit
    | whole_state.StateEnsemble
    | whole_state.StateLimit
)
Templates = TemplateSet | TemplateList | StateTemplates


def predict(templates: Templates, params: NetworkParams, matched: tuple[jax.Array, ...]) -> Prediction:
    """The prediction with these parameters, whose type says which kind it is. A list's matches are one vector."""
    if isinstance(params, (listed.ListedEnsemble, listed.ListedLimit)):
        return listed.predict(params, matched[0])
    if isinstance(params, (whole_state.StateEnsemble, whole_state.StateLimit)):
        assert isinstance(templates, StateTemplates)
        return whole_state.predict(params, matched, templates)
    assert isinstance(templates, TemplateSet)
    if isinstance(params, limit.LimitParams):
        return limit.predict(params, matched, templates)
    return ensemble.predict(params, matched)


def trained(templates: Templates, inner: np.ndarray, outer: np.ndarray) -> NetworkParams:
    """Weights [templates, units] and [units, output bits] of a merged ensemble, ready to predict, calibrated."""
    if isinstance(templates, StateTemplates):
        return whole_state.ensemble_params(templates, inner, outer)
    read = readout.calibrated(templates)
    if isinstance(templates, TemplateList):
        return listed.make_ensemble(inner, outer, read)
    return ensemble.make_params(templates, inner, outer, read)


def closed_form(templates: Templates, read: Callable[..., Readout] = readout.calibrated) -> NetworkParams:
    """The mean of the ensemble at infinite width and size, ready to predict. That of a whole state is calibrated."""
    if isinstance(templates, StateTemplates):
        return whole_state.limit_params(templates)
    if isinstance(templates, TemplateList):
        return listed.make_limit(templates, read(templates))
    return limit.make_params(templates, read(templates))


def bound(networks: Iterable[TemplateSet | TemplateList], params: Mapping[str, NetworkParams]) -> Predictor:
    """`predict` for the networks of an algorithm by name, with their parameters."""
    named = {each.name: each for each in networks}

    def predict_named(network: str, matched: tuple[jax.Array, ...]) -> Prediction:
        return predict(named[network], params[network], matched)

    return predict_named
