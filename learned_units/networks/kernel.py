"""The neural tangent kernel of the two-layer ReLU network on template inputs, and its predictions, in closed form.

Network: f(x) = width^(-1/2) sum_k v_k relu(w_k . x), no bias, w and v standard Gaussian, the factor in the forward
pass (NTK parametrisation; Jacot et al. 2018). For unit vectors with inner product r,

    nngp(r) = (s + r g) / 2 pi        s = sqrt(1 - r^2),  g = pi - arccos r      (Cho and Saul 2009, order 1)
    ntk(r)  = (s + 2 r g) / 2 pi

Training inputs are orthonormal, so the training kernel is (1 - b) I + b 11' with b = 1 / 2 pi. An input with n of k
templates matched has inner product r = 1 / sqrt(n) with each matched template and 0 with the others. Trained to
convergence on the squared loss, an output asserted by c templates, m of them matched, has over networks of infinite
width (Lee et al. 2019, eq. 16, 17; solved for this kernel in docs/closed_form.md)

    mean = (d m - beta c) / (1 - b)
    d = ntk(r) - b,  beta = (b / D) (n d - (1 - b)),  D = 1 - b + k b

n = 0 leaves the network the zero vector, on which a bias-free network is exactly 0: mean and variance are 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

B = 1 / (2 * math.pi)  # the kernel of two orthonormal inputs


def nngp(cosine: np.ndarray | float) -> np.ndarray:
    """Output covariance at the start, of unit inputs at this inner product; 1/2 at cosine 1."""
    cosine = np.clip(cosine, -1, 1)
    return (np.sqrt(1 - cosine**2) + cosine * (math.pi - np.arccos(cosine))) / (2 * math.pi)


def ntk(cosine: np.ndarray | float) -> np.ndarray:
    """The tangent kernel of unit inputs at this inner product; 1 at cosine 1."""
    cosine = np.clip(cosine, -1, 1)
    return (np.sqrt(1 - cosine**2) + 2 * cosine * (math.pi - np.arccos(cosine))) / (2 * math.pi)


def eigenvalues(templates: int) -> tuple[float, float]:
    """Smallest and largest eigenvalue of the training kernel of this many templates (more than one)."""
    return 1 - B, 1 - B + templates * B


def gram_eigenvalues(inputs: np.ndarray) -> tuple[float, float]:
    """Smallest and largest eigenvalue of the training kernel of these unit inputs, float [examples, input bits]."""
    spectrum = np.linalg.eigvalsh(ntk(inputs.astype(np.float64) @ inputs.T.astype(np.float64)))
    return float(spectrum[0]), float(spectrum[-1])


def regression(examples: np.ndarray, labels: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """The mean prediction over infinitely wide networks trained to convergence, by kernel regression.

    Unit examples [examples, input bits] with labels [examples, outputs], and unit inputs [inputs, input bits] ->
    float64 [inputs, outputs]. The general form of `mean`, which is this where the examples are orthonormal.
    """
    examples, inputs = examples.astype(np.float64), inputs.astype(np.float64)
    return ntk(inputs @ examples.T) @ np.linalg.solve(ntk(examples @ examples.T), labels.astype(np.float64))


class Coefficients(NamedTuple):
    """The closed form as functions of n: arrays of float64 [matched], index n from 0."""

    own: np.ndarray  # mean added by a matched template that asserts the output: d / (1 - b)
    common: np.ndarray  # mean taken off for every template that asserts it, matched or not: beta / (1 - b)

    @property
    def gap(self) -> np.ndarray:
        """Distance of the means of m and m + 1."""
        return self.own


def coefficients(templates: int, most_matched: int) -> Coefficients:
    """Coefficients for n = 0 .. most_matched. At n = 0 the mean is 0, and the gap is set to that of n = 1, 1."""
    n = np.arange(1, most_matched + 1, dtype=np.float64)
    d = ntk(1 / np.sqrt(n)) - B
    beta = B / (1 - B + templates * B) * (n * d - (1 - B))
    return Coefficients(
        own=np.concatenate([[1.0], d / (1 - B)]),
        common=np.concatenate([[0.0], beta / (1 - B)]),
    )


def mean(templates: int, asserting: int, matched: int, matched_asserting: int) -> float:
    """Mean prediction over infinitely wide networks: k templates, c asserting, n matched, m of those asserting."""
    form = coefficients(templates, matched)
    return float(form.own[matched] * matched_asserting - form.common[matched] * asserting)


def variance(templates: int, matched: int) -> float:
    """Variance over infinitely wide networks, plainly initialised, of any output at n = matched.

    An ensemble of N has this over N. It does not depend on the labels; it is 0 for n <= 1, and for an antisymmetric
    start at every n.
    """
    if matched <= 1:
        return 0.0  # the zero vector, or a training example
    n, k = matched, templates
    cosine = 1 / math.sqrt(n)
    kappa = float(nngp(cosine))
    d = float(ntk(cosine)) - B
    beta = B / (1 - B + k * B) * (n * d - (1 - B))
    on_matched = (d - beta) / (1 - B)  # weight of a matched template's label in the mean
    on_unmatched = -beta / (1 - B)
    total = n * on_matched + (k - n) * on_unmatched
    squares = n * on_matched**2 + (k - n) * on_unmatched**2
    return 0.5 - 2 * B * total - 2 * n * on_matched * (kappa - B) + (0.5 - B) * squares + B * total**2
