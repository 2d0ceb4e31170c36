"""The first prompt comes before the unit: what is prepared beside it, and what it shows meanwhile."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from assembler import assemble
from learned_units import load_unit
from vm.debugger import shell as shell_module
from vm.debugger.beside import NeedsTerminal
from vm.debugger.session import Session
from vm.debugger.shell import Shell

IMAGE = assemble("next: sbn z, m, next\nz: .word 0\nm: .word -1\n", "main.sbn")
FIRST_PROMPT = """
import sys
from vm import cli
from vm.debugger import shell
def interact(self, *given):
    print(sorted({'jax', 'scipy', 'safetensors'} & set(sys.modules)), shell.toolbar(self.session))
shell.Shell.interact = interact
sys.stdin.isatty = sys.stdout.isatty = lambda: True
cli.main(['debug', 'adder'])
"""


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The prompts of the shells that are made."""
    made: list[Any] = []
    make = shell_module.prompt_session

    def prompt_session(*given: Any) -> Any:
        made.append(make(*given))
        return made[-1]

    monkeypatch.setattr(shell_module, "prompt_session", prompt_session)
    return made


def recording() -> tuple[Shell, list[str]]:
    """A shell that carries nothing out, and the lines that it was given."""
    shell = Shell(Session(IMAGE, load_unit("native")), lambda data: None)
    done: list[str] = []

    def carry_out(text: str) -> None:
        done.append(text)

    shell.take_all = carry_out
    return shell, done


def wait_for_text(prompts: list[Any], text: str) -> None:
    until = time.monotonic() + 30
    while prompts[0].default_buffer.text != text:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_needs_the_terminal_is_done_there_once_and_the_prompt_comes_back_with_what_was_typed(
    keyboard: PipeInput, prompts: list[Any]
) -> None:
    shell, done = recording()

    def prepare() -> None:
        wait_for_text(prompts, "print")
        raise NeedsTerminal

    def prepare_at_terminal() -> None:
        done.append("prepared")
        keyboard.send_text(" [n]\rprint 2\r\x04")

    keyboard.send_text("print")
    shell.interact(None, prepare, prepare_at_terminal)
    assert done == ["prepared", "print [n]", "print 2"]


def test_what_a_signal_has_ended_beside_the_prompt_is_done_before_the_first_line(
    keyboard: PipeInput, prompts: list[Any]
) -> None:
    shell, done = recording()

    def prepare() -> None:
        while prompts[0].app.is_running:
            time.sleep(0.01)
        raise KeyboardInterrupt

    keyboard.send_text("print 1\rprint 2\r\x04")
    shell.interact(None, prepare, lambda: done.append("prepared"))
    assert done == ["prepared", "print 1", "print 2"]


def test_what_goes_wrong_beside_the_prompt_ends_it_without_a_line(keyboard: PipeInput, prompts: list[Any]) -> None:
    def prepare() -> None:
        wait_for_text(prompts, "pri")
        raise OSError("no room")

    keyboard.send_text("pri")
    with pytest.raises(OSError, match="no room"):
        Shell(Session(IMAGE, load_unit("native")), lambda data: None).interact(None, prepare)


def test_a_session_shows_where_it_stands_before_it_has_a_unit_and_names_the_unit_once_it_has_one() -> None:
    session = Session(IMAGE, None)
    assert shell_module.toolbar(session) == "pc 0 (next) · step 0 of 0 · the unit is being loaded · main.sbn:1"
    session.use(load_unit("native"))
    assert shell_module.toolbar(session) == "pc 0 (next) · step 0 of 0 · native · smallest margin - · main.sbn:1"
    with pytest.raises(ValueError, match="8-bit"):
        Session(IMAGE, None).use(load_unit("native", 8))


def test_the_first_prompt_needs_no_jax_and_claims_nothing_of_a_unit() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_PROMPT], capture_output=True, text=True, check=True)
    *greeting, shown = done.stdout.splitlines()
    assert greeting[0].startswith("16-bit sbn") and shown.startswith("[] pc 0")
    assert "the unit is being loaded" in shown and "ntk" not in done.stdout


def test_a_unit_that_there_is_not_is_refused_before_the_prompt(sbn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    for options, reason in (
        (("--unit", "nonsense"), "unknown unit 'nonsense'"),
        (("--unit", "native", "--group", "4"), "group is for"),
    ):
        code, said, told = sbn("debug", "adder", *options)
        assert (code, said) == (2, "") and reason in told
