"""`sbn bench`: the units and the reference executor, measured side by side in one process."""

from __future__ import annotations

import argparse
import csv
import functools
import io
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vm.command import jax_setup, picture, result_file, terminal
from vm.command.terminal import Talk
from vm.command.usage import UsageError, stated_by_user

if TYPE_CHECKING:
    from assembler import Image
    from learned_units.unit import Unit

UNITS = ("native", "ntk-limit", "ntk", "neural-gpu", "modular")
GROWN = ("native", "ntk-limit", "ntk")  # the units that are measured at growing sizes
WARM_UP_STEPS = 5_000
BATCH_SECONDS = 1.0  # a measurement of a batch takes about that long, where --steps allows it
BATCH_MEMORY = 4_096  # words of each machine of a batch

# Never ends. Each round: two steps on words that look random (a linear recurrence modulo 2^W), one on small numbers,
# one on equal operands, and one where a borrow runs through the whole word and the branch is taken.
SOURCE = """
        .isa   sbn
loop:   sbn    a, b, .+3
        sbn    b, a, .+3
        sbn    one, count, .+3
        sbn    zero, zero
        sbn    one, zero, loop
a:      .word  1
b:      .word  {b}
one:    .word  1
zero:   .word  0
count:  .word  0
"""
COLUMNS = ("executor", "machines", "lockstep", "steps/s", "of the reference", "compile s", "evaluations/s")
GROWTH = {
    "width": (8, 12, 16, 24, 32, 48, 64),
    "memory": (64, 1_024, 16_384, 65_536),
    "ensemble": (1, 2, 4),
    "machines": (1, 16, 64, 256, 1_024, 4_096),
}


@dataclass(frozen=True)
class Contender:
    """One way to run the program: `run` executes about that many steps more, and says how many."""

    name: str
    machines: int
    lockstep: bool | None  # None where there is nothing to compare
    run: Callable[[int], int]
    evaluations: int = 0  # of networks, a step
    compile_seconds: float | None = None


@dataclass(frozen=True)
class Measured:
    """A contender and its median speed."""

    contender: Contender
    speed: float  # steps/s


def run(options: argparse.Namespace) -> int:
    """Measure in rounds, each contender once in each, and print the medians."""
    if options.plot is not None and options.growth is None:
        raise UsageError("--plot draws speeds as a size grows; say which with --growth")
    talk = Talk(options.quiet)
    jax_setup.prepare()
    if options.growth is not None:
        return _growth(options, talk)
    with stated_by_user():
        image = _program(options.width)
        contenders = [_reference(image)]
        for name in UNITS:
            unit = _unit(name, image, talk)
            contenders += [_single(unit, image, None, lockstep) for lockstep in (False, True)]
            if options.machines:
                contenders.append(_batch(unit, image, options.machines))
    measured = _measure(contenders, options, talk)
    talk.say(
        f"{options.width}-bit sbn, medians of {options.repeat} x {options.steps:,} steps of one machine of "
        f"{image.memory_size():,} words, and of batches, with {BATCH_MEMORY:,} words each, for about "
        f"{BATCH_SECONDS:.0f} s, on {_devices()}; compile s: tracing, and compiling or reading what was compiled before"
    )
    rows = [COLUMNS, *(_row(each, measured[0].speed) for each in measured)]
    _write(rows, options.csv, right=(1, 3, 4, 5, 6))
    if not options.csv:
        _write_utilisation(measured, image, talk)
    return 0


def _measure(contenders: Sequence[Contender], options: argparse.Namespace, talk: Talk) -> list[Measured]:
    steps = []
    for contender in contenders:
        contender.run(min(options.steps, WARM_UP_STEPS))
        if contender.machines == 1:
            steps.append(options.steps)
            continue
        steps.append(_steps_of_a_batch(contender, 1_000 * options.steps))
    speeds: list[list[float]] = [[] for _ in contenders]
    for turn in range(options.repeat):
        for k, contender in enumerate(contenders):
            talk.progress(f"measuring {contender.name}", (turn * len(contenders) + k) / (options.repeat * len(speeds)))
            began = time.perf_counter()
            done = contender.run(steps[k])
            speeds[k].append(done / (time.perf_counter() - began))
    talk.clear()
    return [Measured(each, statistics.median(speed)) for each, speed in zip(contenders, speeds, strict=True)]


