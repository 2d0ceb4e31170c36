"""`sbn run --batch`: one program on many inputs, in machines side by side."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from pathlib import Path

from assembler import Image
from learned_units.unit import Unit
from vm.console import terminal
from vm.console.launch import FAILED, INTERRUPTED
from vm.console.meter import Meter
from vm.console.program_files import STDIN
from vm.console.terminal import Talk
from vm.console.usage import UsageError, stated_by_user
from vm.margin import format_margin
from vm.outcome import Outcome
from vm.state import Halt

REPORTED = 5  # machines that went wrong and are named
ALONE = ("input", "input_text", "trace", "save_state", "resume")  # options of a run of one machine


def run(options: argparse.Namespace, image: Image) -> int:
    """Run the batch, its outputs in order. Exit code 0 if every machine halted and those replayed agreed."""
    for name in ALONE:
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for one machine; leave out either it or --batch")
    if options.batch == options.program == STDIN:
        raise UsageError("the program itself is read from stdin; give the batch as a file")
    talk = Talk(options.quiet)
    whole = sys.stdin.buffer.read() if options.batch == STDIN else Path(options.batch).read_bytes()
    inputs = whole.splitlines(keepends=True)
    if not inputs:
        talk.say(f"{options.batch} has no lines, so there is nothing to run")
        return 0
    from vm.console import chosen_unit

    unit = chosen_unit.load(options, image.word_bits, image.isa, talk)
    from vm.batch import CHECKED, run_batch

    printer, meter = _Printer(options.json), Meter(talk)
    check = 0 if options.no_check else CHECKED
    began = time.monotonic()

    def take(index: int, outcome: Outcome) -> None:
        printer.take(index, outcome)
        meter.show(printer.steps, f"{printer.taken:,} of {len(inputs):,} machines, ")

    interrupted = False
    try:
        with stated_by_user():
            run_batch(image, unit, inputs, max_steps=options.max_steps, check=check, on_outcome=take)
    except KeyboardInterrupt:
        interrupted = True
    seconds = time.monotonic() - began
    meter.clear()
    terminal.flush()
    for index, outcome in printer.wrong[:REPORTED]:
        talk.report(f"machine {index}: {outcome.message}")
    closing = _closing(unit, printer, len(inputs), check, seconds)
    if interrupted:
        closing = f"stopped: interrupted; {closing}"
    (talk.report if printer.wrong or interrupted else talk.say)(closing)
    if interrupted:
        return INTERRUPTED
    return FAILED if printer.wrong else 0


def _closing(unit: Unit, printer: _Printer, machines: int, check: int, seconds: float) -> str:
    """The last line: how the machines ended, what was computed and what was checked."""
    done = ", ".join(f"{count:,} {halt}" for halt, count in printer.halts.most_common())
    checked = f"{min(check, machines) or 'none'} replayed on the reference"
    return (
        f"{printer.taken:,} of {machines:,} machines ({done or 'none ended'}): "
        f"{printer.steps - printer.console_steps:,} {unit.scope.step_kind} steps "
        f"({unit.name}, {unit.word_bits}-bit, {unit.detail}) and {printer.console_steps:,} console steps, {checked}, "
        f"smallest margin {format_margin(printer.margin)}, {seconds:.1f} s, "
        f"{printer.steps / max(seconds, 1e-6):,.0f} steps/s"
    )


class _Printer:
    """Writes outcomes in order, as soon as all before them are there, and counts them."""

    def __init__(self, as_json: bool) -> None:
        """as_json: whether as JSON lines."""
        self._as_json = as_json
        self._early: dict[int, Outcome] = {}
        self._next = 0
        self.taken = 0
        self.steps = 0
        self.console_steps = 0
        self.margin = math.inf
        self.halts: Counter[str] = Counter()
        self.wrong: list[tuple[int, Outcome]] = []

    def take(self, index: int, outcome: Outcome) -> None:
        """An outcome, in any order."""
        self.taken += 1
        self.steps += outcome.steps
        self.console_steps += outcome.console_steps
        self.margin = min(self.margin, outcome.margin)
        self.halts[outcome.halt.name.lower()] += 1
        if outcome.halt is not Halt.HALTED:
            self.wrong.append((index, outcome))
        self._early[index] = outcome
        while self._next in self._early:
            self._write(self._next, self._early.pop(self._next))
            self._next += 1

    def _write(self, index: int, outcome: Outcome) -> None:
        if not self._as_json:
            terminal.stdout().write(outcome.output)
            return
        fields = {
            "machine": index,
            "halt": outcome.halt.name.lower(),
            "message": outcome.message,
            "steps": outcome.steps,
            "console_steps": outcome.console_steps,
            "margin": outcome.margin if math.isfinite(outcome.margin) else None,
            "output": outcome.output.decode("utf-8", "backslashreplace"),
        }
        terminal.write(json.dumps(fields) + "\n")
