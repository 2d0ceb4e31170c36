"""`sbn programs`: the bundled programs, and their sources."""

from __future__ import annotations

import argparse

import programs
from vm.console import program_files, terminal


def run(options: argparse.Namespace) -> int:
    """List the programs, or print the source of one."""
    if options.name is None:
        terminal.write(_listed(""))
        terminal.heading("For the whole machine, sbn run --whole NAME (sbn programs whole/NAME prints one):")
        terminal.write(_listed(programs.WHOLE))
    else:
        folder, slash, name = options.name.rpartition("/")
        known = slash and folder == programs.WHOLE
        terminal.write(program_files.bundled_source(*((name, folder) if known else (options.name,))))
    return 0


def _listed(folder: str) -> str:
    """A line for each program of a folder: its name, and what it does."""
    names = programs.names(folder)
    column = max(map(len, names)) + 2
    return "".join(f"{name:<{column}}{programs.description(name, folder)}\n" for name in names)
