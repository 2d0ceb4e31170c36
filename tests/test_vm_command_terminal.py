"""Progress, warnings and tables, on a terminal and elsewhere."""

import io
import json
import os
import re
import sys
import threading
import time

import pyte
import pytest
from marks import slow

from vm import cli
from vm.console import running, terminal


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

    def flush(self) -> None:
        pass

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
    assert re.search(r"\x1b\[[0-9;]*[0-9]m", seen.getvalue())  # whichever of its palettes rich has chosen
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


def test_a_table_that_is_wider_than_the_terminal_loses_no_letter_of_its_text(monkeypatch, columns):
    words = ("difference", "x" * 50, "y" * 70)
    monkeypatch.setattr(sys, "stdout", seen := FakeStdout(terminal=True))
    terminal.write_table([("network", "what", "size"), (*words[:2], "9" * 6)], right=(2,))
    terminal.write_fields([("unit", words[2])])
    shown = "".join(lines_on_screen(seen.text()))
    assert "…" not in shown
    for letter, count in (("x", 50), ("y", 70), ("9", 6), ("f", 2)):
        assert shown.count(letter) == count


def test_a_table_of_long_headings_keeps_its_names_on_a_narrow_terminal(monkeypatch, columns):
    headings = ("network", "ensemble", "examples", "iterations", "inputs checked", "smallest margin")
    monkeypatch.setattr(sys, "stdout", seen := FakeStdout(terminal=True))
    terminal.write_table([headings, ("difference", "2 x 320", "32", "40", "390,625, all", "0.36")], right=range(1, 6))
    shown = " ".join(lines_on_screen(seen.text()))
    for words in ("difference", "2 x 320", "390,625,", "0.36", "smallest", "checked"):
        assert words in shown
    for width in (1, 16, 31):  # 16: a letter for each, and two blanks between them
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", seen := FakeStdout(terminal=True))
        terminal.write_table([headings, ("any", *"12345")])
        assert width < 16 or all(digit in seen.text() for digit in "12345")
    terminal.write_table([headings])  # of no rows


def test_a_terminal_that_cannot_be_drawn_on_is_written_to_as_a_pipe_is(monkeypatch, columns):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", seen := FakeStdout(terminal=True))
    terminal.write_table(ROWS, right=(1,))
    assert seen.text() == PLAIN


@pytest.fixture
def typing(monkeypatch):
    """A standard input that somebody else writes to: the end to write to."""
    here, there = os.pipe()
    with open(here) as stdin, open(there, "wb", buffering=0) as keyboard:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keyboard


def test_while_input_is_awaited_nothing_is_drawn_and_the_clock_stands_still(monkeypatch, columns, typing):
    monkeypatch.setattr(sys, "stderr", seen := FakeTerminal())
    talk = terminal.Talk(quiet=False)
    talk.status("5 steps, 5 steps/s, 0:01")
    began = terminal.working_time()
    drawn: list[list[str]] = []

    def answer() -> None:
        drawn.append(lines_on_screen(seen.getvalue()))
        typing.write(b"4\n")

    threading.Timer(0.3, answer).start()
    assert terminal.read_some() == b"4\n"
    assert terminal.working_time() - began < 0.2
    assert not any(drawn[0])


def test_the_meter_and_the_parts_of_a_start_do_not_count_the_waiting(monkeypatch, columns, typing):
    monkeypatch.setattr(sys, "stderr", seen := FakeTerminal())
    monkeypatch.setattr(running, "QUIET_SECONDS", 0.0)
    meter, watch = running.Meter(terminal.Talk(quiet=False)), running.Stopwatch()
    threading.Timer(1.2, typing.write, [b"4\n"]).start()
    terminal.read_some()
    time.sleep(0.1)
    meter.show(100)
    watch.lap("waiting")
    assert watch.parts["waiting"] < 0.9
    (line,) = (line for line in lines_on_screen(seen.getvalue()) if line)
    assert re.fullmatch(r"100 steps, [\d,]+ steps/s, 0:00", line)
    assert int(line.split()[2].replace(",", "")) > 110


