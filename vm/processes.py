"""Several processes that share a batch: each runs every n-th machine, and all learn of all outcomes.

The processes have met through `jax.distributed`. No step of any machine depends on another process, so what a machine
does is the same however many there are.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping

import jax
import numpy as np

from vm.outcome import Divergence, Outcome
from vm.state import Halt


def share(outcomes: Mapping[int, Outcome]) -> dict[int, Outcome]:
    """This process's outcomes by index -> those of all processes. All of them must call it."""
    from jax.experimental import multihost_utils

    text = json.dumps([[index, _as_fields(outcome)] for index, outcome in outcomes.items()]).encode()
    lengths = np.asarray(multihost_utils.process_allgather(np.int32(len(text))))
    padded = np.zeros(int(lengths.max()), np.uint8)
    padded[: len(text)] = np.frombuffer(text, np.uint8)
    gathered = np.asarray(multihost_utils.process_allgather(padded))
    shared: dict[int, Outcome] = {}
    for row, length in zip(gathered.reshape(len(lengths.reshape(-1)), -1), lengths.reshape(-1), strict=True):
        shared |= {index: _from_fields(fields) for index, fields in json.loads(row[:length].tobytes())}
    return shared


def mine(count: int) -> range:
    """Which of `count` machines this process runs."""
    return range(jax.process_index(), count, jax.process_count())


def _as_fields(outcome: Outcome) -> dict:
    fields = {each.name: getattr(outcome, each.name) for each in dataclasses.fields(outcome)}
    divergence = None if outcome.divergence is None else dataclasses.asdict(outcome.divergence)
    output = base64.b64encode(outcome.output).decode()
    return fields | {"halt": int(outcome.halt), "output": output, "divergence": divergence}


def _from_fields(fields: dict) -> Outcome:
    divergence = None if fields["divergence"] is None else Divergence(**fields["divergence"])
    output = base64.b64decode(fields["output"])
    return Outcome(**fields | {"halt": Halt(fields["halt"]), "output": output, "divergence": divergence})
