"""`sbn run --batch`: one program on many inputs, in machines side by side."""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import time
from collections import Counter

import numpy as np

from assembler import Image
from vm.console import program_files, running, terminal
from vm.console.launch import UsageError, stated_by_user
from vm.console.program_files import STDIN
from vm.console.running import Meter, Stopwatch
from vm.console.terminal import Talk
from vm.outcome import Outcome
from vm.state import Halt

REPORTED = 5  # machines that went wrong and are named
ALONE = {  # options of a run of one machine, and why a batch has none of them
    "input": "a batch takes a line of its file as each machine's input",
    "input_text": "a batch takes a line of its file as each machine's input",
    "trace": "the machines of a batch keep no record of their steps",
    "save_state": "a batch is many machines, and a state file holds one",
    "resume": "a batch is many machines, and a state file holds one",
}


def run(options: argparse.Namespace, image: Image, watch: Stopwatch) -> int:
    """Run the batch, its outputs in order. Exit code 0 if every machine halted and those replayed agreed."""
    for name, why in ALONE.items():
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for one machine: {why}; leave it out, or --batch")
    if options.batch == options.program == STDIN:
        raise UsageError("the program itself is read from stdin; give the batch as a file")
    talk = Talk(options.quiet)
    inputs = lines_of(program_files.read_whole(options.batch))
    if not inputs:
        talk.say(f"{options.batch} has no lines, so there is nothing to run")
        return 0
    from vm import report
    from vm.batch import CHECKED, memory_size, run_batch
    from vm.console import chosen_unit

    watch.lap("importing")
    unit = chosen_unit.load(options, image.word_bits, image.isa, talk)
    watch.lap("weights")
    printer, meter = _Printer(options.json), Meter(talk)
    check = 0 if options.no_check else min(CHECKED, len(inputs))
    began = time.monotonic()

    def take(index: int, outcome: Outcome) -> None:
        printer.take(index, outcome)
        meter.show(printer.steps, f"{printer.taken:,} of {len(inputs):,} machines, ")

    halt, message = "halted", "halted"
    try:
        with stated_by_user():
            run_batch(image, unit, inputs=inputs, max_steps=options.max_steps, check=check, on_outcome=take)
    except KeyboardInterrupt:
        halt, message = "interrupted", "interrupted"
    seconds = time.monotonic() - began
    meter.clear()
    terminal.flush()
    for index, outcome in printer.wrong[:REPORTED]:
        talk.report(f"machine {index}: {outcome.message}")
    if printer.wrong and halt == "halted":
        halt = printer.wrong[0][1].halt.name.lower()
        message = f"{len(printer.wrong):,} of {len(inputs):,} machines did not halt, the first of them reported above"
    made = report.Account(
        halt=halt,
        message=message,
        computer=report.of_unit(unit),
        checked=check > 0,
        steps=printer.steps,
        console_steps=printer.console_steps,
        margin=printer.margin,
        pc=None,
        memory_words=memory_size([image]),
        start_seconds=watch.parts,
        compile_seconds=None,
        run_seconds=seconds,
        machines=report.Machines(len(inputs), printer.taken, dict(printer.halts.most_common()), check),
    )
    return running.close(options, talk, made)


def lines_of(data: bytes) -> list[bytes]:
    """The inputs in a batch file: its lines, each with the newline that ends it, the last one perhaps without.

    Only a newline ends a line. A carriage return just before it is how the file writes its newlines, and no input.
    """
    return [line[:-2] + b"\n" if line.endswith(b"\r\n") else line for line in io.BytesIO(data)]


def output_fields(output: bytes) -> dict[str, str]:
    """A machine's output as JSON has it: as text, and where it is not UTF-8, also in base64."""
    try:
        return {"output": output.decode("utf-8")}
    except UnicodeDecodeError:
        text = output.decode("utf-8", "backslashreplace")
        return {"output": text, "output_base64": base64.b64encode(output).decode("ascii")}


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
        self.margin = float(np.minimum(self.margin, outcome.margin))  # a NaN stays
        self.halts[outcome.halt.name.lower()] += 1
        if outcome.halt is not Halt.HALTED:
            self.wrong.append((index, outcome))
        self._early[index] = outcome
        while self._next in self._early:
            self._write(self._next, self._early.pop(self._next))
            self._next += 1

    def _write(self, index: int, outcome: Outcome) -> None:
        if not self._as_json:
            terminal.write_bytes(outcome.output)
            return
        fields = {
            "machine": index,
            "halt": outcome.halt.name.lower(),
            "message": outcome.message,
            "steps": outcome.steps,
            "console_steps": outcome.console_steps,
            "margin": outcome.margin if math.isfinite(outcome.margin) else None,
            **output_fields(outcome.output),
        }
        terminal.write(json.dumps(fields) + "\n")
