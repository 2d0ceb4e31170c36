"""Progress, warnings and tables, on a terminal and elsewhere."""

import io
import re
import sys

import pyte
import pytest

from vm.console import terminal


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FakeStdout:
    """A standard output that is a terminal or a pipe, and has bytes and characters."""

    def __init__(self, terminal: bool) -> None:
        self.buffer = io.BytesIO()
        self.encoding = "utf-8"
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        return self.buffer.getvalue().decode()


@pytest.fixture
def columns(monkeypatch):
    """A terminal of 60 columns that knows colours."""
    for name, value in (("COLUMNS", "60"), ("LINES", "24"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    yield
    terminal.Talk.clear()


def lines_on_screen(written: str) -> list[str]:
    screen = pyte.Screen(60, 24)
    pyte.Stream(screen).feed(written.replace("\n", "\r\n"))
    return [line.rstrip() for line in screen.display]


def test_progress_is_a_bar_on_a_terminal_and_is_taken_off_again(monkeypatch, columns):
    seen = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", seen)
    talk = terminal.Talk(quiet=False)
    talk.progress("training 'first'", 0.5)
    assert lines_on_screen(seen.getvalue())[0] == "━━━━━━━━━━╺━━━━━━━━━  50% training 'first'"
    assert "\x1b[3" in seen.getvalue()
    monkeypatch.setattr(terminal, "REDRAW_SECONDS", 0)
    talk.progress(f"checking {'everything ' * 9}", 0.625)
    assert lines_on_screen(seen.getvalue())[0].startswith("━━━━━━━━━━━━╸━━━━━━━  62% checking everything")
    assert lines_on_screen(seen.getvalue())[1] == ""
    talk.say("done")
    assert [line for line in lines_on_screen(seen.getvalue()) if line] == ["done"]
    assert seen.getvalue().count("\x1b[?25l") == seen.getvalue().count("\x1b[?25h") == 1  # the cursor is there again


def test_the_bar_has_no_colours_where_none_are_wanted(monkeypatch, columns):
    monkeypatch.setenv("NO_COLOR", "1")
    seen = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", seen)
    terminal.Talk(quiet=False).progress("training 'first'", 0.5)
    terminal.Talk.clear()
    assert "━" in seen.getvalue() and not re.search(r"\x1b\[[0-9;]*m", seen.getvalue())


def test_progress_is_a_line_for_each_stage_elsewhere_and_nothing_when_quiet(monkeypatch):
    for quiet, told in ((False, "training 'first'\nchecking\n"), (True, "")):
        written = io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        talk = terminal.Talk(quiet)
        for width in (32, 64):
            talk.progress(f"training 'first': 2 networks of width {width}", 0.1)
            talk.progress(f"checking at width {width}", 0.1)
        assert written.getvalue() == told


def test_refused_weights_are_told_once_and_even_when_quiet(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    talk = terminal.Talk(quiet=True)
    for _ in range(2):
        talk.progress("weights refused: damaged", 0.0)
    assert written.getvalue() == "sbn: warning: weights refused: damaged\n"


ROWS = [("name", "n", "what it is"), ("a", "1", "[bold]short[/bold] :smile:"), ("long", "22", "word " * 30)]
PLAIN = "".join(
    f"{line}\n"
    for line in ("name   n  what it is", "a      1  [bold]short[/bold] :smile:", f"long  22  {'word ' * 30}".rstrip())
)


def test_a_table_is_plain_aligned_columns_in_a_pipe(monkeypatch, columns):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert terminal.table(ROWS, right=(1,)) == PLAIN
    monkeypatch.setattr(sys, "stdout", pipe := FakeStdout(terminal=False))
    terminal.write_table(ROWS, right=(1,))
    terminal.write_fields([("unit", "ntk"), ("next pc", "word " * 30)])
    assert pipe.text() == PLAIN + f"unit     ntk\nnext pc  {'word ' * 30}".rstrip() + "\n"


def test_a_table_is_fitted_to_a_terminal(monkeypatch, columns):
    for colours in (True, False):
        if not colours:
            monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr(sys, "stdout", seen := FakeStdout(terminal=True))
        terminal.write_table(ROWS, right=(1,))
        terminal.write_fields([("unit", "ntk"), ("next pc", "word " * 30)])
        assert bool(re.search(r"\x1b\[[0-9;]*m", seen.text())) == colours
        shown = "\n".join(lines_on_screen(seen.text()))
        assert shown.count("word") == 60 and "[bold]short[/bold] :smile:" in shown


def test_a_terminal_that_cannot_be_drawn_on_is_written_to_as_a_pipe_is(monkeypatch, columns):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", seen := FakeStdout(terminal=True))
    terminal.write_table(ROWS, right=(1,))
    assert seen.text() == PLAIN
