"""Progress that shows itself: a line on a terminal or in a notebook, for whoever calls from Python and asked for none.

Nothing is shown before SOON seconds, nor where nobody watches.
"""

from __future__ import annotations

import contextlib
import html
import inspect
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import RenderableType

SOON = 0.5  # seconds: work that is done sooner shows nothing
REDRAW_SECONDS = 0.1
BAR_CELLS = 20
WARNINGS = (
    "weights refused",
    "weights are not kept",
    "record damaged",
)  # so begin reports of progress that are warnings
_PACKAGE = __name__.partition(".")[0]


class Line(Protocol):
    """A place that shows one line, over and over."""

    def show(self, what: str, part: float | None) -> None:
        """What is being done, and the part of it that is done, 0..1, where that is known."""
        ...

    def close(self, what: str, seconds: float) -> None: ...


@contextlib.contextmanager
def shown() -> Iterator[Callable[[str, float | None], None] | None]:
    """A progress that shows itself while the context lasts; None where nobody watches."""
    if _in_notebook():
        display = Display(_NotebookLine)
    elif sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        display = Display(_TerminalLine)
    else:
        yield None
        return
    try:
        yield display
    finally:
        display.close()


def warn(what: str) -> None:
    """A warning that names the line outside of this package from which it was called."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(what, stacklevel=level + 1)


class Display:
    """Takes in reports of progress, and draws some of them on a line made when there is something to draw."""

    def __init__(self, make: Callable[[], Line]) -> None:
        self._make = make
        self._line: Line | None = None
        self._what = ""
        self._began = time.monotonic()
        self._next = self._began + SOON

    def __call__(self, what: str, part: float | None) -> None:
        if what.startswith(WARNINGS):
            warn(what)
            return
        self._what, now = what, time.monotonic()
        if now < self._next:
            return
        self._next = now + REDRAW_SECONDS
        self._line = self._line or self._make()
        self._line.show(what, part)

    def close(self) -> None:
        """Take the line away, or say that it is done."""
        if self._line is not None:
            self._line.close(self._what, time.monotonic() - self._began)
            self._line = None


def bar(what: str, part: float | None) -> RenderableType:
    """A bar, the percentage and what is being done, for a terminal; without a known part, what is being done."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    said = Text(what, no_wrap=True, overflow="ellipsis")
    if part is None:
        return said
    done = min(max(part, 0.0), 1.0)
    line = Table.grid(padding=(0, 1))
    line.add_row(ProgressBar(1.0, done, width=BAR_CELLS), f"{done:4.0%}", said)
    return line


class _TerminalLine:
    """The last line of stderr, which is gone at the end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=sys.stderr, color_system=None if os.environ.get("NO_COLOR") else "auto")
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def show(self, what: str, part: float | None) -> None:
        self._live.update(bar(what, part), refresh=True)

    def close(self, what: str, seconds: float) -> None:
        self._live.stop()


class _NotebookLine:
    """An output of the cell; at the end it says how long the work took."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, what: str, part: float | None) -> None:
        meter = "" if part is None else f'<progress max="1" value="{part:.3f}"></progress> {part:.0%} '
        self._put(f"<div>{meter}{html.escape(what)}</div>", what if part is None else f"{part:4.0%} {what}")

    def close(self, what: str, seconds: float) -> None:
        text = f"{what}; done in {seconds:.1f} s"
        self._put(f'<div style="opacity: 0.75">{html.escape(text)}</div>', text)

    def _put(self, markup: str, text: str) -> None:
        from IPython.display import display  # pyright: ignore[reportMissingImports]

        bundle = {"text/html": markup, "text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _in_notebook() -> bool:
    """Whether this is the kernel of a notebook, which shows HTML; an IPython terminal is a terminal."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
