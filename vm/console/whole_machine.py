"""`sbn run --whole` and `sbn explain --whole`: a machine of which every part is predicted by networks."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import programs
from vm.console import chosen_unit, jax_setup, program_files, running, terminal
from vm.console.launch import FAILED, UsageError, stated_by_user
from vm.console.running import Stopwatch
from vm.console.terminal import Talk
from vm.margin import format_margin

if TYPE_CHECKING:
    from learned_units.whole.machine import WholeMachine
    from learned_units.whole.state import Iteration

STDIN = "-"
SHOWN_CELLS = 16  # of the machine that `explain` makes, or half as many where words are too short
FORMS = {chosen_unit.EIGHT: "grouped", chosen_unit.WORD: "one"}
NOT_FOR_WHOLE = ("input_mode", "batch", "cluster", "weights")


def run(options: argparse.Namespace) -> int:
    """Run a program on a whole machine. Exit code 0 if it halted, and agreed with the reference where checked."""
    talk, watch = Talk(options.quiet), Stopwatch()
    _refuse_options(options)
    image = program_files.load(options, folder=programs.WHOLE)
    if image.memory is None:
        raise UsageError("the program does not say how many cells the machine has; give --memory N")
    running.check_outputs(options, image)
    resumed = running.resumed(options)
    numbers = _numbers(options) if resumed is None else []
    watch.lap("assembling")
    jax_setup.prepare()
    from vm import report
    from vm.whole import WholeRun

    watch.lap("importing")
    with contextlib.ExitStack() as files:
        trace = None
        if options.trace is not None:
            trace = files.enter_context(running.trace_file(options.trace, image))
        with stated_by_user():
            whole = _load(options, image.memory, image.word_bits, image.isa, talk)
            watch.lap("weights")
            machine = WholeRun(image, whole, numbers, check=not options.no_check)
            if resumed is not None:
                machine.restore(resumed)
            if trace is not None:
                machine.record_operands()
        watch.lap("machine")
        made = running.Execution(machine, report.of_whole(whole), options, trace, talk, watch.parts).run()
    if made.halt == "halted":
        terminal.write(f"{machine.output}\n")
        terminal.flush()
        made = replace(made, output=machine.output)
    return running.close(options, talk, made)


def explain(options: argparse.Namespace) -> int:
    """Show one instruction, A - B, as the iterations of a whole machine. Exit code 0 if it is right."""
    talk = Talk(options.quiet)
    _refuse_options(options)
    jax_setup.prepare()
    from assembler import Image
    from vm import report
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
        computer = report.of_whole(whole)
        terminal.write(f"\n{computer.subject}: {said}\n{computer.besides}\n")
    return 0 if agrees else FAILED


def _refuse_options(options: argparse.Namespace) -> None:
    given = [name for name in NOT_FOR_WHOLE if getattr(options, name, None) is not None]
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')} is not for --whole")


def _load(options: argparse.Namespace, cells: int, word_bits: int, isa: str, talk: Talk) -> WholeMachine:
    from learned_units import catalog
    from learned_units.whole.machine import load_whole

    unit = options.unit or catalog.DEFAULT_UNIT
    form = chosen_unit.form_of_group(options, FORMS, default=None)
    whole = load_whole(cells, word_bits, isa, unit, form, options.seed, talk.progress)
    talk.clear()
    return whole


def _numbers(options: argparse.Namespace) -> list[int]:
    """The numbers of the input: from --input-text, from --input, or from stdin where that is no terminal."""
    if options.input_text is not None:
        text = options.input_text
    elif options.input is not None and options.input != STDIN:
        text = program_files.read_whole(options.input).decode("utf-8", "replace")
    elif options.program == STDIN or sys.stdin is None or (options.input is None and sys.stdin.isatty()):
        text = ""
    else:
        text = program_files.read_whole(STDIN).decode("utf-8", "replace")
    found = text.split()
    for each in found:
        if not re.fullmatch(r"[-+]?[0-9]{1,1000}", each):
            raise UsageError(f"'{each[:40]}' in the input is not a number; a whole machine takes decimal numbers")
    return [int(each) for each in found]


def _machine_fields(whole: WholeMachine) -> dict[str, object]:
    from learned_units.whole.machine import ENCODER, THRESHOLD

    spec = whole.spec
    return {
        "unit": whole.unit,
        "group": next(group for group, form in FORMS.items() if form == spec.form),
        "cells": spec.cells,
        "word_bits": spec.word_bits,
        "isa": spec.isa,
        "detail": whole.detail,
        "encoder": ENCODER,
        "threshold": THRESHOLD,
        "seed": whole.seed,
        "tensor_hash": None if whole.manifest is None else whole.manifest.tensor_hash,
        "evaluations_per_step": spec.evaluations,
    }


def _write_iterations(iterations: list[Iteration]) -> None:
    """A table with one row for each."""
    rows = [("iteration", "does", "network", "evaluations", "matched", "margin", "writes")]
    for number, each in enumerate(iterations):
        written = ", ".join(f"{name} = {_value(value)}" for name, value in each.written.items())
        counted = (f"{each.evaluations:,}", f"{each.matched:,}", format_margin(each.margin, digits=3))
        rows.append((str(number), each.name, each.network, *counted, written))
    terminal.write_table(rows, right=(0, 3, 4, 5))


def _value(value: int | list[int]) -> str:
    return f"{value}" if isinstance(value, int) else "{" + " ".join(map(str, value)) + "}"
