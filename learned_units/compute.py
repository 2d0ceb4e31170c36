"""The tasks outside the machine, ready to compute: an algorithm with the parameters of its networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from learned_units.circuits import algorithm
from learned_units.circuits.algorithm import Algorithm, Result
from learned_units.circuits.state_templates import TemplateList
from learned_units.circuits.tasks import Task
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import predictor, readout
from learned_units.networks.readout import Readout
from learned_units.progress import shown
from learned_units.store import Wanted
from learned_units.weights import tasks as task_weights

BLOCK = 4096  # cases computed at once
READOUTS: Mapping[str, Callable[[TemplateSet | TemplateList], Readout]] = {
    "calibrated": readout.calibrated,
    "sign": readout.sign,
}


class Computed(NamedTuple):
    """Results of many cases, as integers 0 .. 2^bits - 1, and the smallest margin of each, float32 [cases]."""

    values: list[int]
    margins: np.ndarray


@dataclass(frozen=True)
class Computation:
    """An algorithm and the parameters its networks predict with; `detail` says in a few words what those are."""

    algorithm: Algorithm
    params: Mapping[str, Any]
    detail: str

    def compute(self, *operands: Sequence[int]) -> Computed:
        """Operands column by column, integers that fit the algorithm's inputs -> results, computed live.

        Raises ValueError for one that does not fit.
        """
        inputs = {}
        for (field, length), column in zip(self.algorithm.inputs, operands, strict=True):
            for value in column:
                if not 0 <= value < 1 << length:
                    raise ValueError(f"{value} does not fit {length} bits (0 .. {(1 << length) - 1})")
            inputs[field] = np.array([[value >> i & 1 for i in range(length)] for value in column], np.float32)
        bits, margins = self.run(inputs)
        return Computed([sum(1 << i for i in np.flatnonzero(row).tolist()) for row in bits], margins)

    def run(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Fields float32 [cases, bits] of 0 and 1 -> output bits bool [cases, bits] and margins float32 [cases]."""
        cases = len(next(iter(inputs.values())))
        bits, margins = [], []
        for start in range(0, cases, BLOCK):
            block = {field: values[start : start + BLOCK] for field, values in inputs.items()}
            count = len(next(iter(block.values())))
            padding = (1 << (count - 1).bit_length()) - count
            found = _run_block(
                self.params,
                {field: np.pad(values, ((0, padding), (0, 0))).T for field, values in block.items()},
                task=self.algorithm,
            )
            bits.append(np.asarray(found.bits).T[:count])
            margins.append(np.asarray(found.margin)[:count])
        return np.concatenate(bits), np.concatenate(margins)


@functools.partial(jax.jit, static_argnames=("task",))
def _run_block(params: Mapping[str, Any], inputs: Mapping[str, jax.Array], *, task: Algorithm) -> Result:
    """Fields float32 [bits, cases] -> a Result of all cases."""
    return algorithm.run(task, inputs, predictor.bound(task.networks, params))


def closed_form(task: Task, threshold: str = "calibrated") -> Computation:
    """A task with the closed-form mean of its networks. threshold: one of READOUTS.

    Raises ValueError where the design does not go so far, or threshold 0 would be wrong.
    """
    params: dict[str, Any] = {}
    for each in task.algorithm.networks:
        if threshold == "sign":
            readout.check_sign_readout(each)
        params[each.name] = predictor.closed_form(each, READOUTS[threshold])
    return Computation(task.algorithm, params, f"closed form at infinite width, {threshold} readout")


def trained(task: Task, seed: int = 0, progress: Wanted = None) -> Computation:
    """A task with trained ensembles: made on first use, then read from the cache. progress: as for `load_unit`.

    Raises ValueError for a design that is not trained, WeightsError if there are no acceptable weights.
    """
    if progress is not None:
        params, detail = task_weights.obtain(task, seed, progress or None)
    else:
        with shown() as report:
            params, detail = task_weights.obtain(task, seed, report)
    return Computation(task.algorithm, params, detail)
