"""How deep parentheses and signs are nested in a line, looked at before the parser has to keep them all in mind."""

import re

_BEFORE_OPERANDS = re.compile(r"\s*(?:[A-Za-z_]\w*\s*:\s*)*\.?\w*")
# What can nest, and what may contain the same characters without nesting.
_NESTING = re.compile(r"""[-+~!(]|(?P<close>\))|(?P<skip>"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[ \t\f\v]+)"""
                      r"""|(?P<comment>[;#]|//)|(?P<other>.)""")  # fmt: skip


def too_deep(text: str, most: int) -> tuple[int, int] | None:
    """The columns of the first sign or parenthesis that stands more than `most` deep; None where none does."""
    open_signs = [0]  # for each open parenthesis, and outside of all, the signs that wait for their operand
    depth = 0
    after_operand = False
    before = _BEFORE_OPERANDS.match(text)
    for match in _NESTING.finditer(text, before.end() if before else 0):
        kind = match.lastgroup
        if kind == "comment":
            return None
        if kind == "skip":
            after_operand = after_operand or not match[0][0].isspace()
        elif kind == "close":
            if len(open_signs) > 1:
                depth -= 1 + open_signs.pop()
            after_operand = True
        elif kind == "other":
            after_operand = match[0].isalnum() or match[0] in "_."
        elif match[0] == "(":
            open_signs.append(0)
            depth += 1
            after_operand = False
        elif not after_operand:
            open_signs[-1] += 1
            depth += 1
        else:
            after_operand = False
        if after_operand:
            depth -= open_signs[-1]
            open_signs[-1] = 0
        if depth > most:
            return match.start() + 1, match.end() + 1
    return None
