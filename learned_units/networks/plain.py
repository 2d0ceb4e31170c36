"""The paper's own networks (arXiv 2502.16763): plain starts, its parametrisation, descent without momentum, sign.

    f(x) = width^(-1/2) sum_h v_h relu(k^(-1/2) w_h . x)          k templates, w and v standard Gaussian

sqrt(k) f is the network of `two_layer.py`, so f is trained as that one on sqrt(k) times the labels. A bit is 1 where
the mean of the ensemble is above TOLERANCE. The paper's threshold is 0; there, where one template is matched, the mean
of what it does not assert is 0, and an error left by the training would decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from learned_units.circuits.templates import TemplateSet
from learned_units.networks import readout, training, two_layer
from learned_units.networks.ensemble import EnsembleParams, make_params

INITIALISATION = "plain"
# Above what training leaves (two_layer.TOLERANCE / sqrt(k), so at most 1e-4) and what float32 sums differ by; both in
# units of the labels. Two thousandths of a half gap where one template is matched.
TOLERANCE = np.float32(1e-3)


class Merged(NamedTuple):
    """The mean of a trained ensemble as one network. The units of one network lie together."""

    inner: np.ndarray  # float32 [templates, units]
    outer: np.ndarray  # float32 [units, output bits], all factors folded in
    iterations: int
    error: float  # largest error left on any example, output and network


def train(
    labels: np.ndarray, networks: int, width: int, seed: int, progress: Callable[[int, float], None] | None = None
) -> Merged:
    """Train `networks` networks of `width` units on labels float32 [templates, output bits]. Raises TrainingError."""
    root = math.sqrt(len(labels))
    trained = training.train(
        (labels * root).astype(np.float32),
        networks=networks,
        width=width,
        initialisation=INITIALISATION,
        seed=seed,
        descent=training.steepest,
        progress=progress,
    )
    inner, outer = two_layer.merge(trained.ensemble)
    return Merged(inner, (outer / root).astype(np.float32), trained.iterations, trained.error / root)


def make_plain(template_set: TemplateSet, inner: np.ndarray, outer: np.ndarray) -> EnsembleParams:
    """Weights of a merged ensemble, ready to predict, with the sign readout."""
    zero = readout.sign(template_set)
    return make_params(template_set, inner, outer, zero._replace(threshold=zero.threshold + TOLERANCE))
