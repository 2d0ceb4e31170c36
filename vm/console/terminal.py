"""Where the commands meet the terminal: input from stdin, results on stdout, talk and progress on stderr.

What draws on a terminal is imported when it is drawn: most runs show neither a table nor a bar.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import re
import select
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TextIO, cast

from learned_units import interrupts

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.table import Table

INPUT_BYTES = 1 << 16  # read at once
LOOK_SECONDS = 0.1  # how soon Ctrl-C is seen while input is awaited
PROSE_COLUMNS = 100
TABLE_GAP = 2  # between two columns
REDRAW_SECONDS = 0.05
STDOUT = "standard output"
PIPE_COLUMNS = 1_000_000  # so wide that nothing is cut or wrapped

_waited = 0.0  # seconds, for input
_line_is_open = False  # whether results, so far, end in the middle of a line


def write(text: str) -> None:
    """Write a result, in UTF-8 whatever the locale: sources are UTF-8, too."""
    write_bytes(text.encode("utf-8", "backslashreplace"))


def write_bytes(data: bytes) -> None:
    """Write bytes to standard output. Raises OSError, with its name; so where there is none."""
    global _line_is_open
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), STDOUT)
    try:
        sys.stdout.buffer.write(data)
    except OSError as error:
        error.filename = STDOUT
        raise
    if data:
        _line_is_open = not data.endswith(b"\n")


def flush() -> None:
    """Hand over what was written: a reader sees it now, and a reader that has gone is noticed now."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError as error:
            error.filename = STDOUT
            raise


def abandon_stdout() -> None:
    """Let later output, and the flush at the interpreter's end, go nowhere: the reader has gone."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _on_open_line() -> bool:
    """Whether talk would begin on a line that results left open: both go to a terminal."""
    return _line_is_open and all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))


def say_error(text: str) -> None:
    """What went wrong, on stderr."""
    Talk.clear()
    _tell(sys.stderr, text)


def is_screen(stream: TextIO | None) -> bool:
    """Whether someone watches the stream, on a terminal that can be drawn on."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def is_conversation() -> bool:
    """Whether someone types what is read, and sees what is written."""
    return sys.stdin is not None and sys.stdin.isatty() and is_screen(sys.stdout)


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as plain lines of aligned columns; those numbered in `right` are aligned at their right."""
    from rich.table import Table

    lines = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for k in range(len(rows[0])):
        lines.add_column(justify="right" if k in right else "left", no_wrap=True)
    text = _rendered(lines, rows, on_screen=False).removesuffix("\n")
    return "".join(f"{line.rstrip()}\n" for line in text.split("\n"))


def write_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Write a table whose first row is its heading, fitted to the terminal; elsewhere as `table` has it."""
    if not is_screen(sys.stdout):
        write(table(rows, right))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    heading, *rest = rows
    lines = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    room = shutil.get_terminal_size().columns - TABLE_GAP * (len(heading) - 1)
    for k, width in enumerate(_fitted(rows, room)):
        lines.add_column(heading[k], justify="right" if k in right else "left", width=width, overflow="fold")
    write(_rendered(lines, rest, on_screen=True))


