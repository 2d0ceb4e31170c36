"""The panels of an experiment as a picture, drawn by matplotlib, which is an extra."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vm.console.usage import UsageError

if TYPE_CHECKING:
    from learned_units.experiments.table import Panel

PANEL_INCHES = (8.0, 4.2)
DOTS_PER_INCH = 130
STYLES: dict[str, dict[str, Any]] = {
    "line": {"marker": "o", "markersize": 3.5, "linewidth": 1.4},
    "dashed": {"linestyle": "--", "linewidth": 1.4},
    "points": {"linestyle": "", "marker": "x", "markersize": 6},
}


def file_type(path: str) -> str:
    """The type of picture a file's name asks for. Raises UsageError for one that cannot be drawn.

    To be asked before a long measurement: it also says when matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise UsageError("--plot needs matplotlib; install it with pip install 'neural-sbn[plot]'") from None
    found = Path(path).suffix.removeprefix(".").lower()
    types = sorted(FigureCanvasAgg.filetypes)
    if found not in types:
        raise UsageError(f"--plot {path}: the name must end with a type of picture, one of .{', .'.join(types)}")
    return found


def draw(panels: Sequence[Panel], type: str) -> bytes:
    """The panels side by side, as a file of this type."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * len(panels), height), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        colour = None
        for curve in panel.curves:
            points = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if y is not None]
            like = {"color": colour} if curve.style == "dashed" and colour is not None else {}
            (line,) = axes.plot(
                [x for x, _ in points], [y for _, y in points], label=curve.label, **STYLES[curve.style], **like
            )
            colour = line.get_color()
        axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
        if "x" in panel.log:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
        if "y" in panel.log:
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    written = io.BytesIO()
    figure.savefig(written, format=type, dpi=DOTS_PER_INCH)
    return written.getvalue()
