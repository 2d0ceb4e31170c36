"""Help for lines that other languages have taught: what is written there, and what is written here."""

import re

_NUMBER = r"-?\d\w*|'(?:\\.|[^'\\])'"
_BECOMES = r"(?:(?:let|var|int)\s+)?(?P<name>[a-z_]\w*)(?:\s*:?=\s+|=|\s*:=)"
_CONDITION = r"(?:\w+:\s*)?(?:if|while|until)\b"

# What a line begins with, and the help for it. The first that fits counts.
_LINES = tuple(
    (re.compile(rf"\s*{pattern}", re.IGNORECASE), help)
    for pattern, help in (
        (
            rf"{_BECOMES}(?P<value>{_NUMBER})",
            "`mov ={value}, {name}` puts {value} into the word {name}; `.equ {name}, {value}` names the number",
        ),
        (rf"{_BECOMES}(?P<value>[a-z_]\w*)\s*$", "`mov {value}, {name}` puts the word {value} into {name}"),
        (rf"(?P<name>[a-z_]\w*)\s+equ\s+(?P<value>{_NUMBER})", "a number gets a name by `.equ {name}, {value}`"),
        (r"(?:else\s+if|elif|else?if|elsif)\b", "write `else` and, below it, another `if` with an `end` of its own"),
        (r"for\s*\(?\s*(?P<name>[a-z_]\w*)\s*(?:=|in\b)", "a loop is written `for {name}, =1, =10` … `end`"),
        (rf"{_CONDITION}.*\bthen\b", "there is no `then`: the body stands on the lines below, up to `end`"),
        (rf"{_CONDITION}.*:\s*$", "no `:` ends a condition: the body stands on the lines below, up to `end`"),
        (rf"{_CONDITION}\s*\(.*\)\s*$", "a condition is written without parentheses, as in `if a lt b`"),
        (rf"{_CONDITION}[^=<>!]*=(?!=)", "a condition says `eq` for `=`; a number in it is `=5`"),
        (_CONDITION, "a condition is `a`, `not a`, or `a lt b` with one of lt, le, gt, ge, eq, ne"),
        (r"(?:/\*|--|')", "a comment begins with `;`, `#` or `//`"),
        (r"\w+:\s*(?P<value>-?\d\w*)\s*$", "a word that holds a number is written `.word {value}`"),
        (r"\d\w*\s*:", "a label begins with a letter"),
    )
)
_REGISTERS = "there are no registers: a word with a label holds a value; a number is written `=5`"
_SIGNS = {
    "[": "`load p, a` reads the word whose address is in `p`, and `store a, p` writes it",
    "$": _REGISTERS,
    "@": _REGISTERS,
    "%": _REGISTERS,
}


def help_for(text: str) -> str | None:
    """Help for a line that is no statement, or None where it shows no habit that we know."""
    for pattern, help in _LINES:
        if match := pattern.match(text):
            return help.format(**match.groupdict())
    return None


def help_for_sign(text: str, column: int) -> str | None:
    """Help for the sign that stands in this column of a line where none can."""
    before, sign, after = text[: column - 1], text[column - 1 : column], text[column:]
    if sign == "." and before[-1:].isdigit() and after[:1].isdigit():
        return "numbers are whole"
    return _SIGNS.get(sign)
