"""One network's prediction, by a trained ensemble or by its limit: what runs, what explains and what is enumerated.

Each kind of parameters predicts in its own module, which is imported when such parameters are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np

from learned_units.circuits.passes import Prediction, Predictor
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import readout
from learned_units.networks.readout import Readout

if TYPE_CHECKING:
    from learned_units.circuits.literals import LiteralSet
    from learned_units.circuits.state_templates import StateTemplates, TemplateList

    Matched = TemplateSet | TemplateList | StateTemplates  # each example is one template
    Templates = Matched | LiteralSet

# What was proved of weights holds for the code that evaluated them. A change to how networks predict (here, in the
# ensemble, the kernel) or to how they are verified raises this number, and a golden prediction in the tests says when.
VERSION = 1


class NetworkParams(Protocol):
    """Parameters of a network of one kind: a pytree of float32 arrays."""

    def predict(self, templates: Any, matched: tuple[jax.Array, ...]) -> Prediction:
        """The prediction on the matched templates. A list's matches are one vector."""
        ...


def predict(templates: Templates, params: NetworkParams, matched: tuple[jax.Array, ...]) -> Prediction:
    """The prediction with these parameters, whose type says which kind it is."""
    return params.predict(templates, matched)


def trained(templates: Templates, inner: np.ndarray, outer: np.ndarray) -> NetworkParams:
    """Weights [templates, units] and [units, output bits] of a merged ensemble, ready to predict, calibrated."""
    if isinstance(templates, TemplateSet):
        from learned_units.networks import ensemble

        return ensemble.make_params(templates, inner, outer, readout.calibrated(templates))
    from learned_units.circuits.literals import LiteralSet

    if isinstance(templates, LiteralSet):
        from learned_units.networks import literals

        return literals.make_params(templates, inner, outer)
    from learned_units.circuits.state_templates import TemplateList
    from learned_units.networks import named_fields

    if isinstance(templates, TemplateList):
        return named_fields.make_ensemble(inner, outer, readout.calibrated(templates))
    return named_fields.ensemble_params(templates, inner, outer)


def thresholds(templates: Templates) -> Readout:
    """The calibrated readout of a trained ensemble."""
    if isinstance(templates, TemplateSet):
        return readout.calibrated(templates)
    from learned_units.circuits.literals import LiteralSet

    if isinstance(templates, LiteralSet):
        from learned_units.networks import literals

        return literals.readout(templates)
    return readout.calibrated(templates)


def closed_form(templates: Matched, read: Callable[..., Readout] = readout.calibrated) -> NetworkParams:
    """The mean of the ensemble at infinite width and size, ready to predict. That of a whole state is calibrated."""
    if isinstance(templates, TemplateSet):
        from learned_units.networks import limit

        return limit.make_params(templates, read(templates))
    from learned_units.circuits.state_templates import TemplateList
    from learned_units.networks import named_fields

    if isinstance(templates, TemplateList):
        return named_fields.make_limit(templates, read(templates))
    return named_fields.limit_params(templates)


def bound(
    networks: Iterable[TemplateSet | TemplateList | LiteralSet], params: Mapping[str, NetworkParams]
) -> Predictor:
    """`predict` for the networks of an algorithm by name, with their parameters."""
    named = {each.name: each for each in networks}

    def predict_named(network: str, matched: tuple[jax.Array, ...]) -> Prediction:
        return predict(named[network], params[network], matched)

    return predict_named