def _steps_of_a_batch(contender: Contender, most: int) -> int:
    """How many steps take about BATCH_SECONDS."""
    steps = 16 * contender.machines
    while True:
        began = time.perf_counter()
        done = contender.run(min(steps, most))
        seconds = time.perf_counter() - began
        if seconds > BATCH_SECONDS / 4 or steps >= most:
            return min(int(done * BATCH_SECONDS / seconds), most)
        steps *= 4


def _program(width: int) -> Image:
    from assembler import assemble

    return assemble(SOURCE.format(b=12345 % (1 << (width - 1))), "bench.sbn", word_bits=width)


def _unit(name: str, image: Image, talk: Talk) -> Unit:
    from learned_units import load_unit

    unit = load_unit(name, image.word_bits, image.isa, progress=talk.progress)
    talk.clear()
    return unit


def _reference(image: Image) -> Contender:
    from vm.reference import ReferenceMachine

    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry)

    def run(steps: int) -> int:
        return len(machine.run(steps).pcs)

    return Contender("reference", 1, None, run)


def _single(unit: Unit, image: Image, memory: int | None, lockstep: bool) -> Contender:
    """One machine."""
    from vm.execution import Machine

    machine = Machine(image, unit, memory=memory, check=lockstep)
    began = time.perf_counter()
    machine.run(0)
    compiled = time.perf_counter() - began

    def run(steps: int) -> int:
        return machine.run(steps).steps

    return Contender(unit.name, 1, lockstep, run, unit.spec.evaluations, compiled)


