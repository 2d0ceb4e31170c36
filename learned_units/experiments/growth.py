"""How fast a count grows with a size: the exponent of a power law, with the error that the scatter about it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class PowerLaw(NamedTuple):
    """count = factor * size^exponent, by least squares of the logarithms."""

    exponent: float
    error: float  # the exponent's standard error
    factor: float

    def __str__(self) -> str:
        return f"{self.exponent:.2f} ± {self.error:.2f}"


def fit(sizes: Sequence[float], counts: Sequence[float]) -> PowerLaw:
    """Counts above 0 at three sizes or more. The points are taken to scatter by one factor, independently."""
    x, y = np.log(sizes), np.log(counts)
    if len(x) < 3:
        raise ValueError(f"a power law with an error needs three points, not {len(x)}")
    away = x - x.mean()
    exponent = float(away @ y / (away @ away))
    rest = y - y.mean() - exponent * away
    error = float(np.sqrt(rest @ rest / (len(x) - 2) / (away @ away)))
    return PowerLaw(exponent, error, float(np.exp(y.mean() - exponent * x.mean())))
