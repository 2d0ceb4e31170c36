"""What the word before the cursor may become: a pure function of the session and the line."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable

from learned_units.catalog import UNITS
from vm.debugger import commands
from vm.debugger.errors import CommandError
from vm.debugger.session import Session

_NAME = re.compile(r"[A-Za-z_?][\w-]*$|$")


def complete(session: Session, line: str, statements: bool = False) -> list[str]:
    """What the last word of `line` may be completed to. `statements`: only `:` begins a command."""
    before = line.lstrip()
    is_command = before.startswith(":") or not statements
    before = before.removeprefix(":").lstrip()
    name, space, rest = before.partition(" ")
    if not is_command:
        return _beginning(word_before(line), [*session.symbols, session.image.isa])
    if not space and "/" not in name:
        return _beginning(name, [command.name for command in commands.TABLE])
    try:
        completes = commands.find(name.partition("/")[0]).completes
    except CommandError:
        return []
    if completes == commands.FILES:
        verb, space, path = rest.partition(" ")
        return _files(path) if space else _beginning(verb, ["save", "load", "diff"])
    if completes == commands.PATHS:
        return _files(rest)
    word = word_before(line)
    if completes == commands.PLACES:
        return _beginning(word, session.symbols)
    if completes == commands.UNITS:
        return _beginning(rest, UNITS)
    if completes == commands.COMMANDS:
        return _beginning(rest, [command.name for command in commands.TABLE])
    return _beginning(word, completes)


def word_before(line: str) -> str:
    """The part of the line that a completion replaces."""
    found = _NAME.search(line)
    return found[0] if found is not None else ""


def _beginning(word: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(word) and name != word)


def _files(path: str) -> list[str]:
    return sorted(name + (os.sep if os.path.isdir(name) else "") for name in glob.glob(glob.escape(path) + "*"))
