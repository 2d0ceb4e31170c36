"""Expressions at the prompt: the assembler's, over the program's names, the machine's state and its memory.

`[e]` is the word at address e, signed; `.`, `pc` and `$pc` are the program counter, `step` and `$step` the number of
executed steps. A label of the program called `pc` or `step` comes first; none can be called `$pc` or `$step`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assembler import AssemblyError, evaluate
from vm.debugger.errors import CommandError, refused

MAX_DEPTH = 50  # of brackets
PC, STEP = "__pc", "__step"  # what `$pc` and `.`, and `$step` are for the assembler
# What brackets and points may stand in without meaning anything, and what they must not stand in.
_TOKEN = re.compile(
    r"""'(?:\\.|[^'\\])*'|(?P<dotted>[A-Za-z0-9_]+\.[\w.]*|\.[\w.]+)|[A-Za-z0-9_]+|(?P<here>\.)|\$(?P<state>\w*)"""
    r"""|(?P<open>\[)|(?P<close>\])|.""",
    re.DOTALL,
)


@dataclass
class Parsed:
    """An expression in which each `[e]` is a name: the assembler's text, and the expression of each of the names."""

    text: str = ""
    reads: dict[str, Parsed] = field(default_factory=dict)


def parsed(text: str) -> Parsed:
    """An expression taken apart at its brackets. Raises CommandError."""
    pieces = [Parsed()]
    count = 0
    before = ""  # what ends an operand just before: a name, a number, `]`
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        is_operand = kind in ("here", "state", "open") or re.match(r"[\w']", match[0]) is not None
        if is_operand and before and {before[0], match[0][0]} & set("[]$."):  # the assembler tells of the others
            raise CommandError(f"an operator is missing between `{before}` and `{match[0]}`")
        if kind == "close" or (is_operand and kind != "open"):
            before = match[0]
        elif not match[0].isspace():
            before = ""
        if kind == "dotted":
            raise CommandError(
                f"`{match[0]}` is neither a number nor a name", "numbers are integers, and `.` alone is pc"
            )
        if kind == "here":
            pieces[-1].text += PC
        elif kind == "state":
            if match["state"] not in ("pc", "step"):
                raise CommandError(f"there is no `{match[0]}`", "the machine has `$pc` and `$step`")
            pieces[-1].text += f"__{match['state']}"
        elif kind == "open":
            if len(pieces) > MAX_DEPTH:
                raise CommandError(f"brackets are nested more than {MAX_DEPTH} deep")
            pieces.append(Parsed())
        elif kind == "close":
            if len(pieces) == 1:
                raise CommandError("`]` has no `[`")
            name = f"__{count}"
            count += 1
            inner = pieces.pop()
            pieces[-1].reads[name] = inner
            pieces[-1].text += name
        else:
            pieces[-1].text += match[0]
    if len(pieces) > 1:
        raise CommandError("`[` has no `]`")
    return pieces[0]


def value_of(text: str, names: Mapping[str, int], pc: int, step: int, read: Callable[[int], int]) -> int:
    """The value of an expression. `read` gives the signed word at an address. Raises CommandError."""
    return _value(parsed(text), known_names(names, pc, step), read)


def known_names(names: Mapping[str, int], pc: int, step: int) -> dict[str, int]:
    """The names of a program and of the machine's state."""
    return {"pc": pc, "step": step, **names, PC: pc, STEP: step}


def _value(expression: Parsed, known: Mapping[str, int], read: Callable[[int], int]) -> int:
    reads = {name: read(_value(inner, known, read)) for name, inner in expression.reads.items()}
    if not expression.text.strip():
        raise CommandError("an expression is missing")
    try:
        return evaluate(expression.text, {**known, **reads})
    except AssemblyError as error:
        raise refused(error) from None
