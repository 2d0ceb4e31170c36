"""The panels of an experiment or a benchmark, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from vm.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from learned_units.experiments.table import Curve, Panel

PANEL_INCHES = (6.4, 4.2)
LARGEST_MARKER, SMALLEST_MARKER = 9.0, 4.5  # hollow and of falling size: curves that coincide are all seen
LABEL_INCHES = 0.7  # beside a pair of axes
SURROUNDINGS_INCHES = 1.2  # above and below them: titles and labels
MARGIN = 0.06  # of the y axis at either end
LEGEND_LINE_INCHES, LEGEND_PAD_INCHES = 0.19, 0.2
ONE_COLUMN = 4  # curves; a legend of more has two
LEAST_IN_FULL, MOST_IN_FULL = 1e-3, 1e5  # numbers of a logarithmic axis that are written in full
SHORT_AXIS = 300  # times its lowest value: beyond, powers of ten are ticks enough
MOST_TICKS = 10
MOST_MARKED = 40  # points; a longer curve has markers at some of them only


def figure(panels: Sequence[Panel], size: tuple[float, float] | None = None) -> Figure:
    """The panels side by side. size: of the whole, inches."""
    width, height = size or (PANEL_INCHES[0] * len(panels), PANEL_INCHES[1])
    with style.styled():
        made = style.new_figure(width, height)
        for axes, panel in zip(made.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _draw(axes, panel, width / len(panels) - LABEL_INCHES, height - SURROUNDINGS_INCHES)
    return made


def _draw(axes: Axes, panel: Panel, width: float, height: float) -> None:
    """width, height: what the pair of axes has, inches."""
    families = list(dict.fromkeys(curve.family or curve.label for curve in panel.curves))
    for curve in panel.curves:
        _draw_curve(axes, curve, families.index(curve.family or curve.label), len(families))
    style.title(axes, panel.title, width)
    heights = [y for curve in panel.curves for y in curve.y if y is not None]
    if not panel.log.count("y") and min(heights, default=0.0) < 0:
        axes.axhline(0, color=style.QUIET, linewidth=1)
    axes.margins(y=MARGIN)
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    if "x" in panel.log:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:,g}")
    else:
        _tick_integers(axes, sorted({x for curve in panel.curves for x in curve.x}))
    base = 2 if all(y > 0 and math.log2(y).is_integer() for y in heights) else 10  # of a logarithmic y axis
    if "y" in panel.log:
        axes.set_yscale("log", base=base)
    elif panel.linear_below is None and min(heights, default=-1.0) >= 0:
        axes.set_ylim(bottom=0)
    elif panel.linear_below is not None:
        axes.set_yscale("symlog", linthresh=panel.linear_below)
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.set_ylim(bottom=-panel.linear_below / 4)
    told = sum(bool(curve.label) for curve in panel.curves)
    columns = 1 if told <= ONE_COLUMN else 2
    _leave_room(axes, -(-told // columns) * LEGEND_LINE_INCHES + LEGEND_PAD_INCHES, height)
    if "y" in panel.log:
        _number_in_full(axes, base)
    axes.legend(loc="best", ncols=columns)


def _tick_integers(axes: Axes, measured: list[float]) -> None:
    """Put the ticks of an x axis of whole numbers at those that were measured, where they are few and evenly spaced."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    if not all(float(x).is_integer() for x in measured):
        return
    steps = {later - earlier for earlier, later in pairwise(measured)}
    few = len(measured) <= MOST_TICKS and len(steps) <= 1
    axes.xaxis.set_major_locator(FixedLocator(measured) if few else MaxNLocator(integer=True))


def _number_in_full(axes: Axes, base: int) -> None:
    """Write the ticks of a short logarithmic axis as numbers, 60 and not 6 x 10^1, at round values only."""
    from matplotlib.ticker import LogLocator, NullFormatter

    bottom, top = axes.get_ylim()
    if bottom < LEAST_IN_FULL or top > MOST_IN_FULL:
        return
    if base == 10 and top / bottom < SHORT_AXIS:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _leave_room(axes: Axes, above: float, height: float) -> None:
    """Lengthen the y axis so that a legend of so many inches lies above all curves, on axes of that height.

    On an axis that shows 0 the room has no ticks: a share of more than 100 % is none.
    """
    if axes.get_yscale() != "log":
        bottom, top = axes.get_ylim()
        axes.set_yticks([tick for tick in axes.get_yticks() if bottom <= tick <= top])
        axes.set_yticks([], minor=True)
    scale = axes.yaxis.get_transform()
    low, high = scale.transform(axes.get_ylim())
    share = min(above / max(height, above), 0.5)
    axes.set_ylim(top=float(scale.inverted().transform([low + (high - low) / (1 - share)])[0]))


def _draw_curve(axes: Axes, curve: Curve, k: int, families: int) -> None:
    """Colour and marker tell the family; a solid line, a dashed one and crosses tell what of it is drawn."""
    points = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if y is not None]
    if not points:
        return
    colour, marker = style.COLOURS[k % len(style.COLOURS)], style.MARKERS[k % len(style.MARKERS)]
    step = (LARGEST_MARKER - SMALLEST_MARKER) / max(1, families - 1)
    looks: dict[str, dict[str, Any]] = {
        "line": {"marker": marker, "markersize": LARGEST_MARKER - k * step, "markerfacecolor": "none"},
        "dashed": {"linestyle": "--", "linewidth": 1.2},
        "points": {"linestyle": "", "marker": "x", "markersize": 7, "markeredgewidth": 1.8},
    }
    every = max(1, len(points) // MOST_MARKED)
    axes.plot(
        [x for x, _ in points],
        [y for _, y in points],
        label=curve.label,
        color=colour,
        markevery=every,
        **looks[curve.style],
    )
