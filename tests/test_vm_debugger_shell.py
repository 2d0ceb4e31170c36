"""The shell at a prompt, in a pipe, and on a real terminal; and the full screen, by the text that it shows."""

import contextlib
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path

import pyte
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from assembler import Image, assemble
from learned_units import load_unit
from vm.debugger import completion, panes
from vm.debugger.session import Session
from vm.debugger.shell import Shell, toolbar

SBN = [sys.executable, "-c", "import sys; from vm.cli import main; sys.exit(main())"]
# The terminal becomes the one that Ctrl-C comes from.
ON_TERMINAL = (
    "import sys, termios; from fcntl import ioctl; from vm.cli import main; "
    "ioctl(0, termios.TIOCSCTTY, 0); sys.exit(main())"
)
SOURCE = """
loop:   sbn     one, n                  ; n -= 1
        sbn     n, -1
        sbn     one, left, -1
        sbn     zero, minus, loop
zero:   .word   0
one:    .word   1
minus:  .word   -1
n:      .word   70
left:   .word   5
"""
ENDLESS = "loop: sbn one, n\n sbn zero, minus, loop\none: .word 1\nn: .word 0\nzero: .word 0\nminus: .word -1\n"


def make_shell(statements: bool = False) -> tuple[Shell, bytearray]:
    image = Image(()) if statements else assemble(SOURCE, "main.sbn")
    written = bytearray()
    return Shell(Session(image, load_unit("native")), written.extend, statements), written


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


# --- at a prompt ------------------------------------------------------------------------------------------------------


def test_ctrl_c_drops_the_line_and_ctrl_d_leaves(keyboard: PipeInput) -> None:
    shell, written = make_shell()
    keyboard.send_text("step\rquit\x03step 2\r\x04")
    shell.interact(None)
    assert shell.session.present.step == 3
    assert b"error" not in written


def test_an_empty_line_repeats_the_last_command(keyboard: PipeInput) -> None:
    shell, _ = make_shell()
    keyboard.send_text("step\r\r\r\x04")
    shell.interact(None)
    assert shell.session.present.step == 3


def test_lines_are_remembered_in_the_history_file(keyboard: PipeInput, tmp_path: Path) -> None:
    shell, _ = make_shell()
    keyboard.send_text("step 2\r\x04")
    shell.interact(tmp_path / "deep" / "history")
    assert "step 2" in (tmp_path / "deep" / "history").read_text()


def test_an_error_nobody_thought_of_is_one_line_and_the_session_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, written = make_shell()
    monkeypatch.setattr(Session, "last_step", lambda session: 1 / 0)
    shell.take("explain")
    assert written == b"error: ZeroDivisionError: division by zero; this should not happen, and the session goes on\n"
    shell.take("where")
    assert written.count(b"\n") == 3


def test_the_toolbar_says_where_the_machine_is() -> None:
    shell, _ = make_shell()
    shell.take("step 2")
    shell.take("back")
    said = toolbar(shell.session)
    assert said == "pc 3 (loop+3) · step 1 of 2 · native · smallest margin - · main.sbn:3"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("re", ["reload", "reverse-continue"]),
        (":rel", ["reload"]),
        ("break l", ["left", "loop"]),
        ("print [n] + lo", ["loop"]),
        ("x/8d ze", ["zero"]),
        ("unit nt", ["ntk", "ntk-bits", "ntk-limit"]),
        ("help hi", ["history"]),
        ("snapshot lo", ["load"]),
        ("trace o", ["off", "on"]),
        ("nonsense a", []),
        ("step ", ["in"]),
        ("back ", []),
    ],
)
def test_what_a_line_may_be_completed_to(line: str, found: list[str]) -> None:
    assert completion.complete(make_shell()[0].session, line) == found


