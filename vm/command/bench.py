"""`sbn bench`: the units and the reference executor, measured side by side in one process."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vm.console import jax_setup, outputs, picture, terminal
from vm.console.launch import UsageError, stated_by_user
from vm.console.terminal import Talk

if TYPE_CHECKING:
    from learned_units.unit import Unit
    from vm.benchmark.measuring import Measured
    from vm.benchmark.start import Start

UNITS = ("native", "ntk-limit", "ntk", "ntk-bits", "neural-gpu", "modular")
WHOLE = ("ntk-limit", "ntk")  # units of the whole machines
COLUMNS = (
    "executor",
    "machines",
    "lockstep",
    "steps/s",
    "of the reference",
    "lockstep costs",
    "compile s",
    "evaluations/s",
)
STOP_COLUMNS = ("unit", "steps/s without stops", "steps/s with the stop", "hits/s", "hits/s in the history")


def run(options: argparse.Namespace) -> int:
    """Measure in rounds, each contender once in each, and print the medians."""
    if options.plot is not None and options.growth is None:
        raise UsageError("--plot draws how speeds change as a size grows; choose the size with --growth")
    talk = Talk(options.quiet)
    jax_setup.prepare()
    if options.growth is not None:
        return _growth(options, talk)
    if options.stops:
        return _stops(options, talk)
    from learned_units.whole.machine import load_whole
    from vm.benchmark import contenders
    from vm.benchmark.measuring import measure

    with stated_by_user():
        image = contenders.program(options.width)
    units = [_unit(name, options.width, talk) for name in UNITS]
    measured_ones = [contenders.reference(image)]
    for unit in units:
        measured_ones += [contenders.single(unit, image, None, lockstep) for lockstep in (False, True)]
        if options.machines:
            measured_ones += [contenders.batch(unit, image, options.machines, each) for each in (False, True)]
    for name in WHOLE:
        machine = load_whole(contenders.WHOLE_CELLS, contenders.WHOLE_BITS, image.isa, name, progress=talk.progress)
        measured_ones += [contenders.whole(machine, lockstep) for lockstep in (False, True)]
    measured = measure(measured_ones, options.repeat, options.seconds, talk.progress)
    talk.clear()
    talk.say(
        f"{options.width}-bit sbn, medians of {options.repeat} x {options.seconds:g} s, on {_devices()}; one machine "
        f"has {image.memory_size():,} words, those of a batch {contenders.BATCH_MEMORY:,} each, of which with lockstep "
        f"{contenders.CHECKED} are replayed; whole machines have {contenders.WHOLE_CELLS} cells of "
        f"{contenders.WHOLE_BITS} bits. Compile s: tracing, and compiling or reading what was compiled before"
    )
    _write([COLUMNS, *_rows(measured)], options.csv, right=(1, *range(3, len(COLUMNS))))
    if not options.csv:
        _write_utilisation(measured, units[UNITS.index("ntk")], talk)
        if options.start:
            _write_start(options.repeat, talk)
    return 0


def _unit(name: str, width: int, talk: Talk) -> Unit:
    from learned_units import load_unit

    unit = load_unit(name, width, "sbn", progress=talk.progress)
    talk.clear()
    return unit


def _rows(measured: Sequence[Measured]) -> list[tuple[str, ...]]:
    """One row each; what lockstep costs is told beside the same contender without it, which stands before it."""
    rows = []
    for k, one in enumerate(measured):
        each = one.contender
        rows.append(
            (
                each.name,
                f"{each.machines:,}",
                "-" if each.lockstep is None else "on" if each.lockstep else "off",
                f"{one.speed:,.0f}",
                f"{one.ratio(measured[0]):.3f}",
                f"{1 - one.ratio(measured[k - 1]):.3f}" if each.lockstep else "-",
                "-" if each.compile_seconds is None else f"{each.compile_seconds:.2f}",
                f"{one.speed * each.evaluations:,.0f}" if each.evaluations else "-",
            )
        )
    return rows


def _write(rows: Sequence[Sequence[str]], as_csv: bool, right: Sequence[int]) -> None:
    """The table, aligned, or as comma-separated values without the commas in numbers."""
    if not as_csv:
        terminal.write_table(rows, right=right)
        return
    text = io.StringIO()
    head, *body = rows
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in body:
        writer.writerow("" if cell == "-" else cell.replace(",", "") for cell in row)
    terminal.write(text.getvalue())


def _write_utilisation(measured: Sequence[Measured], unit: Unit, talk: Talk) -> None:
    from vm.benchmark import utilisation

    work, peaks = utilisation.work(unit), utilisation.peaks()
    rows: list[tuple[str, ...]] = [("trained unit", "flop/s", "of a product's", "bytes/s of weights", "of a copy's")]
    for each in measured:
        if each.contender.name != unit.name or each.contender.lockstep:
            continue
        alone = each.contender.machines == 1
        rows.append(
            (
                "one machine" if alone else f"{each.contender.machines:,} machines",
                f"{each.speed * work.flop:.2e}",
                f"{each.speed * work.flop / peaks.flop:.2f}",
                f"{each.speed * work.bytes:.2e}" if alone else "-",
                f"{each.speed * work.bytes / peaks.bytes:.2f}" if alone else "-",
            )
        )
    terminal.write("\n")
    terminal.write_table(rows, right=(1, 2, 3, 4))
    talk.say(
        f"measured peaks: {peaks.flop:.2e} flop/s in a matrix product, {peaks.bytes:.2e} bytes/s in a copy "
        "through memory; weights that stay in the caches are read faster"
    )


def _write_start(rounds: int, talk: Talk) -> None:
    from vm.benchmark import start

    found = start.measure(rounds, talk.progress)
    talk.clear()
    terminal.write("\n")
    terminal.write_table(_start_rows(found), right=range(1, len(found) + 1))


def _start_rows(found: Sequence[Start]) -> list[tuple[str, ...]]:
    parts = [[f"{each.parts[part]:.2f}" for each in found] for part in found[0].parts]
    return [
        ("start of `sbn run hello`, seconds", *(each.kind for each in found)),
        *((name, *seconds) for name, seconds in zip(found[0].parts, parts, strict=True)),
        ("all", *(f"{each.total:.2f}" for each in found)),
    ]


def _growth(options: argparse.Namespace, talk: Talk) -> int:
    """Speeds as one size grows: the table and, if asked for, the picture."""
    from learned_units.experiments.table import Curve, Panel
    from vm.benchmark import growth

    plot: str | None = options.plot
    target = picture.requested("--plot", plot, options)
    outputs.check({"--plot": plot}, {})
    with stated_by_user():
        points = growth.grow(
            options.growth,
            options.width,
            options.repeat,
            options.seconds,
            lambda name, width: _unit(name, width, talk),
            talk.progress,
        )
    talk.clear()
    label = growth.LABELS[options.growth]
    rows = [(f"{point.size:,}", point.unit, f"{point.speed:,.0f}") for point in points]
    talk.say(f"medians of {options.repeat} x {options.seconds:g} s, on {_devices()}")
    _write([(label, "executor", "steps/s"), *rows], options.csv, right=(0, 2))
    if target is not None:
        from vm.pictures import panels

        names = dict.fromkeys(point.unit for point in points)
        of = {name: [point for point in points if point.unit == name] for name in names}
        curves = tuple(
            Curve(name, tuple(float(each.size) for each in found), tuple(each.speed for each in found))
            for name, found in of.items()
        )
        panel = Panel(growth.finding(points, label), label, "steps/s", curves, log="xy")
        target.write(panels.figure([panel], target.size), talk)
    return 0


def _stops(options: argparse.Namespace, talk: Talk) -> int:
    """Conditional stops of the debugger."""
    from vm.benchmark import stops

    units = [_unit(name, options.width, talk) for name in UNITS]
    found = [stops.measure(unit, options.repeat, options.seconds, talk.progress) for unit in units]
    talk.clear()
    talk.say(
        f"{options.width}-bit sbn in the debugger, with lockstep, medians of {options.repeat} x {options.seconds:g} s, "
        f"on {_devices()}; `break L if [word] == constant` is met every {stops.STEPS_A_HIT} steps, and never holds"
    )
    rows = [tuple([met.unit, *(f"{speed:,.0f}" for speed in (met.free, met.stopped, met.hits, met.replayed))])
            for met in found]  # fmt: skip
    _write([STOP_COLUMNS, *rows], options.csv, right=range(1, len(STOP_COLUMNS)))
    return 0


def _devices() -> str:
    import jax

    found = jax.devices()
    return found[0].device_kind if len(found) == 1 else f"{len(found)} x {found[0].device_kind}"
