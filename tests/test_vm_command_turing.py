"""`sbn demo --turing`: the story is told on learned steps, and told only if it is true."""

import pytest

from vm.cli import main
from vm.console import turing


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


def test_a_program_that_prints_something_else_ends_the_story_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turing, "GUEST", "hello")
    assert main(["demo", "--turing"]) == 1
