"""The run of a machine, whole or on a unit: its output as it comes, its console, its progress, and the account."""

from __future__ import annotations

import argparse
import math
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from vm.console import program_files, terminal
from vm.console.launch import FAILED, INTERRUPTED, UsageError, stated_by_user
from vm.console.terminal import Talk

if TYPE_CHECKING:
    from assembler import Image
    from vm.chunk import Chunk
    from vm.execution import Machine
    from vm.report import Account, Computer
    from vm.slices import Slices
    from vm.snapshot import Snapshot
    from vm.trace import TraceFile
    from vm.whole import WholeRun

SAVE_SECONDS = 20.0  # a run with a state file writes it about this often
FIRST_SLICE = 10_000  # steps before the first time
QUIET_SECONDS = 1.0  # a run that ends sooner shows no meter
REDRAW_SECONDS = 0.5


class Stopwatch:
    """Seconds by part, one part after the other from when it is made. Waiting for input belongs to none."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last = terminal.working_time()

    def lap(self, part: str) -> None:
        """What was done since the last lap is this part."""
        now = terminal.working_time()
        self.parts[part] = now - self._last
        self._last = now


class Meter:
    """Steps, steps a second and time: one line on stderr, on a terminal, beside the program's output.

    It is taken off the line before anything else is written or awaited, and its time stands still while input is.
    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._began = terminal.working_time()
        self._next = self._began + QUIET_SECONDS

    def show(self, steps: int, machines: str = "") -> None:
        """Draw it, if it is time to, and standard error is a terminal. machines: how many of a batch are done."""
        now = terminal.working_time()
        if now < self._next or not terminal.is_screen(sys.stderr):
            return
        self._next = now + REDRAW_SECONDS
        seconds = now - self._began
        minutes, rest = divmod(int(seconds), 60)
        self._talk.status(f"{machines}{steps:,} steps, {steps / seconds:,.0f} steps/s, {minutes}:{rest:02}")

    def clear(self) -> None:
        """Take it off the line."""
        self._talk.clear()


def check_outputs(options: argparse.Namespace, image: Image) -> None:
    """Refuse files to be written that name one that is read, or each other; a run may go on in the file it came from.

    Raises UsageError.
    """
    if options.trace is None and options.save_state is None:
        return
    from vm.console import outputs

    resumed = None if outputs.same_file(options.resume, options.save_state) else options.resume
    inputs = program_files.named(options) | {"its input": options.input, "the file of --resume": resumed}
    outputs.check({"--trace": options.trace, "--save-state": options.save_state}, inputs, image)


def trace_file(path: str, image: Image) -> AbstractContextManager[TraceFile | Slices]:
    """What a run's chunks are written to: as slices where the name ends in .json, else as a row for each step.

    Raises UsageError.
    """
    if not path.lower().endswith(".json"):
        from vm.trace import TraceFile

        return TraceFile(path, image)
    from vm.slices import slices_file

    if not image.source_map:
        raise UsageError(
            f"--trace {path}: this image has no source, so its macro calls and routines are not known; to a file whose "
            "name does not end in .json, a row is written for each step"
        )
    return slices_file(path, image)


def resumed(options: argparse.Namespace) -> Snapshot | None:
    """The snapshot to go on from; it says which unit, unless the user does."""
    if options.resume is None:
        return None
    if options.input is not None or options.input_text is not None:
        raise UsageError("--resume continues with the input the run was saved with; leave --input and --input-text out")
    from vm import snapshot

    with stated_by_user():
        found = snapshot.load(options.resume)
    unit = found.place.unit
    if unit.startswith(snapshot.WHOLE) != options.whole:
        needed = "with --whole" if not options.whole else "without --whole"
        raise UsageError(f"{options.resume} was saved {needed}; resume it {needed}")
    if options.unit is None:
        options.unit = unit.removeprefix(snapshot.WHOLE)
    return found


def close(options: argparse.Namespace, talk: Talk, made: Account) -> int:
    """Tell how a run ended: the statistics and the last line, or one JSON object. Returns the exit code."""
    from vm import report

    made = report.without_refuted_claims(made)
    if made.halt == "interrupted" and made.machines is None and options.save_state is None:
        made = replace(made, message=f"{made.message}; with --save-state FILE, Ctrl-C keeps the machine for --resume")
    if options.json:
        talk.report(report.as_json(made))
    else:
        if options.stats:
            talk.report(report.statistics(made))
        closing = talk.say if made.halt == "interrupted" or made.succeeded else talk.report
        closing(report.summary(made))
    if made.halt == "interrupted":
        return INTERRUPTED
    return 0 if made.succeeded else FAILED


