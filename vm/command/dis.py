"""`sbn dis`: an image back to source that assembles to it."""

from __future__ import annotations

import argparse

from assembler import disassemble
from vm.console import program_files, terminal


def run(options: argparse.Namespace) -> int:
    """Print the disassembly of an image."""
    terminal.write(disassemble(program_files.load(options)))
    return 0