def test_files_are_completed_for_snapshots(tmp_path: Path) -> None:
    (tmp_path / "a.snap").touch()
    (tmp_path / "b").mkdir()
    session = make_shell()[0].session
    assert completion.complete(session, f"snapshot load {tmp_path}/a") == [f"{tmp_path}/a.snap"]
    assert completion.complete(session, f"snapshot save {tmp_path}/b") == [f"{tmp_path}/b{os.sep}"]


def test_where_lines_are_statements_only_a_colon_begins_a_command() -> None:
    shell, _ = make_shell(statements=True)
    assert completion.complete(shell.session, "st", shell.statements) == []
    assert completion.complete(shell.session, ":st", shell.statements) == ["stats", "step", "stepi"]
    assert completion.complete(shell.session, "sb", shell.statements) == ["sbn"]


# --- statements -------------------------------------------------------------------------------------------------------


def test_a_statement_is_assembled_at_the_end_and_executed_at_once() -> None:
    shell, written = make_shell(statements=True)
    for line in ("x: .word 5", "one: .word 1", "sbn one, x", "again: sbn one, x, again", "sbn nope", ":print [x]"):
        shell.take(line)
    assert written.decode().splitlines() == [
        "0 (x): 5",
        "1 (one): 1",
        "0  pc 2      sbn one, x                x: 5 - 1 = 4",
        "1  pc 5      sbn one, x, again         x: 4 - 1 = 3",
        "error: undefined label `nope`",
        "[x] = 3",
    ]
    assert shell.failed


def test_a_macro_runs_to_its_end_with_what_it_shares() -> None:
    shell, written = make_shell(statements=True)
    for line in ("a: .word 6", "b: .word 7", "mul a, b", "mul a, b", "add a, b"):
        shell.take(line)
    assert shell.session.read(1) == 6 * 6 * 7 + 6 and not shell.failed
    said = written.decode().splitlines()
    assert said[2:5:2] == ["b: 7 -> 42", "b: 42 -> 252"] and said[-2:-1] == ["b: 252 -> 258"]
    assert said[-1].startswith("(3 steps: `:history 3` lists them, `:disassemble ")
    shell.take(":undo")
    shell.take(":undo")
    assert shell.session.read(1) == 6 * 6 * 7


def test_a_macro_assembled_in_the_middle_puts_what_it_shares_behind_the_program() -> None:
    image = assemble(SOURCE, "main.sbn")
    shell = Shell(Session(image, load_unit("native")), bytearray().extend)
    free = shell.session.typed.free
    shell.take("asm loop mul left, n")
    assert not shell.failed and shell.session.typed.free > free
    shell.take("step 3")
    assert not shell.failed
    changed = [at for at, word in enumerate(image.words) if shell.session.history.edits[0].addresses.tolist().count(at)]
    assert changed == list(range(len(changed))), "only the words of the call stand in the program"


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("help", "the command is `:help`"),
        ("print n", "the command is `:print`"),
        ("pc = 0", "the command is `:pc`"),
        ("while n", "blocks and macros need a file"),
        ("again: if n eq =2", "blocks and macros need a file"),
        (".macro twice a", "blocks and macros need a file"),
        ("x = 5", None),  # a label, more likely than the command
        ("add n", None),
    ],
)
def test_a_statement_that_is_refused_says_what_else_may_have_been_meant(line: str, help: str | None) -> None:
    shell, written = make_shell(statements=True)
    shell.take("n: .word 2")
    shell.take(line)
    said = written.decode().splitlines()[-1]
    assert said.startswith("error: ")
    assert said.endswith(help) if help is not None else "command" not in said and "a file" not in said


def test_a_branch_that_is_taken_says_where_it_leads() -> None:
    shell, written = make_shell(statements=True)
    for line in ("x: .word 0", "one: .word 1", "sbn one, x, 0"):
        shell.take(line)
    assert written.decode().splitlines()[-1].startswith("1  pc 0 (x)")