class Execution:
    """A machine's run to its end: its output written, its console fed, its steps counted."""

    def __init__(
        self,
        machine: Machine | WholeRun,
        computer: Computer,
        options: argparse.Namespace,
        trace: TraceFile | Slices | None,
        talk: Talk,
        start_seconds: dict[str, float],
    ) -> None:
        """options: of these, max_steps, no_check and save_state."""
        self._machine = machine
        self._computer = computer
        self._max_steps: int | None = options.max_steps
        self._checked = not options.no_check
        self._state_file: str | None = options.save_state
        self._slice: int | None = None if self._state_file is None else FIRST_SLICE
        self._trace = trace
        self._talk = talk
        self._meter = Meter(talk)
        self._start_seconds = start_seconds
        self._steps = 0
        self._undecided = 0  # steps without a margin: where there are networks, those of the console
        self._margin = math.inf
        self._pc = machine.pc

    def run(self) -> Account:
        """Run until the machine stops, the budget is spent or Ctrl-C is pressed, and report a divergence."""
        from vm.outcome import budget_message, interrupted_message, stands_still
        from vm.report import Account
        from vm.state import Halt

        machine, left = self._machine, self._max_steps
        compile_seconds, run_seconds, console_steps = 0.0, 0.0, 0
        halt, message = "interrupted", ""
        budget = _smaller(left, self._slice)
        try:
            began = time.monotonic()
            machine.prepare_loop()
            compile_seconds = time.monotonic() - began
            while True:
                began = time.monotonic()
                try:
                    outcome = machine.run(budget, self._release)
                finally:
                    run_seconds += time.monotonic() - began
                console_steps += outcome.console_steps
                left = None if left is None else left - outcome.steps
                if outcome.halt is Halt.NEED_INPUT:
                    _feed(cast("Machine", machine), wait=left != 0)
                elif outcome.halt is Halt.BUDGET and left != 0:
                    self._save(outcome.steps, outcome.seconds)
                else:
                    halt, message = outcome.halt.name.lower(), outcome.message
                    break
                # Where it stands still only a run without a budget ends.
                endless = left is None and stands_still(machine.image, machine.pc, machine.memory)
                budget = None if endless else _smaller(left, self._slice)
        except KeyboardInterrupt:
            pass
        self._meter.clear()
        terminal.flush()
        for note in machine.notes:  # those of a run that Ctrl-C ended, too
            self._talk.say(f"note: {note}")
        if machine.divergence is None:
            self._save(0, 0.0)
            if self._state_file is not None:
                done = f"state after {machine.steps:,} steps saved to {self._state_file}"
                self._talk.say(f"{done}; go on with --resume {self._state_file}")
        else:
            self._talk.report(machine.divergence.report)
        if halt == "budget":
            message = budget_message(machine.image, self._pc, self._max_steps or 0, machine.memory)
        elif halt == "interrupted":
            message = interrupted_message(machine.image, self._pc)
        elif halt == "diverged":
            message = f"the unit and the reference disagree at step {machine.steps:,}, as reported above"
            if self._computer.trained_with is not None:
                message += f"; train its weights again with `{self._computer.trained_with}`"
        return Account(
            halt=halt,
            message=message,
            computer=self._computer,
            checked=self._checked,
            steps=self._steps,
            console_steps=self._undecided if self._computer.evaluations else console_steps,
            margin=self._margin,
            pc=self._pc,
            memory_words=machine.size,
            start_seconds=self._start_seconds,
            compile_seconds=compile_seconds,
            run_seconds=run_seconds,
            notes=tuple(str(note) for note in (*machine.image.notes, *machine.notes)),
        )

    def _release(self, chunk: Chunk) -> None:
        """Take in steps that were executed and, where that is on, checked."""
        self._steps += chunk.steps
        self._undecided += chunk.margins.count(math.inf)
        self._margin = float(np.minimum(self._margin, chunk.margin))  # a NaN stays
        self._pc = chunk.next_pc
        if self._trace is not None:
            self._trace.add(chunk)
        if chunk.output:
            self._meter.clear()
            terminal.write_bytes(chunk.output)
            terminal.flush()
        self._meter.show(self._steps)

    def _save(self, steps: int, seconds: float) -> None:
        """Write the state file, if there is one, and size the next slice from how long this one took."""
        if self._state_file is None:
            return
        from vm import snapshot

        snapshot.save(self._state_file, self._machine.snapshot())
        if steps and self._slice is not None and seconds > 0:
            self._slice = max(FIRST_SLICE, min(int(steps * SAVE_SECONDS / seconds), 8 * self._slice))


def _feed(machine: Machine, wait: bool) -> None:
    """Give the console what stdin has by now, waiting for some; without `wait`, only let the machine go on."""
    if not wait:
        machine.feed(b"")  # its budget is spent: let it say so
        return
    data = terminal.read_some()
    if data:
        machine.feed(data)
    else:
        machine.end_input()


def _smaller(one: int | None, other: int | None) -> int | None:
    """The smaller of two budgets; None is none."""
    return other if one is None else one if other is None else min(one, other)
