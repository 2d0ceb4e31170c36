"""Why a line is no statement, in words: looked into only where the parser has met what it cannot take."""

import re
from typing import Any

from lark.exceptions import UnexpectedToken

from assembler import habits
from assembler.diagnostics import SourceLine, shown
from assembler.parsing import SyntaxFault
from assembler.suggestions import is_mnemonic
from assembler.syntax import Name


def meaningless(text: str, column: int) -> SyntaxFault:
    """Why no word of the language begins at this column."""
    character = text[column - 1]
    quoted = {'"': "string", "'": "character"}.get(character)
    if quoted:
        message, help = f"this {quoted} has no closing `{character}`", habits.help_for(text)
        return SyntaxFault(message, column, len(text.rstrip()) + 1, help)
    drawn = f"`{character}` (U+{ord(character):04X})" if character.isprintable() else f"U+{ord(character):04X}"
    return SyntaxFault(f"{drawn} has no meaning here", column, column + 1, habits.help_for_sign(text, column))


def misplaced(text: str, error: UnexpectedToken) -> SyntaxFault:
    """What should have stood where the parser met a word it cannot take."""
    token: Any = error.token
    start, end, found = token.column, token.end_column, f"`{shown(token)}`"
    help = None
    if token.type == "DIRECTIVE" and "STRING" in error.accepts and "_COMMA" not in error.accepts:
        before = text[: start - 1].strip()
        help = habits.help_for(text) or (f"did you mean `{shown(before)}:`?" if before.isidentifier() else None)
    if token.type == "$END":
        # The parser places the end on the last word: the caret goes after it.
        start, end, found = end, end + 1, "end of line"
        if constant := re.match(r"\s*#(-?\w+)", text[start - 1 :]):
            help = f"`#` begins a comment; a constant is `={constant[1]}`"
    else:
        help = help or habits.help_for_sign(text, start)
    message = f"expected {_expectation(error.accepts)}, found {found}"
    return SyntaxFault(message, start, end, help or habits.help_for(text))


def _expectation(accepts: Any) -> str:
    if "STRING" in accepts:
        return "`,` or end of line" if "_COMMA" in accepts else "an operand"
    if "NUMBER" in accepts:
        return "a value"
    if "DIRECTIVE" in accepts:
        return "a label, an instruction or a directive"
    if "RPAREN" in accepts:
        return "an operator or `)`"
    if "EQUALS" in accepts:
        return "`,`, `=` or end of line"
    if "_COMMA" in accepts:
        return "`,` or end of line"
    if "_COLON" in accepts:
        return "`:` or an operand"
    return "a name"


def further_help(line: SourceLine, word: Name | None, column: int) -> str | None:
    """Help where, in this column, something follows a whole operand whose first word this is: a habit from elsewhere,
    or a label without its colon in front of an instruction."""
    if help := habits.help_for_sign(line.text, column) or habits.help_for(line.text):
        return help
    before = line.text[: word.start - 1].split() if word is not None and is_mnemonic(word.text) else []
    return f"did you mean `{shown(before[-1])}:`?" if before and before[-1].isidentifier() else None
