"""Outcomes of a batch that several processes share, told to all of them: each runs every n-th machine.

No step of any machine depends on another process, so what a machine does is the same however many there are.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping

from learned_units import processes
from vm.outcome import Divergence, Outcome
from vm.state import Halt


def share(outcomes: Mapping[int, Outcome]) -> dict[int, Outcome]:
    """This process's outcomes by index -> those of all processes. All of them must call it."""
    shared = dict(outcomes)
    if processes.count() == 1:
        return shared
    for told in processes.gather([[index, _as_fields(outcome)] for index, outcome in outcomes.items()]):
        shared |= {index: _from_fields(fields) for index, fields in told}
    return shared


def _as_fields(outcome: Outcome) -> dict:
    fields = {each.name: getattr(outcome, each.name) for each in dataclasses.fields(outcome)}
    divergence = None if outcome.divergence is None else dataclasses.asdict(outcome.divergence)
    output = base64.b64encode(outcome.output).decode()
    return fields | {"halt": int(outcome.halt), "output": output, "divergence": divergence}


def _from_fields(fields: dict) -> Outcome:
    divergence = None if fields["divergence"] is None else Divergence(**fields["divergence"])
    output = base64.b64decode(fields["output"])
    return Outcome(**fields | {"halt": Halt(fields["halt"]), "output": output, "divergence": divergence})
