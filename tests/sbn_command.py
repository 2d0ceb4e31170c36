"""The command, run in the process of the tests, and a program for it."""

import io
import sys

import pytest

from vm.cli import main

DECREMENTS = " sbn one, x\n sbn one, x\n sbn one, x, -1\none: .word 1\nx: .word 2\n"  # three steps to a halt


class Sbn:
    """Runs commands in this process. Afterwards `out` (bytes) and `err` are what they wrote."""

    def __init__(self, capture: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capture = capture
        self._monkeypatch = monkeypatch
        self.out, self.err = b"", ""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> int:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))
        try:
            code = main(arguments)
        except SystemExit as leaving:
            assert isinstance(leaving.code, int)
            code = leaving.code
        captured = self._capture.readouterr()
        self.out, self.err = captured.out, captured.err.decode()
        return code

    @property
    def text(self) -> str:
        return self.out.decode()
