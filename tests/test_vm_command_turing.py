"""`sbn demo --turing`: the story is told on learned steps, and told only if it is true."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from learned_units import Unit, interrupts
from vm.cli import main
from vm.console import terminal, turing


@pytest.mark.slow
def test_the_story_runs_an_interpreter_and_another_language_on_learned_steps(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--turing"]) == 0
    told = capfd.readouterr().out
    assert "Hello World!" in told
    for program in ("rule110", "selfhost", "brainfuck"):
        assert f"`{program}`:" in told
    assert told.count("learned steps, smallest margin") == 3
    assert (
        told.count("agrees on every step") + told.count("agrees on every\nstep") + told.count("reference\nagrees") >= 3
    )


def test_at_a_terminal_it_ends_with_basic_and_lisp_on_what_is_typed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unit_of: Callable[..., Unit]
) -> None:
    typed = iter([b"print 6*7\n", b"print 1/0\n", b"bye\n", b"(* 6", b" 9)\n(car 1)\n", b"(bye)\n"])
    monkeypatch.setattr(terminal, "read_some", lambda: next(typed))
    assert turing.your_turn(unit_of("native"), terminal.Talk(quiet=True))
    told = capfd.readouterr().out
    assert "READY\n42\nREADY\ndivision by zero\nREADY\n" in told
    assert "> 54\n> error: not a pair: 1\n> \n" in told
    assert told.count("agrees on every step") == 2
    assert next(typed, None) is None


def test_ctrl_c_goes_on_to_the_next_language(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unit_of: Callable[..., Unit]
) -> None:
    asked = []

    def pressed() -> bytes:
        asked.append(1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(2 * interrupts.SAME_SECONDS)
        interrupts.check()
        raise AssertionError("Ctrl-C was not noted")

    monkeypatch.setattr(terminal, "read_some", pressed)
    with interrupts.noted():
        assert turing.your_turn(unit_of("native"), terminal.Talk(quiet=True))
        assert not interrupts.pressed()
    assert len(asked) == 2 and "Your turn: Lisp" in capfd.readouterr().out


@pytest.mark.slow
def test_a_program_that_prints_something_else_ends_the_story_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turing, "GUEST", "hello")
    assert main(["demo", "--turing"]) == 1
