"""How periodic the weights of a network are: what tells the grokked form, and the analytic one, from any other.

A unit's weights over the values of a term, and over the outputs, are vectors over the residues. Of such a vector u and
its Fourier amplitudes F over frequencies 0 .. C/2 (arXiv 2406.03495, eq. 3 and 4),

    inverse participation ratio  IPR = (|F|_4 / |F|_2)^4:  1 for one frequency, about 4 / C for Gaussian noise
    concentration                the share of |F|_2^2 at the largest amplitude

The frequency a unit has in its first layer must also be that of its second: `agreeing`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from learned_units.modular import residues


class Spectrum(NamedTuple):
    """Of each unit, the mean of its S + 1 vectors; float64 [units]."""

    participation: np.ndarray  # inverse participation ratio
    concentration: np.ndarray
    agreeing: np.ndarray  # bool [units]: all S + 1 vectors have their largest amplitude at the same frequency


def measure(inner: np.ndarray, outer: np.ndarray) -> Spectrum:
    """Weights [S, C, N] and [N, C] as they are: for sums of the values themselves."""
    vectors = np.concatenate([inner, outer.T[None]]).astype(np.float64)
    power = np.abs(np.fft.rfft(vectors, axis=1)) ** 2  # [S + 1, frequencies, N]
    total = np.maximum(power.sum(1), np.finfo(np.float64).tiny)
    peak = power.argmax(1)
    return Spectrum(
        ((power**2).sum(1) / total**2).mean(0),
        (power.max(1) / total).mean(0),
        (peak == peak[0]).all(0),
    )


def measure_products(inner: np.ndarray, outer: np.ndarray) -> Spectrum:
    """The same after ordering the values by their discrete logarithms, 0 left out (eq. 7): for products, C prime."""
    order = np.argsort(residues.logarithms(inner.shape[1])[1:]) + 1
    return measure(inner[:, order], outer[:, order])


def phase_agreement(inner: np.ndarray, outer: np.ndarray) -> float:
    """How nearly the phase of the outputs is the sum of the terms' phases, as in the analytic weights (eq. 2).

    The mean cosine of the difference over the units whose S + 1 vectors have one frequency in common: 1 for analytic
    weights of a sum, about 0 by chance; 0 where no unit has one.
    """
    vectors = np.concatenate([inner, outer.T[None]]).astype(np.float64)
    amplitudes = np.fft.rfft(vectors, axis=1)  # [S + 1, frequencies, N]
    peak = np.abs(amplitudes).argmax(1)
    common = (peak == peak[0]).all(0)
    if not common.any():
        return 0.0
    phases = np.angle(np.take_along_axis(amplitudes, peak[:, None], axis=1)[:, 0])
    return float(np.cos(phases[:-1].sum(0) - phases[-1])[common].mean())