def test_statements_typed_after_the_data_that_they_use_are_executed_and_a_jump_back_is_said() -> None:
    shell, written = make_shell(statements=True)
    shell.take_all("n: .word 3\nloop: dec n\njpos n, loop\nout ='k'\nhalt\n")
    said = written.decode().splitlines()
    assert said[-6:-3] == ["4  pc 1 (loop)  sbn 5, n  ; <typed>:2", said[-5], "k"]
    assert said[-5] == "(a statement is executed once, where it is typed: `:continue` goes on from here)"
    assert said[-1] == "halted" and not shell.failed


# --- in a pipe --------------------------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "main.sbn"
    path.write_text(SOURCE)
    return path


def piped(arguments: list[str], script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SBN, *arguments], input=script, capture_output=True, text=True, timeout=120)


def test_commands_are_piped_without_prompt_or_colour(program: Path) -> None:
    done = piped(
        ["debug", str(program), "--unit", "native"], "# a script\nbreak loop\n\ncontinue\ndelete all\nc\nquit\nstep"
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "\x1b" not in done.stdout and "(sbn)" not in done.stdout
    assert "\nE\nbreak 2: loop\n" in done.stdout, "what the program writes ends before what the debugger says"
    assert done.stdout.endswith("DCBA@\nhalted\n23  pc -1  halted\n")


@pytest.mark.slow
def test_a_refused_command_in_a_pipe_is_said_and_makes_the_exit_code(program: Path) -> None:
    done = piped(["debug", str(program), "--unit", "native"], "bogus\nwhere\n")
    assert done.returncode == 1
    assert done.stdout.startswith("error: there is no command `bogus`") and "step 0" in done.stdout


@pytest.mark.slow
def test_what_is_refused_in_the_middle_is_one_line_and_the_session_goes_on(program: Path) -> None:
    script = f"unit nonsense\nboth nonsense\nstep\nsnapshot save {program}\nwhere\n"
    done = piped(["debug", str(program), "--unit", "native", "--group", "8"], script)
    assert done.returncode == 2 and "group is for the units" in done.stderr
    done = piped(["debug", str(program), "--unit", "native"], script)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and done.stderr == ""
    units = "ntk, ntk-limit, ntk-bits, neural-gpu, modular, native"
    assert lines[0] == lines[1] == f"error: unknown unit 'nonsense' (units: {units})"
    assert lines[4].startswith("error: ") and "that is the program itself" in lines[4]
    assert lines[5].startswith("step 1") and program.read_text() == SOURCE


@pytest.mark.slow
def test_the_programs_input_never_comes_from_the_pipe(tmp_path: Path) -> None:
    path = tmp_path / "cat.sbn"
    path.write_text("sbn -1, x\nsbn x, -1\nsbn x, x\nsbn one, x, -1\none: .word 1\nx: .word 0\n")
    script = 'continue\ninput "Q"\ncontinue\n'
    done = piped(["debug", str(path), "--unit", "native"], script)
    assert "waits for input" in done.stdout and "Q\nhalted" in done.stdout
    given = piped(["debug", str(path), "--unit", "native", "--input-text", "Z"], "continue\n")
    assert given.stdout == "Z\nhalted\n4  pc -1  halted\n"


@pytest.mark.slow
def test_the_program_and_the_commands_cannot_both_be_stdin() -> None:
    done = piped(["debug", "-", "--unit", "native"], "sbn 0\n")
    assert done.returncode == 2 and "name its file" in done.stderr
    done = piped(["debug", "hello", "--tui", "--unit", "native"], "")
    assert done.returncode == 2 and "needs a terminal" in done.stderr


@pytest.mark.slow
def test_statements_are_piped() -> None:
    done = piped(["repl", "--unit", "native", "--width", "8"], "x: .word 'A'\nsbn x, -1\n:quit\n")
    assert done.returncode == 0
    assert done.stdout == "0 (x): 65\nA\n0  pc 1      sbn x, -1                 wrote 'A'\n"


# --- on a terminal ----------------------------------------------------------------------------------------------------


class Terminal:
    """A real `sbn` on a pseudo-terminal, and the screen that its user sees."""

    def __init__(self, arguments: list[str], rows: int = 40, columns: int = 120) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._side, other = pty.openpty()
        ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = os.environ | {"TERM": "xterm"}
        command = [sys.executable, "-c", ON_TERMINAL, *arguments]
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env=environment, start_new_session=True
        )
        os.close(other)

    def press(self, keys: str) -> None:
        os.write(self._side, keys.encode())

    def enter(self, line: str, prompt: str = "(sbn)") -> None:
        """Type a line once the prompt waits for one."""
        self._wait(lambda: self.screen.display[self.screen.cursor.y].strip() == prompt, f"the prompt {prompt}")
        self.press(line)

    def shows(self, text: str) -> str:
        """Wait until the screen shows a text; all of its text."""
        self._wait(lambda: text in self.text, repr(text))
        return self.text

    def _wait(self, is_met: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + 30
        while not is_met():
            self._read()
            assert time.monotonic() < until, f"{what} does not appear on\n{self.text}"

    def _read(self) -> None:
        """Take in what was written, and answer where it asks for the place of the cursor."""
        if not select.select([self._side], [], [], 0.05)[0]:
            return
        with contextlib.suppress(OSError):  # the other side is closed
            data = os.read(self._side, 1 << 16)
            self._stream.feed(data)
            if b"\x1b[6n" in data:
                self.press(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def ends(self) -> int:
        """The exit code, once it has ended."""
        until = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < until:
            self._read()
        return self.process.wait(1)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._side)


@contextlib.contextmanager
def terminal(arguments: list[str], rows: int = 40, columns: int = 120) -> Iterator[Terminal]:
    opened = Terminal(arguments, rows, columns)
    try:
        yield opened
    finally:
        opened.close()


def test_a_session_at_a_real_terminal(program: Path) -> None:
    with terminal(["debug", str(program), "--unit", "native"]) as seen:
        seen.shows("(sbn)")
        assert "step 0  pc 0 (loop)" in seen.text and "`help` lists the commands" in seen.text
        seen.shows("step 0 of 0 · native")
        seen.press("unt\t")
        seen.shows("(sbn) until")
        seen.press(" lef\t")
        seen.shows("(sbn) until left")
        seen.press("\x03")
        seen.enter("watch left\r")
        seen.enter("continue\r")
        seen.shows("left: 5 -> 4, written by step 2 at pc 6")
        seen.enter("back\r")
        seen.shows("step 2 of 3")
        seen.enter("bogus\r")
        seen.shows("error: there is no command `bogus`")
        seen.enter("\x04")
        assert seen.ends() == 0


def test_ctrl_c_stops_the_run_and_keeps_the_session(tmp_path: Path) -> None:
    (tmp_path / "endless.sbn").write_text(ENDLESS)
    with terminal(["debug", str(tmp_path / "endless.sbn"), "--unit", "native", "--history", "100000"]) as seen:
        seen.shows("(sbn)")
        seen.enter("continue\r")
        seen.shows("are dropped)")
        seen.press("\x03")
        seen.shows("interrupted after")
        seen.enter("back 2\r")
        seen.enter("print 40 + 2\r")
        seen.shows("40 + 2 = 42")
        seen.enter("quit\r")
        assert seen.ends() == 0


def test_the_full_screen_shows_source_memory_margins_and_output(program: Path) -> None:
    with terminal(["debug", str(program), "--unit", "native", "--tui"]) as seen:
        text = seen.shows("q quit")
        for title in ("── source", "── memory", "── margins", "── output", "── result"):
            assert title in text
        assert "=>    2  loop:   sbn     one, n" in text
        seen.press("s")
        text = seen.shows("step 1 of 1")
        assert "=>    3          sbn     n, -1" in text
        assert "[69]" in text, "the word just written"
        assert "sbn one, n" in text
        seen.press(":break loop\r")
        seen.shows("2: break loop at 0")
        seen.press("c")
        seen.shows("break 2: loop")
        assert "E" in seen.text.partition("── output")[2].partition("── result")[0]
        seen.press("b")
        seen.shows("step 3 of 4")
        seen.press(":help\r")
        seen.shows("lines above; PageUp")
        assert "reverse-continue/rc" in seen.text
        seen.press("\x1b")
        seen.shows("── memory")
        seen.press("q")
        assert seen.ends() == 0


@pytest.mark.slow
def test_on_a_small_screen_five_rows_of_the_source_are_left_with_the_line_that_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "long.sbn"
    path.write_text(" inc n\n" * 40 + " halt\nn: .word 0\n")
    with terminal(["debug", str(path), "--unit", "native", "--tui"], rows=15, columns=60) as seen:
        seen.shows("── output")
        seen.press(":step 20\r")
        seen.shows("=>   21   inc n")
        rows = seen.text.partition("── output")[0].splitlines()[2:]
        assert len(rows) >= 5 and all("inc n" in row for row in rows)
        cell = seen.screen.buffer[2 + next(k for k, row in enumerate(rows) if row.startswith("=>"))][0]
        assert cell.reverse, "the line stands out"
        seen.press("q")
        assert seen.ends() == 0


def test_ctrl_c_pressed_before_a_run_begins_on_the_full_screen_is_not_lost() -> None:
    written = bytearray()
    shell = Shell(Session(assemble(ENDLESS, "endless.sbn"), load_unit("native")), written.extend, False)
    shell.session.stop_requested.set()  # as the key does; the screen runs commands in a thread of their own
    running = threading.Thread(target=shell.take, args=("continue",), daemon=True)
    running.start()
    running.join(60)
    assert not running.is_alive()
    assert b"interrupted after" in written


@pytest.mark.slow
def test_ctrl_c_stops_a_run_on_the_full_screen(tmp_path: Path) -> None:
    (tmp_path / "endless.sbn").write_text(ENDLESS)
    with terminal(["debug", str(tmp_path / "endless.sbn"), "--unit", "native", "--tui"]) as seen:
        seen.shows("q quit")
        seen.press("c")
        seen.shows("continue … (Ctrl-C stops it)")
        seen.press("\x03")
        seen.shows("interrupted after")
        seen.press("b")
        seen.shows("pc 0 (loop)")
        seen.press("q")
        assert seen.ends() == 0


@pytest.mark.slow
def test_statements_at_a_real_terminal() -> None:
    with terminal(["repl", "--unit", "native"]) as seen:
        seen.shows("sbn>")
        seen.enter("x: .word 7\r", "sbn>")
        seen.shows("0 (x): 7")
        seen.enter("sbn x, -1\r", "sbn>")
        seen.shows("wrote byte 7")
        seen.enter("\x04", "sbn>")
        assert seen.ends() == 0


# --- what the panes show ----------------------------------------------------------------------------------------------


def test_without_source_the_instructions_from_pc_on_are_shown() -> None:
    session = Session(Image((5, 4, 3, 7, 5, 0, 9, 9, 9), memory=12), load_unit("native"))
    assert panes.source(session, 2) == ["=> 0            sbn 5, 4", "   3            sbn 7, 5, 0"]


def test_a_halted_machine_has_panes_too() -> None:
    shell, _ = make_shell()
    shell.take("continue")
    assert panes.source(shell.session, 1) == ["■     4          sbn     one, left, -1"]
    assert panes.output(shell.session, 2) == ["EDCBA@"]
    assert len(panes.margins(shell.session, 3)) == 3
    assert "".join(text for _, text in panes.memory(shell.session, 16, 1, 8)[0]).split() == ["16", "[-1]", *["0"] * 7]
