"""`sbn completion`: what a shell evaluates to complete the words of `sbn`."""

from __future__ import annotations

import argparse

from vm import cli
from vm.console import completion, terminal


def run(options: argparse.Namespace) -> int:
    """Write the script of a shell."""
    terminal.write(completion.script(cli.made_parser(), options.shell))
    return 0
