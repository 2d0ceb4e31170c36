"""`sbn macros`: the standard macros, from the comments of the library itself."""

from __future__ import annotations

import argparse
import difflib

from assembler import macro_reference
from assembler.diagnostics import printable
from vm.console import terminal
from vm.console.launch import UsageError


def run(options: argparse.Namespace) -> int:
    """List the macros with the first line of what they do, or print all that is said of one."""
    macros = {macro.name: macro for macro in macro_reference()}
    if options.name is None:
        rows = [(macro.usage, macro.documentation.splitlines()[0].strip()) for macro in macros.values()]
        terminal.write_fields(rows)
        return 0
    name = options.name.lower()
    if name not in macros:
        near = difflib.get_close_matches(name, macros, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise UsageError(f"no standard macro '{printable(options.name)}'{hint}; `sbn macros` lists all")
    terminal.write(f"{macros[name].usage}\n{macros[name].documentation}\n")
    return 0
