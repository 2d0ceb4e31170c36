"""What a run did, in words and as JSON: one account of one machine, of a whole machine and of a batch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from learned_units.unit import EVERY_INPUT, Scope, Unit
from vm.console import chosen_unit, terminal
from vm.margin import format_margin, refuted, verified_margin, with_doubt

if TYPE_CHECKING:
    from learned_units.proof.certificate import Certificate
    from learned_units.whole.machine import WholeMachine

CONSOLE_KIND = "console"


@dataclass(frozen=True)
class Computer:
    """What computed a run's steps: a unit, or the networks of a whole machine."""

    name: str
    word_bits: int
    isa: str
    seed: int | None
    detail: str
    scope: Scope
    evaluations: int  # of networks, a step
    tensor_hash: str | None
    unit: Unit | None  # None for a whole machine
    verified_margin: float | None = None  # the smallest over every input of its networks, where that is known
    group: int | str | None = None  # of a whole machine: positions a network serves, or "word"
    cells: int | None = None
    besides: str = ""  # what a whole machine has besides predictions, for the end of the summary

    @property
    def trained_with(self) -> str | None:
        """The command that trains these weights again, where there is one."""
        if self.unit is None or self.unit.manifest is None:
            return None
        from learned_units import catalog

        return catalog.recipe_of(self.unit.manifest.written).command

    @property
    def subject(self) -> str:
        """It, in the words of a summary."""
        if self.unit is not None:
            return f"{self.name}, {self.word_bits}-bit, {self.detail}"
        return f"{self.name}, whole machine of {self.cells} cells x {self.word_bits} bits, {self.detail}"


def of_unit(unit: Unit) -> Computer:
    """A unit, as an account names it."""
    return Computer(
        unit.name,
        unit.word_bits,
        unit.isa,
        unit.seed,
        unit.detail,
        unit.scope,
        unit.spec.evaluations,
        unit.tensor_hash,
        unit,
        verified_margin(unit.manifest),
    )


def of_whole(whole: WholeMachine) -> Computer:
    """A whole machine, as an account names it."""
    from learned_units.whole.machine import ENCODER, THRESHOLD

    spec, kind = whole.spec, whole.step_kind
    wiring = ", wiring" if spec.form == "grouped" else ""
    glue = f"encoder ({ENCODER}), threshold ({THRESHOLD}){wiring}"
    return Computer(
        whole.unit,
        spec.word_bits,
        spec.isa,
        whole.seed,
        whole.detail,
        Scope("the whole machine by networks", kind, kind, kind, glue, kind),
        spec.evaluations,
        None if whole.manifest is None else whole.manifest.tensor_hash,
        None,
        verified_margin(whole.manifest),
        chosen_unit.WORD if spec.form == "one" else chosen_unit.EIGHT,
        spec.cells,
        f"between first and last state: predictions, {glue}",
    )


@dataclass(frozen=True)
class Machines:
    """The machines of a batch."""

    asked: int
    ended: int
    halts: Mapping[str, int]  # how many ended in which way
    replayed: int  # on the reference


@dataclass(frozen=True)
class Account:
    """A run, as far as its steps were released. `halt` is the name of a Halt in lower case, or "interrupted"."""

    halt: str
    message: str  # the halt in words, with what to do
    computer: Computer
    checked: bool  # against the reference: each step, or of a batch the machines that were replayed
    steps: int
    console_steps: int  # of them
    margin: float
    pc: int | None  # None of a batch
    memory_words: int
    start_seconds: Mapping[str, float]  # by part of what came before: assembling, importing, weights, machine
    compile_seconds: float | None  # None of a batch, which compiles while it runs
    run_seconds: float
    output: int | None = None  # the number a whole machine computed
    machines: Machines | None = None  # of a batch
    notes: tuple[str, ...] = ()  # what the assembler and the run noted

    @property
    def refuted(self) -> bool:
        """Whether it contradicts what was verified of its weights."""
        return refuted(self.margin, self.computer.verified_margin)

    @property
    def succeeded(self) -> bool:
        """Whether all machines halted, on weights that may be those that were verified."""
        return self.halt == "halted" and not self.refuted

    @property
    def unit_steps(self) -> int:
        """Steps that networks, or what stands for them, computed."""
        return self.steps - self.console_steps

    @property
    def evaluations(self) -> int:
        """Network evaluations, of all steps."""
        return self.unit_steps * self.computer.evaluations

    @property
    def speed(self) -> float:
        """Steps a second, once compiled."""
        return self.steps / self.run_seconds if self.run_seconds > 0 else 0.0


def without_refuted_claims(account: Account) -> Account:
    """The account with what it contradicts told, and not claimed."""
    if not account.refuted and account.halt != "diverged":
        return account
    computer = account.computer
    return replace(
        account,
        message=with_doubt(account.message, account.margin, computer.verified_margin),
        computer=replace(computer, detail=computer.detail.removesuffix(f", {EVERY_INPUT}")),
    )


def summary(account: Account) -> str:
    """The last line of a run."""
    computer = account.computer
    opening = f"{account.message}: " if account.succeeded else f"stopped: {account.message}; "
    if account.machines is not None:
        opening += f"{_machines(account.machines)}; "
    counted = f"{_count(account.unit_steps, computer.scope.step_kind)} ({computer.subject})"
    if account.console_steps:
        counted += f" and {_count(account.console_steps, CONSOLE_KIND)}"
    seconds = (account.compile_seconds or 0.0) + account.run_seconds
    ending = f"; {computer.besides}" if computer.besides else ""
    margin = format_margin(account.margin)
    return f"{opening}{counted}, {_agreement(account)}, smallest margin {margin}, {seconds:.1f} s{ending}"


