"""`sbn repl`: the debugger on an empty machine, where a bare line is a statement to assemble and execute."""

from __future__ import annotations

import argparse

from assembler import Image
from vm.command import debug
from vm.console.launch import stated_by_user


def run(options: argparse.Namespace) -> int:
    """Read statements until the user leaves."""
    with stated_by_user():
        image = Image((), options.width, options.isa, memory=options.memory, input_mode=options.input_mode)
    return debug.meet(options, debug.make_session(options, image, None, None), statements=True)
