"""`sbn programs`: the bundled programs, and their sources."""

from __future__ import annotations

import argparse

import programs
from vm.command import program_files, terminal


def run(options: argparse.Namespace) -> int:
    """List the programs, or print the source of one."""
    if options.name is None:
        terminal.write(terminal.table([(name, programs.description(name)) for name in programs.names()]))
        terminal.heading("For the whole machine, sbn run --whole NAME:")
        whole = programs.names(programs.WHOLE)
        terminal.write(terminal.table([(name, programs.description(name, programs.WHOLE)) for name in whole]))
    else:
        terminal.write(program_files.bundled_source(options.name))
    return 0