def _batch(unit: Unit, image: Image, machines: int) -> Contender:
    """Many machines; none is replayed, as `run` measures what a step takes."""
    from vm.batch import run_batch

    memory = min(BATCH_MEMORY, image.memory_size())
    batch = functools.partial(run_batch, image, unit, [b""] * machines, memory=memory, check=0)
    began = time.perf_counter()
    batch(max_steps=1)
    compiled = time.perf_counter() - began

    def run(steps: int) -> int:
        return sum(outcome.steps for outcome in batch(max_steps=max(1, steps // machines)))

    return Contender(unit.name, machines, False, run, unit.spec.evaluations, compiled)


def _row(measured: Measured, reference: float) -> tuple[str, ...]:
    each, speed = measured.contender, measured.speed
    return (
        each.name,
        f"{each.machines:,}",
        "-" if each.lockstep is None else "on" if each.lockstep else "off",
        f"{speed:,.0f}",
        f"{speed / reference:.3f}",
        "-" if each.compile_seconds is None else f"{each.compile_seconds:.2f}",
        f"{speed * each.evaluations:,.0f}" if each.evaluations else "-",
    )


def _write(rows: Sequence[Sequence[str]], as_csv: bool, right: Sequence[int]) -> None:
    """The table, aligned, or as comma-separated values without the commas in numbers."""
    if not as_csv:
        terminal.write(terminal.table(rows, right=right))
        return
    text = io.StringIO()
    head, *body = rows
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in body:
        writer.writerow(cell.replace(",", "").removeprefix("-") if k in right else cell for k, cell in enumerate(row))
    terminal.write(text.getvalue())


def _growth(options: argparse.Namespace, talk: Talk) -> int:
    """Speeds as one size grows: word width, memory, hidden units of the ensembles or number of machines."""
    from learned_units.experiments.table import Curve, Panel

    what, type = options.growth, None
    plot: str | None = options.plot
    if plot is not None:
        type = picture.file_type(plot)
        result_file.check(plot)
    names = GROWN if what != "ensemble" else ("ntk",)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for size in GROWTH[what]:
        image = _program(size if what == "width" else options.width)
        for name in names:
            unit, shown = _unit(name, image, talk), size
            if what == "machines":
                contender = _batch(unit, image, size)
            elif what == "ensemble":
                contender = _single(_repeated(unit, size), image, None, False)
                shown = size * sum(each.inner.shape[-1] for each in unit.params.values())
            else:
                contender = _single(unit, image, size if what == "memory" else None, False)
            found[name].append((shown, _measure([contender], options, talk)[0].speed))
    label = {"width": "bits of a word", "memory": "words of memory", "ensemble": "hidden units"}.get(what, what)
    rows = [(f"{x:,}", name, f"{speed:,.0f}") for name, points in found.items() for x, speed in points]
    talk.say(f"medians of {options.repeat}, on {_devices()}")
    _write([(label, "executor", "steps/s"), *rows], options.csv, right=(0, 2))
    if plot is not None and type is not None:
        curves = tuple(
            Curve(name, tuple(x for x, _ in points), tuple(y for _, y in points)) for name, points in found.items()
        )
        panel = Panel(f"growth with {label}", label, "steps/s", curves, log="xy")
        result_file.write(plot, picture.draw([panel], type))
        talk.say(f"picture written to {plot}")
    return 0


def _repeated(unit: Unit, times: int) -> Unit:
    """The unit with each hidden unit there `times` times at a share of its weight: the same answers, more work."""
    import dataclasses

    import jax.numpy as jnp

    params = {
        name: each._replace(
            inner=jnp.concatenate([each.inner] * times, axis=-1),
            outer=jnp.concatenate([each.outer / jnp.float32(times)] * times, axis=0),
        )
        for name, each in unit.params.items()
    }
    return dataclasses.replace(unit, params=params)


def _write_utilisation(measured: Sequence[Measured], image: Image, talk: Talk) -> None:
    """What the trained unit's networks compute and read a second, beside what this machine can."""
    from learned_units.ntk.unit import NtkSpec
    from learned_units.tasks import subtract_branch

    flops_peak, bytes_peak = _peaks()
    rows: list[tuple[str, ...]] = [("trained unit", "flop/s", "of a product's", "bytes/s of weights", "of a copy's")]
    unit = _unit("ntk", image, talk)
    assert isinstance(unit.spec, NtkSpec)
    sets = subtract_branch.template_sets(unit.spec.group)
    passes = subtract_branch.schedule(image.word_bits, image.isa, unit.spec.group)
    for each in measured:
        if each.contender.name != "ntk" or each.contender.lockstep:
            continue
        flops = bytes_read = 0
        for step in passes:
            template_set, weights = sets[step.network], unit.params[step.network]
            units = weights.inner.shape[-1]
            products = units * (template_set.group + template_set.output_bits) * step.groups(template_set.group)
            flops += 2 * products
            bytes_read += 4 * products
        alone = each.contender.machines == 1
        rows.append(
            (
                f"{each.contender.machines:,} machines" if not alone else "one machine",
                f"{each.speed * flops:.2e}",
                f"{each.speed * flops / flops_peak:.2f}",
                f"{each.speed * bytes_read:.2e}" if alone else "-",
                f"{each.speed * bytes_read / bytes_peak:.2f}" if alone else "-",
            )
        )
    terminal.write("\n" + terminal.table(rows, right=(1, 2, 3, 4)))
    talk.say(
        f"measured peaks: {flops_peak:.2e} flop/s in a matrix product, {bytes_peak:.2e} bytes/s in a copy "
        "through memory; weights that stay in the caches are read faster"
    )


def _peaks() -> tuple[float, float]:
    """What a matrix product of one device makes a second, in flop, and what a copy moves, in bytes."""
    import jax
    import jax.numpy as jnp

    size, words = 1_024, 1 << 24

    def best(function: Callable, *given) -> float:
        compiled = jax.jit(function)
        jax.block_until_ready(compiled(*given))
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            jax.block_until_ready(compiled(*given))
            seconds.append(time.perf_counter() - began)
        return min(seconds)

    square = jnp.ones((size, size), jnp.float32)
    product = best(lambda x: jnp.dot(x, x, precision=jax.lax.Precision.HIGHEST), square)
    copy = best(lambda x: x + jnp.float32(1), jnp.ones(words, jnp.float32))
    return 2 * size**3 / product, 8 * words / copy


def _devices() -> str:
    import jax

    found = jax.devices()
    return found[0].device_kind if len(found) == 1 else f"{len(found)} x {found[0].device_kind}"
