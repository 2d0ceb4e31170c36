"""`sbn demo`: train the default unit, prove it, run programs on it, break it, and say what that shows."""

from __future__ import annotations

import argparse
import dataclasses
import textwrap
import time
from typing import TYPE_CHECKING

import numpy as np

import programs
from vm.console import jax_setup, terminal, turing
from vm.console.launch import FAILED
from vm.console.terminal import Talk
from vm.margin import format_margin

if TYPE_CHECKING:
    from assembler import Image
    from learned_units.unit import Unit

PROGRAMS = ("hello", "gcd", "fibonacci", "primes", "sort")  # 16-bit sbn: one compiled loop serves them all
SCRAMBLED = "fibonacci"
SCRAMBLED_STEPS = 10_000
SHOWN_OUTPUT = 34
OPENING = "A computer with one instruction, subtract and branch if negative, whose arithmetic is trained networks."
CLOSING = (
    "What this does not show: on these inputs a linear map could represent the same functions. What it shows is that "
    "trained nonlinear networks reach them exactly, from 160 examples, at the sizes above. A margin is confidence; "
    "that the answers are right was proved by enumeration and checked in lockstep. Memory is finite: the machine is "
    "universal up to its memory."
)


def run(options: argparse.Namespace) -> int:
    """Exit code 0 if the proof holds, every program agreed with the reference, and noise did not."""
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from learned_units.proof.enumeration import VerificationError

    terminal.prose(OPENING)
    unit, trained = _train(talk)
    if options.turing:
        return 0 if turing.tell(unit, talk) else FAILED
    try:
        _prove(unit, trained, talk)
    except VerificationError as error:
        talk.clear()
        talk.report(f"sbn: the proof fails: {error}")
        return FAILED
    agreed = _run_programs(unit)
    caught = _scramble(unit)
    terminal.write("\n")
    terminal.prose(unit.scope.sentence)
    terminal.prose(CLOSING)
    terminal.write("\nGo on with `sbn run fibonacci`, `sbn explain 5 3`, `sbn units`, `sbn --help`.\n")
    return 0 if agreed and caught else FAILED


def _train(talk: Talk) -> tuple[Unit, bool]:
    """The default unit, and whether it was trained just now."""
    from learned_units import catalog
    from learned_units.weights import recipes

    trained = False

    def progress(what: str, part: float) -> None:
        nonlocal trained
        trained = True
        talk.progress(what, part)

    began = time.monotonic()
    recipe = catalog.recipe(catalog.DEFAULT_UNIT)
    assert recipe is not None
    recipes.train(recipe, progress)
    talk.clear()
    unit = catalog.load_unit()
    source = f"Trained in {time.monotonic() - began:.1f} s" if trained else "Read from the cache"
    terminal.heading(f"1. {source}: five ensembles, by gradient descent on template examples")
    table = recipe.report(unit.manifest).table
    terminal.write_table(table, right=range(1, len(table[0])))
    terminal.flush()
    return unit, trained


def _prove(unit: Unit, trained: bool, talk: Talk) -> None:
    """Run each network on every input it can receive, unless training has just done so."""
    from learned_units.proof import enumeration
    from learned_units.units import ntk

    terminal.heading("2. Proved exact")
    began = time.monotonic()
    if trained:
        assert unit.manifest is not None
        found, when = unit.manifest.verified, "while it was trained"
        inputs, margin = found.inputs, found.smallest_margin
        assert margin is not None
    else:
        networks = enumeration.prove(unit.params, ntk.DEFAULT_GROUP, talk.progress).values()
        talk.clear()
        inputs = sum(network.inputs for network in networks)
        margin = min(network.smallest_margin for network in networks)
        when = f"just now, in {time.monotonic() - began:.1f} s"
    terminal.prose(
        f"Each network gave the right answer on every input it can receive, {inputs:,} in all ({when}), with a "
        f"smallest margin of {format_margin(margin)}. Composed as they are wired, that is subtraction and "
        "branch, for every word of every width from 4 to 64 bits."
    )
    terminal.flush()


def _run_programs(unit: Unit) -> bool:
    """Run the programs in lockstep; whether all of them halted and agreed."""
    from vm.execution import Machine
    from vm.state import Halt

    terminal.heading("3. Programs, each step compared with exact arithmetic")
    began = time.monotonic()
    Machine(_image(PROGRAMS[0]), unit, progress=False).run(0)
    compile_seconds = time.monotonic() - began
    rows = [("program", "input", "output", "learned steps", "reference", "smallest margin")]
    steps, seconds, agreed = 0, 0.0, True
    for name in PROGRAMS:
        machine = Machine(_image(name), unit, input=programs.sample_input(name), progress=False)
        outcome = machine.run()
        right = outcome.halt is Halt.HALTED and outcome.output == programs.sample_output(name)
        agreed = agreed and right
        steps += outcome.steps
        seconds += outcome.seconds
        rows.append(
            (
                name,
                _on_one_line(programs.sample_input(name)),
                _on_one_line(outcome.output),
                f"{outcome.steps - outcome.console_steps:,}",
                "agrees on every step" if right else outcome.message.splitlines()[0],
                format_margin(outcome.margin),
            )
        )
    terminal.write_table(rows, right=(3, 5))
    evaluations = unit.spec.evaluations
    terminal.prose(
        f"{steps / seconds:,.0f} steps a second, each {evaluations} network evaluations, once the loop is compiled "
        f"({compile_seconds:.1f} s)."
    )
    terminal.flush()
    return agreed


def _scramble(unit: Unit) -> bool:
    """Run a program on noise instead of weights; whether the reference noticed."""
    from vm.execution import Machine
    from vm.state import Halt

    terminal.heading("4. The same machine with the weights replaced by noise of the same scale")
    outcome = Machine(_image(SCRAMBLED), scrambled(unit), progress=False).run(SCRAMBLED_STEPS)
    caught = outcome.halt is Halt.DIVERGED
    if outcome.divergence is not None:
        terminal.write(textwrap.indent(outcome.divergence.report, "  ") + "\n")
        terminal.prose(f"The reference catches it at step {outcome.divergence.step}: the arithmetic is in the weights.")
    else:
        terminal.prose(f"The reference noticed nothing in {outcome.steps:,} steps, which it should have.")
    terminal.flush()
    return caught


def scrambled(unit: Unit) -> Unit:
    """The unit with normal noise, of each tensor's own scale, for its trained weights; its thresholds stay."""
    rng = np.random.default_rng(0)

    def noise(tensor) -> np.ndarray:
        values = np.asarray(tensor)
        return rng.normal(0.0, values.std(), values.shape).astype(values.dtype)

    params = {
        name: weights._replace(inner=noise(weights.inner), outer=noise(weights.outer))
        for name, weights in unit.params.items()
    }
    return dataclasses.replace(unit, params=params, detail="noise", tensor_hash=None, manifest=None)


def _image(name: str) -> Image:
    from assembler import assemble

    return assemble(programs.source(name), f"{name}.sbn")


def _on_one_line(data: bytes) -> str:
    """Text for a cell of a table: blanks for line ends, cut where it is long."""
    text = " ".join(data.decode("ascii", "replace").split())
    return text if len(text) <= SHOWN_OUTPUT else text[: SHOWN_OUTPUT - 3] + "..."
