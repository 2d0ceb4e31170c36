"""A network of a task that is acceptable, tried seed after seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from learned_units.neural_gpu.tape import Task
from learned_units.neural_gpu.training import Report
from learned_units.store import Progress, WeightsError
from learned_units.weights.recipes import Fields, Made


class Training(Protocol):
    """What a module that trains networks of one kind has."""

    @property
    def MAPS(self) -> int: ...

    @property
    def UPDATES(self) -> int: ...

    def train(self, task: Task, seed: int, progress: Report, /) -> Any:
        """A NamedTuple of tensors."""
        ...


def make(
    training: Training, task: Task, seeds: range, judge: Callable[[Any], Fields], wanted: str, progress: Progress
) -> Made:
    """The first network that the judge does not refuse.

    judge: what is known of a network, as it is written; raises WeightsError for one that is not kept. Raises
    WeightsError if none of the seeds gave what is wanted, which the message says.
    """
    for seed in seeds:
        doing = f"training '{task.name}'" + (f", seed {seed}" if seed > seeds.start else "")
        trained = training.train(
            task, seed, lambda part, loss, doing=doing: progress(f"{doing}: loss {loss:.4f}", part)
        )
        try:
            found = judge(trained)
        except WeightsError:
            continue
        tensors = {name: np.asarray(tensor) for name, tensor in trained._asdict().items()}
        fields = {
            "seed_used": seed,
            "maps": training.MAPS,
            "parameters": sum(tensor.size for tensor in tensors.values()),
            "updates": training.UPDATES,
        }
        return Made(tensors, fields | found)
    raise WeightsError(f"no seed from {seeds.start} to {seeds.stop - 1} gave {wanted}")
