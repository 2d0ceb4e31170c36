"""`sbn lsp`: the language server for editors, on stdin and stdout."""

from __future__ import annotations

import argparse
import sys


def run(options: argparse.Namespace) -> int:
    """Answer an editor until it leaves. Exit code 0 if it said so before."""
    from vm.editors.messages import Messages
    from vm.editors.server import Server

    return Server(Messages(sys.stdin.buffer, sys.stdout.buffer)).serve()
