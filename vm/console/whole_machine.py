"""`sbn run --whole` and `sbn explain --whole`: a machine of which every part is predicted by networks."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import programs
from vm.console import jax_setup, program_files, terminal
from vm.console.launch import FAILED, INTERRUPTED
from vm.console.meter import Meter
from vm.console.terminal import Talk
from vm.console.usage import UsageError, stated_by_user
from vm.margin import format_margin

if TYPE_CHECKING:
    from learned_units.whole.machine import WholeMachine
    from learned_units.whole.state import Iteration
    from vm.whole import WholeOutcome, WholeRun

STDIN = "-"
SHOWN_CELLS = 16  # of the machine that `explain` makes, or half as many where words are too short
NOT_FOR_WHOLE = ("group", "trace", "save_state", "resume", "input_mode", "batch")


def run(options: argparse.Namespace) -> int:
    """Run a program on a whole machine. Exit code 0 if it halted, and agreed with the reference where checked."""
    talk = Talk(options.quiet)
    _refuse_options(options)
    image = program_files.load(options, folder=programs.WHOLE)
    if image.memory is None:
        raise UsageError("the program does not say how many cells the machine has; give --memory N")
    numbers = _numbers(options)
    jax_setup.prepare()
    from vm.whole import WholeRun

    with stated_by_user():
        whole = _load(options, image.memory, image.word_bits, image.isa, talk)
        machine = WholeRun(image, whole, numbers, check=not options.no_check)
    began = time.monotonic()
    machine.run(0)
    compile_seconds = time.monotonic() - began
    meter = Meter(talk)
    outcome = None
    try:
        outcome = machine.run(options.max_steps, meter.show)
    except KeyboardInterrupt:
        pass
    meter.clear()
    if outcome is not None and outcome.message == "halted":
        terminal.write(f"{machine.output}\n")
        terminal.flush()
    if machine.divergence is not None:
        talk.report(machine.divergence.report)
    seconds = time.monotonic() - began
    halt = "interrupted" if outcome is None else outcome.halt.name.lower()
    if options.json:
        talk.report(_as_json(machine, outcome, halt, compile_seconds, seconds, not options.no_check))
    else:
        if options.stats:
            talk.report(_statistics(machine, outcome, seconds))
        closing = talk.say if halt in ("halted", "interrupted") else talk.report
        closing(_summary(machine, outcome, halt, seconds, not options.no_check))
    return INTERRUPTED if outcome is None else 0 if halt == "halted" else FAILED


def explain(options: argparse.Namespace) -> int:
    """Show one instruction, A - B, as the iterations of a whole machine. Exit code 0 if it is right."""
    talk = Talk(options.quiet)
    _refuse_options(options)
    jax_setup.prepare()
    from assembler import Image
    from vm.whole import WholeRun

    cells = min(SHOWN_CELLS, 1 << max(options.width - 1, 1))
    pc = options.fall_through - 3
    if not 0 <= pc <= cells - 5:
        raise UsageError(
            f"--fall-through is {options.fall_through}; on the whole machine it is pc + 3, and the machine shown has "
            f"{cells} cells: 3 .. {cells - 2}"
        )
    with stated_by_user():
        words = [0] * pc + [pc + 4, pc + 3, options.target, options.minuend, options.subtrahend]
        image = Image(words, options.width, options.isa, entry=pc, memory=cells)
        whole = _load(options, cells, options.width, options.isa, talk)
        machine = WholeRun(image, whole)
    iterations = whole.explain(whole.boot(image.words, pc))
    outcome = machine.run(1)
    agrees = outcome.divergence is None
    if options.json:
        fields = {
            **_machine_fields(whole),
            "pc": pc,
            "words": list(image.words),
            "iterations": [each._asdict() for each in iterations],
            "agrees": agrees,
        }
        terminal.write(json.dumps(fields) + "\n")
    else:
        _write_iterations(iterations)
        said = "exact arithmetic agrees" if agrees else f"exact arithmetic DISAGREES: {outcome.message}"
        terminal.write(f"\n{_subject(whole)}: {said}\n{_between(whole)}\n")
    return 0 if agrees else FAILED


def _refuse_options(options: argparse.Namespace) -> None:
    given = [name for name in NOT_FOR_WHOLE if getattr(options, name, None) is not None]
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')} is not for --whole")


def _load(options: argparse.Namespace, cells: int, word_bits: int, isa: str, talk: Talk) -> WholeMachine:
    from learned_units import catalog
    from learned_units.whole.machine import load_whole

    unit = options.unit or catalog.DEFAULT_UNIT
    whole = load_whole(cells, word_bits, isa, unit, options.form, options.seed, talk.progress)
    talk.clear()
    return whole


def _numbers(options: argparse.Namespace) -> list[int]:
    """The numbers of the input: from --input-text, from --input, or from stdin where that is no terminal."""
    if options.input_text is not None:
        text = options.input_text
    elif options.input is not None and options.input != STDIN:
        text = Path(options.input).read_text(encoding="utf-8", errors="replace")
    elif options.program == STDIN or sys.stdin is None or (options.input is None and sys.stdin.isatty()):
        text = ""
    else:
        text = sys.stdin.read()
    found = text.split()
    for each in found:
        if not re.fullmatch(r"[-+]?[0-9]+", each):
            raise UsageError(f"'{each[:40]}' in the input is not a number; a whole machine takes decimal numbers")
    return [int(each) for each in found]


def _subject(whole: WholeMachine) -> str:
    spec = whole.spec
    return f"{whole.unit}, whole machine of {spec.cells} cells x {spec.word_bits} bits, {whole.detail}"


def _between(whole: WholeMachine) -> str:
    """What there is between the first state and the last besides predictions."""
    from learned_units.whole.machine import ENCODER, THRESHOLD

    wiring = ", wiring" if whole.spec.form == "grouped" else ""
    return f"between first and last state: predictions, encoder ({ENCODER}), threshold ({THRESHOLD}){wiring}"


def _summary(machine: WholeRun, outcome: WholeOutcome | None, halt: str, seconds: float, checked: bool) -> str:
    whole = machine.whole
    opening = "halted: " if halt == "halted" else f"stopped: {'interrupted' if outcome is None else outcome.message}; "
    steps = f"{machine.steps:,} {whole.step_kind} step{'' if machine.steps == 1 else 's'}"
    if not checked:
        agreement = "not compared with the reference"
    elif halt == "diverged":
        agreement = f"reference agrees on the {machine.steps:,} before that"
    else:
        agreement = "reference agrees after every step"
    margin = "" if outcome is None else f", smallest margin {format_margin(outcome.margin)}"
    return f"{opening}{steps} ({_subject(whole)}), {agreement}{margin}, {seconds:.1f} s; {_between(whole)}"


def _machine_fields(whole: WholeMachine) -> dict[str, object]:
    from learned_units.whole.machine import ENCODER, THRESHOLD

    spec = whole.spec
    return {
        "unit": whole.unit,
        "form": spec.form,
        "cells": spec.cells,
        "word_bits": spec.word_bits,
        "isa": spec.isa,
        "detail": whole.detail,
        "encoder": ENCODER,
        "threshold": THRESHOLD,
        "seed": whole.seed,
        "tensor_hash": whole.manifest.get("tensor_hash"),
        "evaluations_per_step": spec.evaluations,
    }


def _as_json(
    machine: WholeRun, outcome: WholeOutcome | None, halt: str, compile_seconds: float, seconds: float, checked: bool
) -> str:
    margin = math.inf if outcome is None else outcome.margin
    fields = {
        "halt": halt,
        "message": "interrupted" if outcome is None else outcome.message,
        "steps": machine.steps,
        "step_kind": machine.whole.step_kind,
        "checked": checked,
        "agrees": halt != "diverged" if checked else None,
        "margin": margin if math.isfinite(margin) else None,
        "pc": machine.pc,
        "output": machine.output,
        "whole": _machine_fields(machine.whole),
        "compile_seconds": round(compile_seconds, 4),
        "run_seconds": round(seconds - compile_seconds, 4),
    }
    return json.dumps(fields)


def _statistics(machine: WholeRun, outcome: WholeOutcome | None, seconds: float) -> str:
    whole = machine.whole
    spec = whole.spec
    running = outcome.seconds if outcome is not None else seconds
    rows = [
        ("machine", _subject(whole)),
        ("form", "one network, iterated" if spec.form == "one" else "small networks, grouped"),
        ("everything", whole.step_kind),
        ("besides", _between(whole)),
        ("networks", f"{spec.evaluations:,} evaluations a step, {spec.evaluations * machine.steps:,} in all"),
        ("speed", f"{machine.steps / running if running > 0 else 0:,.0f} steps/s"),
    ]
    return terminal.table(rows).rstrip("\n")


def _write_iterations(iterations: list[Iteration]) -> None:
    """A table with a row for each."""
    rows = [("iteration", "does", "network", "evaluations", "matched", "margin", "writes")]
    for number, each in enumerate(iterations):
        written = ", ".join(f"{name} = {_value(value)}" for name, value in each.written.items())
        counted = (f"{each.evaluations:,}", f"{each.matched:,}", format_margin(each.margin, digits=3))
        rows.append((str(number), each.name, each.network, *counted, written))
    terminal.write_table(rows, right=(0, 3, 4, 5))


def _value(value: int | list[int]) -> str:
    return f"{value}" if isinstance(value, int) else "{" + " ".join(map(str, value)) + "}"
