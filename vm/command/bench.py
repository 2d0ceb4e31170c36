"""`sbn bench`: the units and the reference executor, measured side by side in one process."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from vm.command import jax_setup, terminal
from vm.command.terminal import Talk

UNITS = ("native", "ntk-limit", "ntk", "neural-gpu", "modular")
WARM_UP_STEPS = 5_000

# Never ends. Each round: two steps on words that look random (a linear recurrence modulo 2^16), one on small numbers,
# one on equal operands, and one where a borrow runs through the whole word and the branch is taken.
SOURCE = """
        .isa   sbn
        .width 16
loop:   sbn    a, b, .+3
        sbn    b, a, .+3
        sbn    one, count, .+3
        sbn    zero, zero
        sbn    one, zero, loop
a:      .word  1
b:      .word  12345
one:    .word  1
zero:   .word  0
count:  .word  0
"""
COLUMNS = ("executor", "lockstep", "steps/s", "of the reference", "compile s", "evaluations/s")
CSV_COLUMNS = "executor,lockstep,steps_per_second,ratio_to_reference,compile_seconds,evaluations_per_second"


@dataclass(frozen=True)
class Contender:
    """One way to run the program: `run` executes that many steps more."""

    name: str
    lockstep: bool
    run: Callable[[int], object]
    evaluations: int  # of networks, a step
    compile_seconds: float


def run(options: argparse.Namespace) -> int:
    """Measure in rounds, each contender once in each, and print the medians."""
    talk = Talk(options.quiet)
    jax_setup.prepare()
    contenders = _contenders(talk)
    for contender in contenders:
        contender.run(min(options.steps, WARM_UP_STEPS))
    seconds: list[list[float]] = [[] for _ in contenders]
    for turn in range(options.repeat):
        for k, contender in enumerate(contenders):
            talk.progress(f"measuring {contender.name}", (turn * len(contenders) + k) / (options.repeat * len(seconds)))
            began = time.perf_counter()
            contender.run(options.steps)
            seconds[k].append(time.perf_counter() - began)
    talk.clear()
    speeds = [options.steps / statistics.median(each) for each in seconds]
    talk.say(
        f"16-bit sbn, one machine of 65,536 words, medians of {options.repeat} x {options.steps:,} steps on "
        f"{_device()}; compile s: tracing, and compiling or reading what was compiled before"
    )
    terminal.write((_as_csv if options.csv else _as_table)(contenders, speeds))
    return 0


def _contenders(talk: Talk) -> list[Contender]:
    """The reference first, then each unit with and without lockstep."""
    from assembler import assemble
    from learned_units import load_unit
    from vm.execution import Machine
    from vm.reference import ReferenceMachine

    image = assemble(SOURCE, "bench.sbn")
    reference = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry)
    contenders = [Contender("reference", False, reference.run, 0, 0.0)]
    for name in UNITS:
        unit = load_unit(name, image.word_bits, image.isa, progress=talk.progress)
        talk.clear()
        began = time.perf_counter()
        machine = Machine(image, unit, check=False)
        machine.run(0)
        compile_seconds = time.perf_counter() - began
        for checked in (False, True):
            run = Machine(image, unit, check=checked).run
            contenders.append(Contender(name, checked, run, unit.spec.evaluations, compile_seconds))
    return contenders


def _as_table(contenders: list[Contender], speeds: list[float]) -> str:
    rows: list[tuple[str, ...]] = [COLUMNS]
    for each, speed in zip(contenders, speeds, strict=True):
        rows.append(
            (
                each.name,
                "-" if each.name == "reference" else "on" if each.lockstep else "off",
                f"{speed:,.0f}",
                f"{speed / speeds[0]:.3f}",
                f"{each.compile_seconds:.2f}" if each.name != "reference" else "-",
                f"{speed * each.evaluations:,.0f}" if each.evaluations else "-",
            )
        )
    return terminal.table(rows, right=(2, 3, 4, 5))


def _as_csv(contenders: list[Contender], speeds: list[float]) -> str:
    lines = [CSV_COLUMNS]
    for each, speed in zip(contenders, speeds, strict=True):
        lockstep = "" if each.name == "reference" else "on" if each.lockstep else "off"
        lines.append(
            f"{each.name},{lockstep},{speed:.0f},{speed / speeds[0]:.4f},{each.compile_seconds:.3f},"
            f"{speed * each.evaluations:.0f}"
        )
    return "".join(f"{line}\n" for line in lines)


def _device() -> str:
    import jax

    return jax.devices()[0].device_kind
