"""Where the commands meet the terminal: results on stdout, talk and progress on stderr."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from typing import BinaryIO, TextIO

BAR_CELLS = 20
PROSE_COLUMNS = 100
REDRAW_SECONDS = 0.05
REFUSED = "weights refused"  # so begin reports of progress that are warnings


def stdout() -> BinaryIO:
    """Standard output, for bytes. Raises OSError where there is none."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    return sys.stdout.buffer


def write(text: str) -> None:
    """Write a result, in UTF-8 whatever the locale: sources are UTF-8, too."""
    stdout().write(text.encode("utf-8", "backslashreplace"))


def flush() -> None:
    """Hand over what was written: a reader sees it now, and a reader that has gone is noticed now."""
    if sys.stdout is not None:
        sys.stdout.flush()


def abandon_stdout() -> None:
    """Let later output, and the flush at the interpreter's end, go nowhere: the reader has gone."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def shares_lines() -> bool:
    """Whether results and talk go to a terminal, so that one may begin on a line the other left open."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))


def say_error(text: str) -> None:
    """What went wrong, on stderr."""
    Talk.clear()
    _tell(sys.stderr, text)


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as lines of aligned columns; those numbered in `right` are aligned at their right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = (
            f"{cell:>{width}}" if k in right else f"{cell:<{width}}"
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return "".join(f"{line(row)}\n" for row in rows)


def heading(text: str) -> None:
    """A line that opens a part of a longer account."""
    write(f"\n{text}\n")


def prose(text: str) -> None:
    """Sentences, filled to the terminal's width."""
    write(textwrap.fill(text, min(shutil.get_terminal_size().columns, PROSE_COLUMNS)) + "\n")


class Talk:
    """What a command says besides its results: on stderr, and, but for warnings, nothing when it is to be quiet."""

    _drawn = 0  # characters of the bar that now stands on the line; of the class, since there is one line

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._drawn_at = 0.0
        self._seen: set[str] = set()  # stages and warnings that were told

    def say(self, text: str) -> None:
        """Something nice to know."""
        if not self._quiet:
            self.report(text)

    def report(self, text: str) -> None:
        """Something to be told even when quiet: a warning, a failure, or what was asked for by an option."""
        self.clear()
        _tell(sys.stderr, text)

    def progress(self, what: str, part: float) -> None:
        """The progress of training and the like: a bar on a terminal, elsewhere one line for each stage."""
        if what.startswith(REFUSED):
            if what not in self._seen:
                self._seen.add(what)
                self.report(f"sbn: warning: {what}")
        elif self._quiet:
            return
        elif self._terminal:
            self._draw(what, part)
        else:
            stage = re.split(r": | at ", what)[0]
            if stage not in self._seen:
                self._seen.add(stage)
                _tell(sys.stderr, stage)

    def status(self, text: str) -> None:
        """A line that the next one is written over. For a terminal only; nothing when quiet."""
        if not self._quiet:
            line = text[: shutil.get_terminal_size().columns - 1]
            _tell(sys.stderr, f"\r{line}{' ' * (self._drawn - len(line))}", end="")
            Talk._drawn = len(line)

    @classmethod
    def clear(cls) -> None:
        """Take the bar off the line."""
        if cls._drawn:
            _tell(sys.stderr, "\r" + " " * cls._drawn + "\r", end="")
            cls._drawn = 0

    def _draw(self, what: str, part: float) -> None:
        now = time.monotonic()
        if self._drawn and now - self._drawn_at < REDRAW_SECONDS:
            return
        self._drawn_at = now
        filled = round(BAR_CELLS * min(max(part, 0.0), 1.0))
        self.status(f"[{'#' * filled}{'.' * (BAR_CELLS - filled)}] {what}")


def _tell(stream: TextIO | None, text: str, end: str = "\n") -> None:
    """Write to a stream that may be closed, or read by nobody any more: talk is not worth failing for."""
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.write(text + end)
            stream.flush()
