"""What an experiment hands back: a table of figures, and which of them to draw."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

Cell = str | int | float | None  # None: does not apply


@dataclass(frozen=True)
class Curve:
    """One line of a picture. Points with a y of None are left out; the legend leaves out a curve without a label.

    `style` is "line", "points", or "dashed". Curves of one family have one colour, and no other curve has it: theory
    beside measurement, before beside after. By default a curve is a family of its own.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    style: str = "line"
    family: str | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes. `title` is the finding; labels name the unit.

    `log` names the logarithmic axes: "", "x", "y" or "xy". With `linear_below` the y axis is logarithmic above that
    value and linear from there down to 0, which it shows.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log: str = ""
    linear_below: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows under columns, what must be known to read them, and the panels of the picture."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    panels: tuple[Panel, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"'{self.title}': a row of {len(row)} cells under {len(self.columns)} columns")

    def column(self, name: str) -> list[Cell]:
        """The cells under one column, from top to bottom."""
        k = self.columns.index(name)
        return [row[k] for row in self.rows]

    def as_csv(self) -> str:
        """Columns and rows, numbers in full, cells that do not apply empty. Notes are left out."""
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return written.getvalue()

    def shown(self) -> list[tuple[str, ...]]:
        """Columns and rows as they are printed."""
        return [self.columns, *(tuple(shown(cell) for cell in row) for row in self.rows)]

    def numeric(self) -> list[int]:
        """The columns that hold numbers, to be aligned at their right."""
        return [k for k in range(len(self.columns)) if any(isinstance(row[k], (int, float)) for row in self.rows)]


def shown(cell: Cell) -> str:
    """One cell as it is printed: three digits of a fraction, a zero without a sign, thousands in integers set apart."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell + 0.0:.3g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
