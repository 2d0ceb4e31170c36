"""Comments that were likely meant as statements: the directives of C, and what follows a `;` on a line."""

import re
from collections.abc import Iterator

from assembler.diagnostics import AssemblyError, SourceLine, Span, shown
from assembler.image import ISAS
from assembler.layout import DIRECTIVES, Layout
from assembler.library import standard_library
from assembler.parsing import parse_lines
from assembler.syntax import Instruction

_MOST = 5  # noted of one file
_OF_C = re.compile(r"\s*(#(define\s+\w|include\s*[\"<]|ifn?def\s+\w|endif\b|undef\s+\w|pragma\s))")
_INSTEAD = {"define": "`.equ NAME, value` names a number", "include": '`.include "file"` takes in a file'}
# What stands before the first `;` outside of quotes, where that is close to it.
_JOINED = re.compile(r"""(?:[^;#"'/]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|/(?!/))*(?<=[^\s;]);""")


def note_hidden(layout: Layout, text: str, name: str) -> None:
    """Notes comments of a source that were likely meant as statements; a few at most."""
    if "#" not in text and ";" not in text:
        return
    found = 0
    for number, line in enumerate(text.split("\n"), 1):
        for start, end, message in _hidden(line):
            layout.note(message, Span(SourceLine(name, number, line), start, end))
            found += 1
        if found >= _MOST:
            return


def _hidden(line: str) -> Iterator[tuple[int, int, str]]:
    """Where in a line such a comment is, in columns from 1, and what to say of it."""
    if match := _OF_C.match(line):
        word = re.split(r"\W", match[2])[0]
        instead = _INSTEAD.get(word, "`.if` … `.endif` choose what is assembled")
        yield match.start(1) + 1, match.start(1) + 2 + len(word), f"`#{word}` is a comment here; {instead}"
    elif (match := _JOINED.match(line)) and _is_statement(line[match.end() :]):
        hidden = line[match.end() :].strip()
        message = f"`;` begins a comment, so that `{shown(hidden)}` does nothing; a statement has a line of its own"
        yield match.end(), len(line) + 1, message


def _is_statement(text: str) -> bool:
    """Whether a text is a statement that has the right number of operands."""
    try:
        statements = parse_lines([SourceLine("", 1, text)], "")
    except AssemblyError:
        return False
    body = statements[0].body if statements else None
    if not isinstance(body, Instruction):
        return False
    word, given = statements[0].word, len(body.operands)
    macro = standard_library().macros.get(word)
    if macro is not None:
        head = macro.definition.head
        return head.least <= given <= len(head.parameters)
    return given > 0 and word in (*ISAS, *DIRECTIVES)