def test_the_meter_leaves_a_line_of_output_that_is_open(monkeypatch, columns, tmp_path):
    (tmp_path / "slow.sbn").write_text(
        """
        puts    "an open "
again:  dec     inner
        jnz     inner, again
        dec     outer
        jnz     outer, again
        puts    "line\\n"
        halt
inner:  .word   0
outer:  .word   30
        """
    )
    both = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    monkeypatch.setattr(both, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", both)
    monkeypatch.setattr(sys, "stderr", both)
    monkeypatch.setattr(running, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(running, "REDRAW_SECONDS", 0.0)
    assert cli.main(["run", str(tmp_path / "slow.sbn"), "--unit", "native", "--no-check"]) == 0
    both.seek(0)
    written = both.read()
    assert written.index("an open ") < written.index("line\n")
    assert lines_on_screen(written)[0] == "an open line"


def test_lines_come_as_they_are_written_and_the_last_may_be_open(typing):
    typing.write("wh\u00e9re\nste".encode())
    lines = terminal.read_lines()
    assert next(lines) == "wh\u00e9re"
    typing.write(b"p")
    typing.close()
    assert list(lines) == ["step"]


def on_a_screen(monkeypatch) -> tuple[FakeStdout, FakeTerminal]:
    """Standard output and standard error on a terminal."""
    streams = FakeStdout(terminal=True), FakeTerminal()
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    return streams


def test_a_line_of_results_that_is_not_ended_is_neither_drawn_on_nor_gone_on_with(monkeypatch, columns):
    results, talked = on_a_screen(monkeypatch)
    talk = terminal.Talk(quiet=False)
    terminal.write("244")
    talk.status("5 steps, 5 steps/s, 0:01")
    assert talked.getvalue() == ""
    terminal.write("64")
    talk.say("halted")
    talk.say("and more")
    assert (results.text(), talked.getvalue()) == ("24464", "\nhalted\nand more\n")
    talk.status("5 steps, 5 steps/s, 0:01")
    assert lines_on_screen(talked.getvalue())[3] == "5 steps, 5 steps/s, 0:01"


def test_the_account_of_a_batch_begins_on_a_line_of_its_own(monkeypatch, columns, tmp_path):
    results, talked = on_a_screen(monkeypatch)
    program, lines = tmp_path / "a.sbn", tmp_path / "lines"
    program.write_text(" sbn a, -1\n sbn one, x, -1\na: .word 'A'\none: .word 1\nx: .word 0\n")
    lines.write_text("1\n2\n")
    cli.main(["run", str(program), "--unit", "native", "--batch", str(lines)])
    assert results.text() == "AA" and talked.getvalue().startswith("\nhalted: ")


PLAIN_PROGRAM = " sbn one, x, -1\none: .word 1\nx: .word 0\n"
WHOLE_PROGRAM = f".width 8\n.memory 32\n{PLAIN_PROGRAM}"


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (PLAIN_PROGRAM, ("--unit", "native", "--batch", "-")),
        *slow((WHOLE_PROGRAM, ("--unit", "ntk-limit", "--whole"))),
    ],
)
def test_the_time_of_a_batch_and_of_a_whole_machine_does_not_count_the_waiting_for_their_input(
    monkeypatch, columns, typing, tmp_path, source, options
):
    program = tmp_path / "a.sbn"
    program.write_text(source)
    monkeypatch.setattr(sys, "stderr", drawn := FakeTerminal())
    seen: list[str] = []

    def answer() -> None:
        seen.append(drawn.getvalue())
        typing.write(b"4\n")
        typing.close()

    threading.Timer(1.2, answer).start()
    assert cli.main(["run", str(program), *options, "--json"]) == 0
    account = json.loads(drawn.getvalue()[drawn.getvalue().index("{") :])
    assert seen == [""] and account["start_seconds"]["assembling"] < 1.0
