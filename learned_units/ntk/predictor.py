"""One network's prediction, by a trained ensemble or by its limit: what runs, what explains and what is enumerated."""

from __future__ import annotations

import jax

from learned_units.ntk import ensemble, limit
from learned_units.passes import Prediction
from learned_units.templates import TemplateSet

NetworkParams = ensemble.EnsembleParams | limit.LimitParams


def predict(template_set: TemplateSet, params: NetworkParams, matched: tuple[jax.Array, ...]) -> Prediction:
    """The prediction with these parameters, whose type says which kind it is."""
    if isinstance(params, limit.LimitParams):
        return limit.predict(params, matched, template_set)
    return ensemble.predict(params, matched)
