"""The one style of all pictures: colours, markers, lines and type, and how a picture becomes a file.

Colours are those of Okabe and Ito, which the colour-blind tell apart, from dark to light; a marker and a line style
stand beside each, so that a picture printed in grey says the same. SVG and PDF hold their text as text.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.4)),
    (0, (6, 2, 1.5, 2)),
    (0, (3, 1)),
    (0, (8, 2)),
    (0, (2, 3)),
    (0, (4, 1, 1, 1)),
)
QUIET = "#595959"  # of what explains: thresholds, notes
WRONG = "#b2182b"
DOTS_PER_INCH = 150
TITLE_CHARACTERS = 10.6  # to an inch
MOST_TICKS = 8
TYPE: dict[str, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "legend.fontsize": 8.5,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "figure.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "sbn",  # the same picture is the same file
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """What is drawn inside has this style."""
    import matplotlib

    with matplotlib.rc_context(rc=cast(Any, TYPE)):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, with nothing global behind it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def title(axes: Axes, text: str, inches: float) -> None:
    """The finding above a pair of axes of this width, in as many lines as it takes, which are about equally long."""
    most = max(20, int(TITLE_CHARACTERS * inches))
    wrapped = [
        textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) for width in range(1, most + 1)
    ]
    axes.set_title("\n".join(next(lines for lines in wrapped if len(lines) == len(wrapped[-1]))))


def count_along(axis: Axis) -> None:
    """Ticks of an axis that counts something: at whole numbers in view, none of them negative."""
    from matplotlib.ticker import MaxNLocator

    low, high = sorted(axis.get_view_interval())
    ticks = MaxNLocator(MOST_TICKS, steps=[1, 2, 2.5, 5, 10], integer=True).tick_values(low, high)
    axis.set_ticks([tick for tick in ticks if max(low, 0) <= tick <= high and tick % 1 == 0])


def as_file(figure: Figure, type: str, dots_per_inch: float) -> bytes:
    """The figure as a file of this type, with no date in it."""
    written = io.BytesIO()
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(type)
    with styled():
        figure.savefig(written, format=type, dpi=dots_per_inch, metadata=dated)
    return written.getvalue()
