"""`sbn programs`: the bundled programs, and their sources."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import programs
from vm.console import program_files, terminal


def run(options: argparse.Namespace) -> int:
    """List the programs, or print the source of one."""
    if options.name is None:
        terminal.write(_listed(""))
        terminal.heading("For the whole machine, sbn run --whole NAME (sbn programs whole/NAME prints one):")
        terminal.write(_listed(programs.WHOLE))
        terminal.heading("For the interpreters, sbn programs primes.bas | sbn run basic:")
        terminal.write(_aligned(programs.guests(), programs.guest_description))
    elif options.name in programs.guests():
        terminal.write(programs.guest(options.name))
    else:
        folder, slash, name = options.name.rpartition("/")
        known = slash and folder == programs.WHOLE
        terminal.write(program_files.bundled_source(*((name, folder) if known else (options.name,))))
    return 0


def _listed(folder: str) -> str:
    """A line for each program of a folder: its name, and what it does."""
    return _aligned(programs.names(folder), lambda name: programs.description(name, folder))


def _aligned(names: Sequence[str], description: Callable[[str], str]) -> str:
    column = max(map(len, names)) + 2
    return "".join(f"{name:<{column}}{description(name)}\n" for name in names)
