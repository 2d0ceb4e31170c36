"""What reaches the prompt of the debugger: pasted lines, names that clash, a history that cannot be kept."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from assembler import Image, assemble
from learned_units import load_unit
from vm.debugger import shell as shell_module
from vm.debugger.session import Session
from vm.debugger.shell import Shell, prompt_session

SOURCE = "next: sbn z, m, next\nz: .word 0\nm: .word -1\nx: .word 9\n"
COMMANDS = ["watch x", "step 2", "# a remark", "", "where"]
STATEMENTS = ["x: .word 'A'", "sbn x, -1", "", ":print x"]


def make_shell(statements: bool = False, source: str = SOURCE) -> tuple[Shell, bytearray]:
    written = bytearray()
    image = Image(()) if statements else assemble(source, "main.sbn")
    return Shell(Session(image, load_unit("native")), written.extend, statements), written


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.mark.parametrize("statements", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_that_are_pasted_at_once_are_as_many_commands(keyboard, statements, end):
    lines = STATEMENTS if statements else COMMANDS
    scripted, expected = make_shell(statements)
    scripted.run_script(lines)
    pasted, written = make_shell(statements)
    keyboard.send_text(f"\x1b[200~{end.join(lines)}{end}\x1b[201~\r\x04")
    pasted.interact(None)
    assert written == expected and expected and not pasted.failed


@pytest.mark.parametrize("statements", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_that_come_like_typing_are_as_many_commands_whatever_ends_them(keyboard, statements, end):
    lines = [line for line in (STATEMENTS if statements else COMMANDS) if line and line[0] != "#"]
    scripted, expected = make_shell(statements)
    scripted.run_script(lines)
    pasted, written = make_shell(statements)
    keyboard.send_text("".join(f"{line}{end}" for line in lines) + "\x04")
    pasted.interact(None)
    assert written == expected and expected


def test_what_was_pasted_after_a_command_that_leaves_is_dropped(keyboard):
    shell, written = make_shell()
    keyboard.send_text("\x1b[200~print 1\nquit\nprint 2\n\x1b[201~\r")
    with pytest.raises(Exception) as left:
        shell.interact(None)
    assert type(left.value).__name__ == "Leave" and b"2" not in written


def test_a_label_that_hides_a_name_of_the_machine_is_said_once():
    shell, written = make_shell(source=f"{SOURCE}step: .word 0\n")
    for line in ("step 2", "break next if step < 3", "print step", "print pc"):
        shell.take(line)
    said = written.decode()
    address = shell.session.symbols["step"]
    note = f"note: `step` is the program's label at {address}; the machine's is `$step`"
    assert said.count("note: ") == said.count(note) == 1 and said.index(note) < said.index("break next")


def history_of(folder: Path, fault: str) -> Path:
    """A place for a history that has a fault."""
    path = folder / "history"
    if fault == "a folder":
        path.mkdir()
    elif fault == "its folder is a file":
        path.write_text("")
        path = path / "history"
    elif fault == "no text":
        path.write_bytes(b"+\xff\xfe\n\x00")
    elif fault == "a device without end":
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize(
    "fault", ["a folder", "its folder is a file", "no text", "a device without end", "the disk is full"]
)
def test_a_history_that_cannot_be_used_is_given_up_silently(tmp_path, keyboard, capfd, fault):
    path = history_of(tmp_path, fault)
    shell, _ = make_shell()
    keyboard.send_text("print 1\r")
    prompt = prompt_session(shell, path)
    assert prompt.prompt() == "print 1"
    if fault == "the disk is full":
        if not os.path.exists("/dev/full"):
            pytest.skip("needs a device that is always full")
        assert b"print 1" in path.read_bytes()
        path.unlink()
        path.symlink_to("/dev/full")
    keyboard.send_bytes(b"print \xff\rprint 2\r")
    assert [prompt.prompt(), prompt.prompt()] == ["print \udcff", "print 2"]
    assert prompt.history.get_strings()[-3:] == ["print 1", "print \udcff", "print 2"]
    assert capfd.readouterr() == ("", "")


def test_the_history_of_one_session_is_there_in_the_next(tmp_path, keyboard):
    for line in ("print 1", "print 2"):
        keyboard.send_text(f"{line}\r")
        prompt_session(make_shell()[0], tmp_path / "new" / "history").prompt()
    kept = prompt_session(make_shell()[0], tmp_path / "new" / "history").history
    assert list(kept.load_history_strings()) == ["print 2", "print 1"]


def test_the_first_line_waits_for_what_is_prepared_while_it_is_typed(keyboard):
    shell, _ = make_shell()
    done, is_rendered = [], threading.Event()

    def prepare() -> None:
        done.append("rendered" if is_rendered.wait(20) else "no prompt")

    def carry_out(text: str) -> None:
        done.append(text)

    shell.take_all = carry_out
    keyboard.send_text("print 1\r\x04")
    toolbar_of = shell_module.toolbar

    def toolbar(session: Session) -> str:
        is_rendered.set()
        return toolbar_of(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell_module, "toolbar", toolbar)
        shell.interact(None, prepare)
    assert done == ["rendered", "print 1"]


def test_what_cannot_be_prepared_ends_the_session_with_the_reason(keyboard):
    def prepare() -> None:
        raise OSError("no room")

    keyboard.send_text("print 1\r\x04")
    with pytest.raises(OSError, match="no room"):
        make_shell()[0].interact(None, prepare)
