"""`sbn picture`: one learned step, or a whole run, as a picture."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from vm.console import jax_setup, outputs, picture, program_files
from vm.console.launch import stated_by_user
from vm.console.picture import Target
from vm.console.program_files import STDIN
from vm.console.terminal import Talk


def run(options: argparse.Namespace) -> int:
    """Write the picture. Exit code 0, also for a step or a run that is wrong: the picture says so."""
    return _run_step(options) if options.what == "step" else _run_program(options)


def _run_step(options: argparse.Namespace) -> int:
    target = _target(options, "step.png")
    outputs.check({"-o": target.path}, {})
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from learned_units import bits, catalog
    from vm.console import chosen_unit
    from vm.pictures import step

    case = (options.minuend, options.subtrahend, options.target, options.fall_through)
    with stated_by_user():  # before anything is trained
        catalog.load_unit("native", options.width, options.isa)
        for value in case:
            bits.as_words(value, options.width, "an operand")
    unit = chosen_unit.load(options, options.width, options.isa, talk)
    with stated_by_user():
        drawn = step.figure(unit, *case, size=target.size)
    target.write(drawn, talk)
    return 0


def _run_program(options: argparse.Namespace) -> int:
    name = "program" if options.program == STDIN else Path(options.program).stem
    target = _target(options, f"{name}.png")
    image = program_files.load(options)
    outputs.check({"-o": target.path}, {"the program itself": options.program, "its input": options.input}, image)
    given = os.fsencode(options.input_text) if options.input_text is not None else b""
    if options.input is not None:
        given = program_files.read_whole(options.input)
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from vm.console import chosen_unit
    from vm.execution import Machine
    from vm.pictures import run as pictured

    unit = chosen_unit.load(options, image.word_bits, image.isa, talk)
    with stated_by_user():
        machine = Machine(image, unit, input=given, progress=False)
        outcome, steps = pictured.record(machine, options.max_steps)
        drawn = pictured.figure(name, machine, outcome, steps, target.size)
    target.write(drawn, talk)
    return 0


def _target(options: argparse.Namespace, default: str) -> Target:
    target = picture.requested("-o", options.output or default, options)
    assert target is not None
    return target
