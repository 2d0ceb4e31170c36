"""What a run did, in words and as JSON: the summary line and the statistics of `sbn run`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from learned_units.unit import Unit
from vm.console import terminal
from vm.margin import format_margin

CONSOLE_KIND = "console"


@dataclass(frozen=True)
class Account:
    """A run, as far as its steps were released. `halt` is the name of a Halt in lower case, or "interrupted"."""

    halt: str
    message: str  # the halt in words, with what to do
    unit: Unit
    checked: bool  # step by step, against the reference
    steps: int
    console_steps: int  # of them
    margin: float
    pc: int
    memory_words: int
    start_seconds: Mapping[str, float]  # by part of what came before: assembling, importing, weights, machine
    compile_seconds: float
    run_seconds: float

    @property
    def evaluations(self) -> int:
        """Network evaluations, of all steps."""
        return (self.steps - self.console_steps) * self.unit.spec.evaluations

    @property
    def speed(self) -> float:
        """Steps a second, once compiled."""
        return self.steps / self.run_seconds if self.run_seconds > 0 else 0.0


def summary(account: Account) -> str:
    """The last line of a run."""
    opening = "halted: " if account.halt == "halted" else f"stopped: {account.message}; "
    kind = account.unit.scope.step_kind
    counted = _count(account.steps - account.console_steps, kind)
    counted += f" ({account.unit.name}, {account.unit.word_bits}-bit, {account.unit.detail})"
    if account.console_steps:
        counted += f" and {_count(account.console_steps, CONSOLE_KIND)}"
    seconds = account.compile_seconds + account.run_seconds
    margin = format_margin(account.margin)
    return f"{opening}{counted}, {_agreement(account)}, smallest margin {margin}, {seconds:.1f} s"


def as_json(account: Account) -> str:
    """The same, and the statistics, as one JSON object on one line."""
    from learned_units.proof import certificate

    unit = account.unit
    certified = certificate.of_unit(unit, account.steps - account.console_steps)
    fields = {
        "halt": account.halt,
        "message": account.message,
        "steps": account.steps,
        "step_kind": unit.scope.step_kind,
        "unit_steps": account.steps - account.console_steps,
        "console_steps": account.console_steps,
        "checked": account.checked,
        "agrees": account.halt != "diverged" if account.checked else None,
        "margin": account.margin if math.isfinite(account.margin) else None,
        "pc": account.pc,
        "memory_words": account.memory_words,
        "unit": {
            "name": unit.name,
            "word_bits": unit.word_bits,
            "isa": unit.isa,
            "seed": unit.seed,
            "detail": unit.detail,
            "difference": unit.scope.difference,
            "decision": unit.scope.decision,
            "next_pc": unit.scope.select,
            "glue": unit.scope.glue,
            "tensor_hash": unit.tensor_hash,
        },
        "evaluations_per_step": unit.spec.evaluations,
        "evaluations": account.evaluations,
        "start_seconds": {part: round(seconds, 4) for part, seconds in account.start_seconds.items()},
        "compile_seconds": round(account.compile_seconds, 4),
        "run_seconds": round(account.run_seconds, 4),
        "steps_per_second": round(account.speed, 1),
        "certificate": None if certified is None else {"kind": certified.kind, "failure": certified.failure},
    }
    return json.dumps(fields)


def statistics(account: Account) -> str:
    """What was computed by what, how much of it, and how fast."""
    unit, scope = account.unit, account.unit.scope
    seed = "" if unit.seed is None else f", seed {unit.seed}"
    rows = [
        ("unit", f"{unit.name}, {unit.word_bits}-bit {unit.isa}{seed}: {unit.detail}"),
        ("difference", scope.difference),
        ("branch decision", scope.decision),
        ("next pc", scope.select),
        ("glue, native", scope.glue),
        ("memory", f"{account.memory_words:,} words"),
        ("steps", f"{account.steps - account.console_steps:,} {scope.step_kind}, {account.console_steps:,} console"),
        ("networks", f"{unit.spec.evaluations:,} evaluations a step, {account.evaluations:,} in all"),
        ("smallest margin", format_margin(account.margin, digits=4)),
        *_failure(account),
        ("start", ", ".join(f"{seconds:.2f} s {part}" for part, seconds in account.start_seconds.items())),
        ("time", f"{account.compile_seconds:.2f} s compiling, {account.run_seconds:.2f} s running"),
        ("speed", f"{account.speed:,.0f} steps/s"),
    ]
    return terminal.table(rows).rstrip("\n")


def _failure(account: Account) -> list[tuple[str, str]]:
    """A row with the certificate of a run of this length, where the unit has one; `sbn certify` tells all of it."""
    from learned_units.proof import certificate

    certified = certificate.of_unit(account.unit, account.steps - account.console_steps)
    if certified is None:
        return []
    value = "0" if certified.failure == 0 else f"{certified.failure:.0e}"
    return [("failure", f"{value}, {certified.kind}: {certified.covers}")]


def _count(number: int, kind: str) -> str:
    return f"{number:,} {kind} step{'' if number == 1 else 's'}"


def _agreement(account: Account) -> str:
    if not account.checked:
        return "not compared with the reference"
    if account.halt == "diverged":
        return f"reference agrees on the {account.steps:,} before that"
    return "reference agrees on every step"
