"""Expressions at the prompt: the assembler's, over the program's names, the machine's state and its memory.

`[e]` is the word at address e, signed; `.` and `pc` are the program counter, `step` the number of executed steps. A
label of the program called `pc` or `step` comes first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from assembler import AssemblyError, evaluate
from vm.debugger.errors import CommandError, refused

MAX_DEPTH = 50  # of brackets
# What brackets and points may stand in without meaning anything.
_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|[A-Za-z0-9_]+|(?P<here>\.)|(?P<open>\[)|(?P<close>\])|.""", re.DOTALL)


def value_of(text: str, names: Mapping[str, int], pc: int, step: int, read: Callable[[int], int]) -> int:
    """The value of an expression. `read` gives the signed word at an address. Raises CommandError."""
    known = {"pc": pc, "step": step, **names, "__0": pc}
    pieces: list[list[str]] = [[]]
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "here":
            pieces[-1].append("__0")
        elif kind == "open":
            if len(pieces) > MAX_DEPTH:
                raise CommandError(f"brackets are nested more than {MAX_DEPTH} deep")
            pieces.append([])
        elif kind == "close":
            if len(pieces) == 1:
                raise CommandError("`]` has no `[`")
            address = _evaluate("".join(pieces.pop()), known)
            name = f"__{len(known)}"
            known[name] = read(address)
            pieces[-1].append(name)
        else:
            pieces[-1].append(match[0])
    if len(pieces) > 1:
        raise CommandError("`[` has no `]`")
    return _evaluate("".join(pieces[0]), known)


def _evaluate(text: str, known: Mapping[str, int]) -> int:
    if not text.strip():
        raise CommandError("an expression is missing")
    try:
        return evaluate(text, known)
    except AssemblyError as error:
        raise refused(error) from None
