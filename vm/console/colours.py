"""Source text in colours, where someone watches who wants them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from vm.console import terminal


def painter() -> Callable[[str], str]:
    """What gives a line of source its colours for standard output; where it shows none, the line stays as it is."""
    if not terminal.is_screen(sys.stdout) or os.environ.get("NO_COLOR"):
        return str
    from pygments import format as formatted
    from pygments.formatters import Terminal256Formatter

    from vm.editors.pygments_lexer import SbnLexer, SbnStyle

    lexer, formatter = SbnLexer(stripnl=False, ensurenl=False), Terminal256Formatter(style=SbnStyle)
    return lambda line: formatted(lexer.get_tokens(line), formatter)
