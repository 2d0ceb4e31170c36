"""`sbn dap`: the debug adapter for editors, on stdin and stdout."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from vm.console.launch import UsageError

if TYPE_CHECKING:
    from vm.debugger.session import Session

# What `launch` may say, and the option of `sbn debug` that it is.
OPTIONS = {
    "unit": "--unit",
    "width": "--width",
    "isa": "--isa",
    "memory": "--memory",
    "inputFile": "--input",
    "input": "--input-text",
    "history": "--history",
}


def run(options: argparse.Namespace) -> int:
    """Answer an editor until it leaves."""
    from vm.editors.adapter import Adapter
    from vm.editors.messages import Messages

    Adapter(Messages(sys.stdin.buffer, sys.stdout.buffer), open_session).serve()
    return 0


def open_session(launched: dict[str, Any]) -> Session:
    """The session that a `launch` request asks for. Raises Refused."""
    from assembler import AssemblyError, ImageError
    from learned_units.store import WeightsError
    from vm import cli
    from vm.command import debug
    from vm.editors.arguments import Refused

    program = launched.get("program")
    if not isinstance(program, str) or not program:
        raise Refused("`launch` needs `program`, the file or the bundled program to debug")
    if isinstance(folder := launched.get("cwd"), str) and os.path.isdir(folder):
        os.chdir(folder)
    arguments = ["debug"]
    for name, option in OPTIONS.items():
        if (value := launched.get(name)) is not None:
            arguments.append(f"{option}={value}")
    if launched.get("check") is False:
        arguments.append("--no-check")
    arguments += ["--", program]
    try:
        return debug.opened(cli.parsed(arguments))
    except SystemExit:
        raise Refused(f"`launch` is refused: {' '.join(arguments)} is not a way to call sbn") from None
    except (AssemblyError, ImageError, UsageError, WeightsError, OSError, ValueError) as error:
        raise Refused(str(error)) from None
