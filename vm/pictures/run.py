"""A run: the margin of every step, and which words of memory were executed and written when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vm.chunk import Chunk
from vm.margin import format_margin, verified_margin
from vm.outcome import Outcome
from vm.pictures import style
from vm.state import WORDS, Halt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vm.execution import Machine

INCHES = (8.0, 5.6)
LABEL_INCHES = 0.8  # beside the axes
HEADROOM = 0.18  # part of an axis that is left to the legend
MOST_POINTS = 4_000  # a longer run is drawn as bands
BANDS = 600  # of steps


class Steps(NamedTuple):
    """What a run did, one entry a step."""

    pcs: np.ndarray  # int64 [steps]
    written: np.ndarray  # int64 [steps], the address; -1 for the console
    margins: np.ndarray  # float32 [steps], +inf where no network decided


def record(machine: Machine, max_steps: int) -> tuple[Outcome, Steps]:
    """Run the machine, from where it stands, for at most max_steps."""
    chunks: list[Chunk] = []
    outcome = machine.run(max_steps, chunks.append)
    console = (1 << machine.image.word_bits) - 1

    def column(name: str, kind: type) -> np.ndarray:
        kept = [getattr(chunk, name) for chunk in chunks]
        return np.concatenate([np.array(each, kind) for each in kept]) if kept else np.zeros(0, kind)

    addresses = column("addresses", np.uint64)
    written = np.where(addresses == console, np.uint64(0), addresses).astype(np.int64)
    written[addresses == console] = -1
    return outcome, Steps(column("pcs", np.uint64).astype(np.int64), written, column("margins", np.float32))


def figure(
    name: str, machine: Machine, outcome: Outcome, steps: Steps, size: tuple[float, float] | None = None
) -> Figure:
    """A recorded run, that the machine has made. size: inches. Raises ValueError for one of no steps."""
    if not len(steps.pcs):
        raise ValueError("the run has no steps to draw")
    with style.styled():
        made = style.new_figure(*(size or INCHES))
        above, below = made.subplots(2, 1, sharex=True, height_ratios=(1, 1.25))
        inches = made.get_figwidth() - LABEL_INCHES
        learned = int(np.isfinite(steps.margins).sum())
        ending = "" if outcome.halt is Halt.HALTED else f", stopped ({outcome.halt.name.lower().replace('_', ' ')})"
        said = f"{name}: {learned:,} {machine.unit.scope.step_kind} step{'' if learned == 1 else 's'}{ending}"
        if learned:
            said += f", no decision closer to its threshold than {format_margin(outcome.margin)} half gaps"
        style.title(above, said, inches)
        _draw_margins(above, steps, verified_margin(machine.unit.manifest))
        executed, written = _touched(machine.size, steps)
        both = int((executed & written).sum())
        said = f"{int(executed.sum()):,} words are executed and {int(written.sum()):,} written"
        said += (
            f"; {both:,} {'is' if both == 1 else 'are'} both: the program changes its own code"
            if both
            else "; none is both"
        )
        style.title(below, said, inches)
        _draw_memory(below, steps)
        below.set_xlabel("step")
        style.count_along(below.xaxis)
        style.count_along(below.yaxis)
    return made


def _touched(size: int, steps: Steps) -> tuple[np.ndarray, np.ndarray]:
    """Which words were executed and which written: bool [size]."""
    executed, written = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    for k in range(WORDS):
        executed[steps.pcs + k] = True
    written[steps.written[steps.written >= 0]] = True
    return executed, written


def _draw_margins(axes: Axes, steps: Steps, verified: float | None) -> None:
    """Each step of a short run, bands of a long one; verified: the smallest margin over every input."""
    decided = np.isfinite(steps.margins)
    at, margins = np.flatnonzero(decided), steps.margins[decided]
    colour, looks = style.COLOURS[0], dict[str, Any]()
    if len(at) <= MOST_POINTS:
        looks = {"linestyle": "", "marker": ".", "markersize": 3, "rasterized": True}
        axes.plot(at, margins, color=colour, label="one step", **looks)
    else:
        starts = np.linspace(0, len(at), BANDS + 1).astype(int)[:-1]
        low, high = np.minimum.reduceat(margins, starts), np.maximum.reduceat(margins, starts)
        axes.fill_between(at[starts], low, high, step="post", color=colour, alpha=0.25, linewidth=0, label="all steps")
        smallest = f"smallest of {len(at) // BANDS} steps"
        axes.step(at[starts], low, where="post", color=colour, linewidth=0.9, label=smallest)
    if verified is not None:
        axes.axhline(verified, color=style.COLOURS[1], linestyle="--")
        looks = {"ha": "right", "va": "bottom", "color": style.COLOURS[1], "fontsize": 8.5}
        said, place = f"smallest over every input: {format_margin(verified)}", ("axes fraction", "data")
        axes.annotate(said, (0.995, verified), xycoords=place, **looks)
    axes.set(ylabel="margin of a step,\nhalf gaps", ylim=(0, (1 + HEADROOM) * max(margins, default=1.0)))
    if len(at):
        axes.legend(loc="upper right", ncols=2, markerscale=3)


def _draw_memory(axes: Axes, steps: Steps) -> None:
    at, stored = np.arange(len(steps.pcs)), steps.written >= 0
    address = steps.written[stored]
    looks: dict[str, Any] = {"linestyle": "", "rasterized": True}
    axes.plot(at, steps.pcs, marker="s", markersize=1.6, color=style.COLOURS[0], label="executed", **looks)
    axes.plot(at[stored], address, marker="^", markersize=2.2, color=style.COLOURS[1], label="written", **looks)
    highest = max(int(steps.pcs.max()) + WORDS, int(address.max(initial=0)))
    axes.set(ylabel="address of a word", ylim=(1.03 * highest, -HEADROOM * highest))
    axes.legend(loc="upper right", ncols=2, markerscale=3)
