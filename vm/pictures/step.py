"""One learned step: the operands and the result bit by bit, and every prediction about its threshold, pass by pass."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from learned_units.decisions import Decisions
from vm.margin import format_margin
from vm.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from learned_units.unit import Decision, Unit

WIDTH_INCHES = 8.0
BITS_INCHES, PASS_INCHES, LABEL_INCHES = 1.6, 1.2, 1.25
LEGEND = 1.1  # half gaps that are left to it
MOST_DRAWN = 2.0  # half gaps; what lies further out is drawn at the edge


def figure(
    unit: Unit,
    minuend: int,
    subtrahend: int,
    target: int,
    fall_through: int,
    size: tuple[float, float] | None = None,
) -> Figure:
    """minuend - subtrahend on the unit. size: inches. Raises ValueError for a unit that predicts nothing."""
    decisions = unit.explain(minuend, subtrahend, target, fall_through)
    if (weakest := decisions.weakest) is None:
        raise ValueError(f"nothing is predicted in a step of the unit '{unit.name}', so there is nothing to draw")
    found = unit.step(*(value % (1 << unit.word_bits) for value in (minuend, subtrahend, target, fall_through)))
    passes = [(key, list(mine)) for key, mine in itertools.groupby(decisions, lambda each: (each.stage, each.network))]
    width, height = size or (WIDTH_INCHES, BITS_INCHES + PASS_INCHES * len(passes))
    from matplotlib.ticker import MaxNLocator

    with style.styled():
        made = style.new_figure(width, height)
        ratios = [BITS_INCHES, *[PASS_INCHES] * len(passes)]
        top, *rest = made.subplots(len(passes) + 1, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        difference, next_pc = int(found.difference), int(found.next_pc)
        words = {f"{minuend}": minuend, f"− {_bracketed(subtrahend)}": subtrahend, "difference": difference}
        _draw_bits(top, unit.word_bits, words)
        finding = _finding(unit, minuend, subtrahend, difference, next_pc, decisions, weakest)
        style.title(top, finding, width - LABEL_INCHES)
        outputs = list(dict.fromkeys(each.output for each in decisions))
        for axes, ((stage, network), mine) in zip(rest, passes, strict=True):
            _draw_pass(axes, mine, outputs, weakest)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_ylabel(f"pass {stage}\n{network}", rotation=0, ha="right", va="center")
        rest[-1].set_xlabel("bit of the word")
        made.supylabel("distance of a prediction from its threshold, half gaps", fontsize=9, color=style.QUIET)
        _explain(rest[0])
    return made


def _finding(
    unit: Unit, minuend: int, subtrahend: int, difference: int, next_pc: int, decisions: Decisions, weakest: Decision
) -> str:
    signed = difference - (1 << unit.word_bits) if difference >> (unit.word_bits - 1) else difference
    said = f"{minuend} − {_bracketed(subtrahend)}"
    nearest = f"the nearest is {format_margin(weakest.margin)} half gaps away ({unit.name}, next pc {next_pc})"
    if difference != (minuend - subtrahend) % (1 << unit.word_bits):
        return f"{said} comes out as {signed}, which is wrong: of {len(decisions)} predictions {nearest}"
    if not weakest.margin > 0:
        return f"{said} = {signed}, but a prediction is no number or stands on its threshold ({unit.name})"
    return f"{said} = {signed} by {len(decisions)} predictions, each on its side of its threshold; {nearest}"


def _bracketed(value: int) -> str:
    return f"(−{-value})" if value < 0 else str(value)


def _draw_bits(axes: Axes, word_bits: int, words: Mapping[str, int]) -> None:
    """Words by name as rows of cells, the most significant bit at the left."""
    axes.set(xlim=(word_bits - 0.4, -0.6), ylim=(len(words) - 0.4, -0.6))
    size = 8 if word_bits <= 16 else 5
    for k, word in enumerate(words.values()):
        for bit in range(word_bits):
            one = word >> bit & 1
            axes.add_patch(_cell(bit, k, style.COLOURS[0] if one else "white"))
            axes.text(bit, k, str(one), ha="center", va="center", fontsize=size, color="white" if one else "black")
    axes.set_yticks(range(len(words)), list(words))
    axes.tick_params(length=0, labelbottom=False)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _cell(x: float, y: float, face: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.42, y - 0.42), 0.84, 0.84, facecolor=face, edgecolor=style.QUIET, linewidth=0.7)


def _draw_pass(axes: Axes, decisions: Sequence[Decision], outputs: Sequence[str], weakest: Decision) -> None:
    """The predictions of one pass: above the line they are 1, below it 0."""
    axes.axhspan(-1, 1, color="#f2f2f2", zorder=0)
    axes.axhline(0, color="black", linewidth=1.1)
    mine = list(dict.fromkeys(each.output for each in decisions))
    for place, output in enumerate(mine):
        k = outputs.index(output)
        chosen = [each for each in decisions if each.output == output]
        shift = (place - (len(mine) - 1) / 2) * 0.26
        heights = [_height(each) for each in chosen]
        colour, marker = style.COLOURS[k % len(style.COLOURS)], style.MARKERS[k % len(style.MARKERS)]
        x = [each.bit - shift for each in chosen]
        axes.vlines(x, 0, heights, color=colour, linewidth=0.9, alpha=0.6)
        axes.plot(x, heights, linestyle="", marker=marker, markersize=4.5, color=colour, label=output)
        circled = {"marker": "o", "markersize": 12, "markerfacecolor": "none", "color": "black"}
        for at in (at for at, each in zip(x, chosen, strict=True) if each is weakest):
            axes.plot([at], [_height(weakest)], linestyle="", **circled)
    axes.set_ylim(-MOST_DRAWN, MOST_DRAWN + LEGEND)
    axes.set_yticks([-1, 0, 1])
    if len(mine) > 1 or len(outputs) > 1:
        axes.legend(loc="upper left", ncols=len(mine), handletextpad=0.2, columnspacing=1.0, borderpad=0.2)


def _height(each: Decision) -> float:
    """A margin with the sign of the answer: above the threshold or below it."""
    margin = 0.0 if math.isnan(each.margin) else abs(each.margin)
    above = each.prediction > each.threshold
    return max(-MOST_DRAWN, min(MOST_DRAWN, margin if above else -margin))


def _explain(axes: Axes) -> None:
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1}
    for height, side, said in ((0.98, "top", "above the threshold: 1"), (0.04, "bottom", "below: 0")):
        looks = {"ha": "right", "va": side, "fontsize": 7.5, "color": style.QUIET, "bbox": box}
        axes.annotate(said, (0.995, height), xycoords="axes fraction", **looks)
