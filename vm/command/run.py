"""`sbn run`: a program on a unit, its output as it comes, and an account of what was computed."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from vm.console import jax_setup, program_files, terminal
from vm.console.launch import FAILED, INTERRUPTED
from vm.console.meter import Meter
from vm.console.stopwatch import Stopwatch
from vm.console.terminal import Talk
from vm.console.usage import UsageError, stated_by_user

if TYPE_CHECKING:
    from vm.execution import Chunk, Machine
    from vm.report import Account
    from vm.snapshot import Snapshot
    from vm.trace import TraceFile

STDIN = "-"
READ_BYTES = 1 << 16
SAVE_SECONDS = 20.0  # a run with a state file writes it about so often
FIRST_SLICE = 10_000  # steps before the first time


def run(options: argparse.Namespace) -> int:
    """Run a program. Exit code 0 if it halted, and agreed with the reference where that was checked."""
    if options.whole:
        from vm.console import whole_machine

        return whole_machine.run(options)
    if options.form is not None:
        raise UsageError("--form is for --whole")
    talk, watch = Talk(options.quiet), Stopwatch()
    image = program_files.load(options)
    if options.cluster is not None and options.batch is None:
        raise UsageError("--cluster shares a batch among processes; say which with --batch FILE")
    if options.batch is not None:
        jax_setup.prepare()
        if options.cluster is not None:
            jax_setup.join(options.cluster)
        from vm.console import batch

        return batch.run(options, image)
    given = _given_input(options)
    watch.lap("assembling")
    jax_setup.prepare()
    from vm import report
    from vm.console import chosen_unit
    from vm.execution import Machine
    from vm.trace import TraceFile

    watch.lap("importing")
    resumed = _resumed(options)
    with contextlib.ExitStack() as files:
        trace = None
        if options.trace is not None:
            trace = files.enter_context(TraceFile(options.trace, image))
        unit = chosen_unit.load(options, image.word_bits, image.isa, talk)
        watch.lap("weights")
        with stated_by_user():
            machine = Machine(image, unit, input=given, check=not options.no_check)
            if resumed is not None:
                machine.restore(resumed)
            if trace is not None:
                machine.record_operands()
        watch.lap("machine")
        execution = _Execution(machine, not options.no_check, trace, talk, options.save_state, watch.parts)
        made = execution.run(options.max_steps)
    terminal.flush()
    if options.save_state is not None and machine.divergence is None:
        talk.say(f"state after {machine.steps:,} steps saved to {options.save_state}; continue with --resume")
    if machine.divergence is not None:
        talk.report(machine.divergence.report)
    if options.json:
        talk.report(report.as_json(made))
    else:
        if options.stats:
            talk.report(report.statistics(made))
        closing = talk.say if made.halt in ("halted", "interrupted") else talk.report
        closing(report.summary(made))
    if made.halt == "interrupted":
        return INTERRUPTED
    return 0 if made.halt == "halted" else FAILED


def _resumed(options: argparse.Namespace) -> Snapshot | None:
    """The snapshot to go on from; it says which unit, unless the user does."""
    if options.resume is None:
        return None
    if options.input is not None or options.input_text is not None:
        raise UsageError("--resume continues with the input the run was saved with; leave out --input and --input-text")
    from vm import snapshot

    with stated_by_user():
        resumed = snapshot.load(options.resume)
    if options.unit is None:
        options.unit = resumed.place.unit
    return resumed


def _given_input(options: argparse.Namespace) -> bytes | None:
    """The program's whole input, or None if it is to be read from stdin as the program asks for it."""
    if options.input_text is not None:
        return os.fsencode(options.input_text)
    if options.input is not None and options.input != STDIN:
        return Path(options.input).read_bytes()
    if options.program == program_files.STDIN:
        if options.input == STDIN:
            raise UsageError("the program itself is read from stdin; give its input with --input FILE or --input-text")
        return b""
    return None


class _Execution:
    """A machine's run to its end: its output written, its console fed, its steps counted."""

    def __init__(
        self,
        machine: Machine,
        checked: bool,
        trace: TraceFile | None,
        talk: Talk,
        state_file: str | None,
        start_seconds: dict[str, float],
    ) -> None:
        self._meter = Meter(talk)
        self._start_seconds = start_seconds
        self._state_file = state_file
        self._slice: int | None = None if state_file is None else FIRST_SLICE
        self._machine = machine
        self._checked = checked
        self._trace = trace
        self._steps = 0
        self._undecided = 0  # steps without a margin: where the unit has networks, those of the console
        self._margin = math.inf
        self._pc = machine.pc

    def run(self, max_steps: int | None) -> Account:
        """Run until the machine stops, the budget is spent or Ctrl-C is pressed."""
        from vm.outcome import budget_message
        from vm.report import Account
        from vm.state import Halt

        machine = self._machine
        has_networks = machine.unit.spec.evaluations > 0
        compile_seconds, run_seconds, console_steps = 0.0, 0.0, 0
        halt, message, left = "interrupted", "interrupted", max_steps
        try:
            began = time.monotonic()
            machine.run(0)  # compiles the loop
            compile_seconds = time.monotonic() - began
            while True:
                began = time.monotonic()
                try:
                    outcome = machine.run(_smaller(left, self._slice), self._release)
                finally:
                    run_seconds += time.monotonic() - began
                console_steps += outcome.console_steps
                left = None if left is None else left - outcome.steps
                if outcome.halt is Halt.NEED_INPUT:
                    self._feed(wait=left != 0)
                elif outcome.halt is Halt.BUDGET and left != 0:
                    self._save(outcome.steps, outcome.seconds)
                else:
                    halt, message = outcome.halt.name.lower(), outcome.message
                    break
        except KeyboardInterrupt:
            pass
        self._meter.clear()
        if machine.divergence is None:
            self._save(0, 0.0)
        if halt == "budget":
            message = budget_message(machine.image, self._pc, max_steps or 0)
        elif halt == "diverged":
            message = f"the unit and the reference disagree at step {self._steps:,}, as reported above"
            if machine.unit.manifest:
                message += f"; train its weights again with `sbn train {machine.unit.name} --force`"
        return Account(
            halt=halt,
            message=message,
            unit=machine.unit,
            checked=self._checked,
            steps=self._steps,
            console_steps=self._undecided if has_networks else console_steps,
            margin=self._margin,
            pc=self._pc,
            memory_words=machine.size,
            start_seconds=self._start_seconds,
            compile_seconds=compile_seconds,
            run_seconds=run_seconds,
        )

    def _release(self, chunk: Chunk) -> None:
        """Take in steps that were executed and, where that is on, checked."""
        self._steps += len(chunk.pcs)
        self._undecided += chunk.margins.count(math.inf)
        self._margin = float(np.min([self._margin, *chunk.margins]))  # a NaN stays
        self._pc = chunk.next_pc
        if self._trace is not None:
            self._trace.add(chunk)
        if chunk.output:
            self._meter.clear()
            terminal.stdout().write(chunk.output)
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

    def _feed(self, wait: bool) -> None:
        """Give the console what stdin has by now, waiting for some; without `wait`, only let the machine go on."""
        if not wait:
            self._machine.feed(b"")  # its budget is spent: let it say so
            return
        data = cast(io.BufferedReader, sys.stdin.buffer).read1(READ_BYTES) if sys.stdin is not None else b""
        if data:
            self._machine.feed(data)
        else:
            self._machine.end_input()


def _smaller(one: int | None, other: int | None) -> int | None:
    """The smaller of two budgets; None is none."""
    return other if one is None else one if other is None else min(one, other)