def _fitted(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The widths of the columns of a table with a heading, in `room` characters if that is enough for one each.

    The widest give way to the others, as long as they can without a word that is broken; then they break words of the
    heading, and in the end others.
    """

    def longest_words(of: Sequence[Sequence[str]]) -> list[int]:
        columns = zip(*of, strict=True)
        return [max((len(word) for cell in column for word in cell.split()), default=1) for column in columns]

    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for least in (longest_words(rows), longest_words(rows[1:] or rows), [1] * len(widths)):
        while sum(widths) > room:
            yielding = [k for k, width in enumerate(widths) if width > least[k]]
            if not yielding:
                break
            widths[max(yielding, key=widths.__getitem__)] -= 1
    return widths


def write_fields(rows: Sequence[tuple[str, str]]) -> None:
    """Write names, each with its value, fitted to the terminal; elsewhere as `table` has it."""
    if not is_screen(sys.stdout):
        write(table(rows))
        return
    from rich.table import Table

    lines = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    lines.add_column(style="bold", no_wrap=True)
    lines.add_column(overflow="fold")
    write(_rendered(lines, rows, on_screen=True))


def _rendered(lines: Table, rows: Sequence[Sequence[str]], on_screen: bool) -> str:
    """The table with these rows: for the terminal, or as plain text of any width."""
    from rich.console import Console
    from rich.text import Text

    for row in rows:
        lines.add_row(*map(Text, row))
    text = io.StringIO()
    width = shutil.get_terminal_size().columns if on_screen else PIPE_COLUMNS
    colours = _colours() if on_screen else None
    Console(file=text, force_terminal=on_screen, color_system=colours, width=width).print(lines)
    return text.getvalue()


def _colours() -> Literal["auto"] | None:
    """How a terminal shows colours: as it can, or not at all where NO_COLOR is set."""
    return None if os.environ.get("NO_COLOR") else "auto"


def heading(text: str) -> None:
    """A line that opens a part of a longer account."""
    write(f"\n{text}\n")


def prose(text: str) -> None:
    """Sentences, filled to the terminal's width."""
    write(filled(text) + "\n")


def filled(text: str, indent: str = "") -> str:
    """Sentences as lines of the terminal's width, if that is no wider than is read with ease.

    indent: what all lines but the first begin with.
    """
    return textwrap.fill(text, min(shutil.get_terminal_size().columns, PROSE_COLUMNS), subsequent_indent=indent)


class Talk:
    """What a command says besides its results: on stderr, and, but for warnings, nothing when it is to be quiet."""

    _live: Live | None = None  # what now stands on the last line; of the class, since there is one terminal

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = is_screen(sys.stderr)
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
        """The progress of training and the like: a bar on a terminal, elsewhere one line for each stage.

        Where there is progress to be told, work can stop: raises KeyboardInterrupt if Ctrl-C was pressed.
        """
        interrupts.check()
        from learned_units.progress import WARNINGS

        if what.startswith(WARNINGS):
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

    def status(self, line: str | RenderableType) -> None:
        """Show a line that the next one takes the place of. For a terminal only; nothing when quiet.

        Nothing either on a line of results that is not ended: to take this one away would take that away, too.
        """
        if self._quiet or _on_open_line():
            return
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        shown = Text(line, no_wrap=True, overflow="ellipsis") if isinstance(line, str) else line
        with contextlib.suppress(OSError):
            if Talk._live is None:
                Talk._live = Live(
                    console=Console(file=sys.stderr, color_system=_colours()),
                    auto_refresh=False,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                Talk._live.start()
            Talk._live.update(shown, refresh=True)

    @classmethod
    def clear(cls) -> None:
        """Take the line away."""
        live, cls._live = cls._live, None
        if live is not None:
            with contextlib.suppress(OSError):
                live.stop()

    def _draw(self, what: str, part: float) -> None:
        """Show a bar, the percentage and what is being done."""
        now = time.monotonic()
        if self._live is not None and now - self._drawn_at < REDRAW_SECONDS:
            return
        self._drawn_at = now
        from learned_units.progress import bar

        self.status(bar(what, part))


def _tell(stream: TextIO | None, text: str, end: str = "\n") -> None:
    """Write to a stream that may be closed, or read by nobody any more: talk is not worth failing for."""
    global _line_is_open
    if stream is not None:
        with contextlib.suppress(OSError):
            if _on_open_line():
                flush()
                stream.write("\n")
                _line_is_open = False
            stream.write(text + end)
            stream.flush()


def working_time() -> float:
    """A clock that stands still while input is awaited, seconds."""
    return time.perf_counter() - _waited


def read_some() -> bytes:
    """What standard input has by now, after waiting for some; empty at the end. Raises KeyboardInterrupt."""
    global _line_is_open
    if sys.stdin is None:
        return b""
    stream = cast(io.BufferedReader, sys.stdin.buffer)
    _wait(stream)
    data = stream.read1(INPUT_BYTES)
    if data.endswith(b"\n") and sys.stdin.isatty():
        _line_is_open = False  # the user ended it
    return data


def read_lines() -> Iterator[str]:
    """Standard input line by line, as they come, in UTF-8. Raises KeyboardInterrupt."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    begun = ""
    while data := read_some():
        *done, begun = (begun + decoder.decode(data)).split("\n")
        yield from done
    begun += decoder.decode(b"", final=True)
    if begun:
        yield begun


def _wait(stream: io.BufferedReader) -> None:
    """Wait until there is something to read, or the end.

    The terminal is left to the user, Ctrl-C is answered, and the time is not counted as work.
    """
    global _waited
    try:
        ready = bool(select.select([stream], [], [], 0)[0])
    except (OSError, ValueError):  # not a file of the operating system, or one that it cannot wait for
        return
    Talk.clear()
    began = time.perf_counter()
    try:
        while not ready:
            interrupts.check()
            ready = bool(select.select([stream], [], [], LOOK_SECONDS)[0])
    finally:
        _waited += time.perf_counter() - began
