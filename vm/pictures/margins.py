"""The margins of all decisions on every input that a unit's networks can receive, as a histogram."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from learned_units import devices
from learned_units.proof import enumeration
from vm.margin import format_margin
from vm.pictures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from learned_units.circuits.literals import LiteralSet
    from learned_units.circuits.templates import TemplateSet

INCHES = (8.0, 4.4)
LABEL_INCHES = 0.7  # beside the axes
BIN = 0.05  # half gaps
FIRST, LAST = -2.0, 4.0  # what lies further out is counted at the ends


class Counted(NamedTuple):
    """The decisions of one network on every input it can receive."""

    inputs: int
    counts: np.ndarray  # int64 [bins], decisions by signed margin
    smallest: float


def count(
    sets: Mapping[str, TemplateSet | LiteralSet], params: Mapping[str, Any], progress: Callable[[str, float], None]
) -> dict[str, Counted]:
    """Run every network on every input it can receive, once more, and count its margins."""
    edges = bin_edges()
    found = {}
    for name, template_set in sets.items():
        inputs = template_set.reachable_inputs()
        block = devices.block_size(len(inputs), enumeration.BLOCK)
        counts, smallest, done = np.zeros(len(edges) - 1, np.int64), np.inf, 0
        for _, _, margins in enumeration.signed_margins(template_set, params[name], inputs, block):
            counts += np.histogram(np.clip(np.nan_to_num(margins, nan=FIRST), FIRST, LAST), edges)[0]
            smallest = float(np.minimum(smallest, margins.min()))
            done += len(margins)
            progress(f"counting the margins of '{name}'", done / len(inputs))
        found[name] = Counted(len(inputs), counts, smallest)
    return found


def bin_edges() -> np.ndarray:
    """One of them is 0: what is wrong and what is right are in different bins."""
    return np.arange(round(FIRST / BIN), round(LAST / BIN) + 1) * BIN


def figure(counted: Mapping[str, Counted], floor: float | None, size: tuple[float, float] | None = None) -> Figure:
    """floor: the smallest margin that is accepted. size: inches."""
    edges = bin_edges()
    smallest = float(min(each.smallest for each in counted.values()))
    total = sum(int(each.counts.sum()) for each in counted.values())
    inputs = sum(each.inputs for each in counted.values())
    with style.styled():
        made = style.new_figure(*(size or INCHES))
        axes = made.subplots()
        for k, (name, each) in enumerate(counted.items()):
            looks = {"color": style.COLOURS[k % len(style.COLOURS)], "linestyle": style.DASHES[k % len(style.DASHES)]}
            heights = np.where(each.counts > 0, each.counts, np.nan)
            axes.stairs(heights, edges, label=f"{name}, {each.inputs:,} inputs", linewidth=1.6, **looks)
        low = min(-0.3, np.floor(smallest * 2) / 2)
        used = np.flatnonzero(np.sum([each.counts for each in counted.values()], axis=0))
        highest = max(int(each.counts.max()) for each in counted.values())
        axes.set(yscale="log", xlim=(low, edges[used[-1] + 1] + 0.1), ylim=(0.7, 5 * highest))
        axes.set(xlabel="margin of a decision, half gaps (1 is nominal)", ylabel=f"decisions in each {BIN:g} half gaps")
        axes.axvspan(low, 0, color=style.WRONG, alpha=0.12, linewidth=0)
        at = axes.get_xaxis_transform()
        axes.text(low / 2, 0.5, "wrong", transform=at, color=style.WRONG, ha="center", va="center", rotation=90)
        if floor is not None:
            axes.axvline(floor, color=style.QUIET, linestyle=":")
            accepted = f" accepted from {floor:g} on"
            axes.text(floor, 0.985, accepted, transform=at, va="top", color=style.QUIET, fontsize=8.5)
        if used[-1] == len(edges) - 2:
            axes.text(LAST, 0.5, f"{LAST:g} or more ", transform=at, ha="right", color=style.QUIET, fontsize=8.5)
        wrong = sum(int(each.counts[edges[:-1] < 0].sum()) for each in counted.values())
        if wrong:
            said = f"{wrong:,} of {total:,} decisions, on all {inputs:,} inputs, are wrong"
        else:
            nearest = format_margin(smallest)
            said = f"None of {total:,} decisions, on all {inputs:,} inputs, is closer to its threshold than {nearest}"
        style.title(axes, said, made.get_figwidth() - LABEL_INCHES)
        axes.legend(loc="upper right")
    return made
