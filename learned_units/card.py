"""How a value shows itself in a notebook: a small card, one piece of HTML that needs nothing around it.

Type and text colour are the notebook's own, and lines are grey that shows on white and on black, so one card serves
light and dark. Every text is escaped; only what is named `body` is taken for HTML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

LINE = "1px solid rgba(128, 128, 128, 0.45)"
FRAME = f"display: inline-block; max-width: 100%; border: {LINE}; border-radius: 6px; padding: 0.5em 0.8em"
CELL = "padding: 0.1em 0.8em 0.1em 0; border: 0; vertical-align: top; background: transparent; line-height: 1.45"
NAME = "white-space: nowrap; font-weight: normal; opacity: 0.75"
TABLE = "color: inherit; border-collapse: collapse; border: 0; margin: 0; font-size: 0.92em"
FIXED = "margin: 0; padding: 0; background: transparent; color: inherit; font-size: 0.92em; white-space: pre-wrap"


def card(title: str, fields: Iterable[tuple[str, str]], body: str = "") -> str:
    """A title, names with their values, and below them a body that is HTML already."""
    rows = "".join(
        f'<tr><th scope="row" style="{CELL}; {NAME}; text-align: left">{html.escape(name)}</th>'
        f'<td style="{CELL}; text-align: left">{html.escape(value)}</td></tr>'
        for name, value in fields
    )
    return (
        f'<div style="{FRAME}"><div style="font-weight: bold; margin-bottom: 0.25em">{html.escape(title)}</div>'
        f'<table style="{TABLE}"><tbody>{rows}</tbody></table>{body}</div>'
    )


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = (), drawn: Sequence[int] = ()
) -> str:
    """A table with a heading. Columns numbered in `right` are aligned there; those in `drawn` hold HTML already."""

    def cell(k: int, text: str, kind: str) -> str:
        side = "right" if k in right else "left"
        shown = text if k in drawn and kind == "td" else html.escape(text)
        weight = f"; {NAME}" if kind == "th" else ""
        return f'<{kind} style="{CELL}; text-align: {side}; white-space: nowrap{weight}">{shown}</{kind}>'

    lines = ["".join(cell(k, text, "th") for k, text in enumerate(head))]
    lines += ["".join(cell(k, text, "td") for k, text in enumerate(row)) for row in rows]
    return f'<table style="{TABLE}">{"".join(f"<tr>{line}</tr>" for line in lines)}</table>'


def folded(summary: str, body: str, is_open: bool = False) -> str:
    """A line that can be opened to see a body, which is HTML already."""
    return (
        f'<details{" open" if is_open else ""} style="margin-top: 0.35em; border-top: {LINE}; padding-top: 0.25em">'
        f'<summary style="cursor: pointer">{html.escape(summary)}</summary>{body}</details>'
    )


def preformatted(text: str) -> str:
    """Text as it stands, line by line."""
    return f'<pre style="{FIXED}">{html.escape(text)}</pre>'
