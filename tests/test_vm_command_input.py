"""At a terminal, a bundled program that waits for input says what it takes."""

import os
import pty
import select
import subprocess
import sys
import time

import pytest

import programs
from vm import cli


def test_programs_say_what_they_read() -> None:
    assert programs.reads("hello") is None
    assert programs.reads("queens") == "how many rows and columns the board has, from 1 to 9"
    snake = programs.reads("snake")
    assert snake is not None and snake.startswith("w, a, s and d turn") and snake.endswith("no letter in the line")
    assert {name for name in programs.names() if programs.reads(name) is None} == {
        name for name in programs.names() if not programs.sample_input(name)
    }


def test_at_a_terminal_the_program_is_told_before_it_waits() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "vm", "run", "cat", "--unit", "native", "--no-check"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "60", "LINES": "24"}
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        seen, deadline = b"", time.monotonic() + 100
        while b"input)\r\n" not in seen and time.monotonic() < deadline:
            if select.select([ours], [], [], 1)[0]:
                seen += os.read(ours, 4096)
        assert b"input: any bytes (`sbn programs cat` tells more; Ctrl-D ends\r\nthe input)\r\n" in seen
        os.write(ours, b"\x04")  # Ctrl-D
        assert child.wait(100) == 0
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def test_elsewhere_nothing_is_said(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["run", "cat", "--unit", "native", "--no-check"]) == 0
    assert "input:" not in capfd.readouterr().err
