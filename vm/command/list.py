"""`sbn list`: address, words and source line, side by side."""

from __future__ import annotations

import argparse

from assembler import format_listing
from vm.console import program_files, terminal


def run(options: argparse.Namespace) -> int:
    """Print the listing of a program."""
    terminal.write(format_listing(program_files.load(options)))
    return 0
