"""`sbn list`: address, words and source line, side by side."""

from __future__ import annotations

import argparse

from assembler import format_listing, format_source
from vm.console import colours, program_files, terminal


def run(options: argparse.Namespace) -> int:
    """Print the listing of a program."""
    form = format_source if options.source else format_listing
    terminal.write(form(program_files.load(options), colours.painter()))
    return 0
