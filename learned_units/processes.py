"""Several processes that share a piece of work, each with the devices of its own host.

They have met through `jax.distributed`; one process alone is the first of one. What a process computes does not depend
on how many there are: they only divide the work, and tell each other what came out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from learned_units.store import WeightsError


class ProcessLost(RuntimeError):
    """A process that shared the work has ended before it was done."""


def index() -> int:
    """Which process this is, from 0."""
    import jax

    return jax.process_index()


def count() -> int:
    """How many there are."""
    import jax

    return jax.process_count()


def mine(things: int) -> range:
    """Which of that many things are this process's: every n-th."""
    import jax

    return range(jax.process_index(), things, jax.process_count())


def gather(value: Any) -> list[Any]:
    """The values of all processes, in order: plain ones, as JSON has them. Each of them must call it, and waits.

    Raises ProcessLost if one of them has ended. One that can be reached no more, and has not closed its connection, is
    taken for ended by jax after 100 s without a sign of life, and then jax ends this process, with a message.
    """
    import jax

    if jax.process_count() == 1:
        return [value]
    from jax.experimental import multihost_utils

    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    try:
        lengths = np.asarray(multihost_utils.process_allgather(np.int32(len(text)))).reshape(-1)
        padded = np.pad(text, (0, int(lengths.max()) - len(text)))
        rows = np.asarray(multihost_utils.process_allgather(padded)).reshape(len(lengths), -1)
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        raise ProcessLost("another process of the cluster ended before the work was done") from error
    return [json.loads(row[:length].tobytes()) for row, length in zip(rows, lengths, strict=True)]


def agree(stated: Mapping[str, Any]) -> None:
    """Raise WeightsError unless all processes state the same, plain values by name."""
    all_stated = gather(dict(stated))
    for number, theirs in enumerate(all_stated):
        for name, value in all_stated[0].items():
            if theirs.get(name) != value:
                raise WeightsError(
                    f"the processes do not work on the same thing: {name} is {value!r} in process 0 and "
                    f"{theirs.get(name)!r} in process {number}"
                )
