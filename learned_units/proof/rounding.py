"""How far float32 can move a margin, whatever the order in which it adds: a bound over all inputs of a network at once.

Let F be a prediction in real numbers, of the float32 weights, times the root of how many rows of the first layer are
added. Sums of k float32 products, in whatever order, differ from the real sum by at most gamma(k) = k u / (1 - k u)
times the sum of absolute values, u = 2^-24, so what is computed differs from F by at most

    gamma(units) * sum_u |v_u| h_u  +  2 gamma(rows) * sum_u |v_u| sum_p |w_pu|

and by a few roundings of the scaling and the threshold. As relu(x + y) <= relu(x) + relu(y), the first sum is at most
sum_p sum_u |v_u| relu(w_pu). Both are then sums over the positions, and the largest row of each position bounds every
input. Margins that were computed in one order are those of any other up to twice the bound.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from learned_units.networks.ensemble import EnsembleParams
from learned_units.networks.limit import LimitParams
from learned_units.networks.literals import LiteralEnsemble
from learned_units.networks.predictor import NetworkParams
from learned_units.networks.rounded import EXACT, RoundedParams

UNIT_ROUNDOFF = 2.0**-24
SCALING = 64 * UNIT_ROUNDOFF  # of scaling, threshold and division on either side, relative to what is subtracted


def gamma(terms: int) -> float:
    """How far a float32 sum can be from the real one, relative to the sum of absolute values, in any order."""
    return terms * UNIT_ROUNDOFF / (1 - terms * UNIT_ROUNDOFF)


def bound(params: NetworkParams) -> float:
    """At most what float32 moves a margin of a network by, in half gaps, on any input it can receive.

    Raises TypeError for parameters of a kind that has no such bound.
    """
    if isinstance(params, LimitParams):
        own, common, half_gap, *thresholds = np.asarray(params.table[:, 1:], np.float64)  # each [n from 1]
        counts = np.asarray(params.counts, np.float64)[:, None]
        size = own * (np.arange(len(own)) + 1) + np.abs(common) * counts + np.abs(thresholds)
        return float((SCALING * size / half_gap).max())  # sums of whole numbers are exact
    if isinstance(params, LiteralEnsemble):  # every input has as many rows; their root is folded into the weights
        numbers, roots = [params.inner.shape[1]], [1.0]
        half_gaps, thresholds = [float(params.half_gap)], np.asarray(params.threshold)[:, None]
    elif isinstance(params, EnsembleParams | RoundedParams):
        numbers = list(range(1, params.inner.shape[1] + 1))
        roots = np.sqrt(numbers).tolist()
        half_gaps, thresholds = np.asarray(params.table[0, 1:]).tolist(), np.asarray(params.table[1:, 1:])
    else:
        raise TypeError(f"no bound is known for {type(params).__name__}")
    inner, outer = (np.asarray(each, np.float64) for each in (params.inner, params.outer))
    _, positions, units = outer.shape
    size_of_outer = np.abs(outer.reshape(-1, units)).T
    # [positions, output bits]: the largest of each position, then the sum of the largest positions
    cut, size = (part.max(0) for part in (np.maximum(inner, 0) @ size_of_outer, np.abs(inner) @ size_of_outer))
    cut, size = (np.sort(part, axis=0)[::-1].cumsum(0) for part in (cut, size))
    of_cut, of_size, scale = gamma(units), 2 * gamma(len(cut)), 1.0
    if isinstance(params, RoundedParams):
        scale = float(params.scale)
        if cut.max() < EXACT:
            of_cut = of_size = 0.0
    found = []
    for number, root, half_gap, threshold in zip(numbers, roots, half_gaps, thresholds.T, strict=True):
        largest = scale * cut[number - 1] / root
        summed = of_cut * largest + of_size * scale * size[number - 1] / root
        scaled = SCALING * (largest + np.repeat(np.abs(threshold), positions))
        found.append((summed + scaled).max() / half_gap)
    return float(np.max(found))


def in_any_order(margins: Mapping[str, float], params: Mapping[str, NetworkParams]) -> float | None:
    """At most what another order of float32 sums changes a margin by, in half gaps; None where that could turn one.

    margins: the smallest of each network over every input, as computed in one order.
    """
    taken = {name: 2 * bound(params[name]) for name in margins}
    return max(taken.values()) if all(margins[name] > taken[name] for name in margins) else None