def as_json(account: Account) -> str:
    """The same, and the statistics, as one JSON object on one line. What does not apply to a run is null."""
    computer = account.computer
    certified = _certified(account)
    whole = None if computer.unit is not None else {"group": computer.group, "cells": computer.cells}
    fields = {
        "halt": account.halt,
        "message": account.message,
        "steps": account.steps,
        "step_kind": computer.scope.step_kind,
        "unit_steps": account.unit_steps,
        "console_steps": account.console_steps,
        "checked": account.checked,
        "agrees": _agrees(account),
        "margin": account.margin if math.isfinite(account.margin) else None,
        "refuted": account.refuted,
        "pc": account.pc,
        "memory_words": account.memory_words,
        "output": account.output,
        "notes": list(account.notes),
        "machines": None if account.machines is None else asdict(account.machines),
        "unit": {
            "name": computer.name,
            "word_bits": computer.word_bits,
            "isa": computer.isa,
            "seed": computer.seed,
            "detail": computer.detail,
            "difference": computer.scope.difference,
            "decision": computer.scope.decision,
            "next_pc": computer.scope.select,
            "glue": computer.scope.glue,
            "tensor_hash": computer.tensor_hash,
        },
        "whole": whole,
        "evaluations_per_step": computer.evaluations,
        "evaluations": account.evaluations,
        "start_seconds": {part: round(seconds, 4) for part, seconds in account.start_seconds.items()},
        "compile_seconds": None if account.compile_seconds is None else round(account.compile_seconds, 4),
        "run_seconds": round(account.run_seconds, 4),
        "steps_per_second": round(account.speed, 1),
        "certificate": None if certified is None else {"kind": certified.kind, "failure": certified.failure},
    }
    return json.dumps(fields)


def statistics(account: Account) -> str:
    """What was computed by what, how much of it, and how fast."""
    computer, scope = account.computer, account.computer.scope
    seed = "" if computer.seed is None else f", seed {computer.seed}"
    rows = [("unit", f"{computer.name}, {computer.word_bits}-bit {computer.isa}{seed}: {computer.detail}")]
    if computer.unit is None:
        form = "one network, iterated" if computer.group == chosen_unit.WORD else "small networks, grouped"
        rows += [("form", form), ("everything", scope.step_kind)]
    else:
        rows += [("difference", scope.difference), ("branch decision", scope.decision), ("next pc", scope.select)]
    rows += [("glue, native", scope.glue)]
    if account.machines is not None:
        rows += [("machines", _machines(account.machines))]
    rows += [
        ("memory", f"{account.memory_words:,} words"),
        ("steps", f"{account.unit_steps:,} {scope.step_kind}, {account.console_steps:,} console"),
        ("networks", f"{computer.evaluations:,} evaluations a step, {account.evaluations:,} in all"),
        ("smallest margin", format_margin(account.margin, digits=4)),
        *_failure(account),
        ("start", ", ".join(f"{seconds:.2f} s {part}" for part, seconds in account.start_seconds.items())),
        ("time", _time(account)),
        ("speed", f"{account.speed:,.0f} steps/s"),
    ]
    return terminal.table(rows).rstrip("\n")


def _certified(account: Account) -> Certificate | None:
    from learned_units.proof import certificate

    unit = account.computer.unit
    if unit is None or account.refuted or account.halt == "diverged":
        return None
    return certificate.of_unit(unit, account.unit_steps)


def _failure(account: Account) -> list[tuple[str, str]]:
    """A row with the certificate of a run of this length, where the unit has one; `sbn certify` tells all of it."""
    certified = _certified(account)
    if certified is None:
        return []
    value = "0" if certified.failure == 0 else f"{certified.failure:.0e}"
    if certified.kind == "exhaustive":
        value += " for these weights and this platform's float32"
    return [("failure", f"{value}, {certified.kind}: {certified.covers}")]


def _time(account: Account) -> str:
    running = f"{account.run_seconds:.2f} s running"
    return running if account.compile_seconds is None else f"{account.compile_seconds:.2f} s compiling, {running}"


def _machines(machines: Machines) -> str:
    done = ", ".join(f"{count:,} {halt}" for halt, count in machines.halts.items())
    return f"{machines.ended:,} of {machines.asked:,} machines ({done or 'none ended'})"


def _agrees(account: Account) -> bool | None:
    """Whether the reference agreed; None where it was not asked."""
    if not account.checked:
        return None
    diverged = account.machines.halts.get("diverged", 0) > 0 if account.machines else account.halt == "diverged"
    return not diverged


def _count(number: int, kind: str) -> str:
    return f"{number:,} {kind} step{'' if number == 1 else 's'}"


def _agreement(account: Account) -> str:
    if not account.checked:
        return "not compared with the reference"
    if account.machines is not None:
        return f"{account.machines.replayed:,} replayed on the reference"
    if account.halt == "diverged":
        return f"reference agrees on the {account.steps:,} before that"
    return "reference agrees on every step"
