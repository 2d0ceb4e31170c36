"""`sbn run`: a program on a unit, its output as it comes, and an account of what was computed."""

from __future__ import annotations

import argparse
import contextlib
import os

from assembler.parsing import keep_tables
from learned_units.store import WeightsError, cache_folder
from vm.console import jax_setup, program_files, running
from vm.console.launch import UsageError, stated_by_user
from vm.console.running import Stopwatch
from vm.console.terminal import Talk

STDIN = "-"


def run(options: argparse.Namespace) -> int:
    """Run a program. Exit code 0 if it halted, and agreed with the reference where that was checked."""
    if options.whole:
        from vm.console import whole_machine

        return whole_machine.run(options)
    talk, watch = Talk(options.quiet), Stopwatch()
    with contextlib.suppress(WeightsError):  # there is no folder; the weights will say so
        keep_tables(str(cache_folder() / "grammar"))
    image = program_files.load(options)
    if options.cluster is not None and options.batch is None:
        raise UsageError("--cluster shares a batch among processes; say which with --batch FILE")
    if options.batch is not None:
        watch.lap("assembling")
        jax_setup.prepare()
        if options.cluster is not None:
            jax_setup.join(options.cluster)
        from vm.console import batch

        return batch.run(options, image, watch)
    running.check_outputs(options, image)
    given = _given_input(options)
    watch.lap("assembling")
    jax_setup.prepare()
    from vm import report
    from vm.console import chosen_unit
    from vm.execution import Machine

    watch.lap("importing")
    resumed = running.resumed(options)
    with contextlib.ExitStack() as files:
        trace = None
        if options.trace is not None:
            trace = files.enter_context(running.trace_file(options.trace, image))
        unit = chosen_unit.load(options, image.word_bits, image.isa, talk)
        watch.lap("weights")
        with stated_by_user():
            machine = Machine(image, unit, input=given, check=not options.no_check, progress=False)
            if resumed is not None:
                machine.restore(resumed)
            if trace is not None:
                machine.record_operands()
        if given is None:
            program_files.tell_input(options)
        watch.lap("machine")
        made = running.Execution(machine, report.of_unit(unit), options, trace, talk, watch.parts).run()
    return running.close(options, talk, made)


def _given_input(options: argparse.Namespace) -> bytes | None:
    """The program's whole input, or None if it is to be read from stdin as the program asks for it."""
    if options.input_text is not None:
        return os.fsencode(options.input_text)
    if options.input is not None and options.input != STDIN:
        return program_files.read_whole(options.input)
    if options.program == program_files.STDIN:
        if options.input == STDIN:
            raise UsageError("the program itself is read from stdin; give its input with --input FILE or --input-text")
        return b""
    return None
