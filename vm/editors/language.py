"""What an editor may ask about a source: what is wrong, what a word means and where it is from, what may come next."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from assembler import AssemblyError, Image, assemble, macro_reference
from assembler.blocks import BLOCK_DIRECTIVES, SIGNATURE_DIRECTIVES
from assembler.diagnostics import Diagnostic
from assembler.expansion import BLOCK_MACRO_DIRECTIVES
from assembler.image import ISAS, signed
from assembler.layout import DIRECTIVES
from assembler.library import FILE, standard_library
from assembler.notes import NO_INSTRUCTION
from vm.editors import words as kinds
from vm.editors.words import MacroText, Word, Words

ALL_DIRECTIVES = sorted({*BLOCK_DIRECTIVES, *SIGNATURE_DIRECTIVES, *BLOCK_MACRO_DIRECTIVES, *DIRECTIVES, ".include"})
NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_MEANT = re.compile(r"did you mean `([^`]+)`\?")
SETTINGS = {
    word.text for statement in standard_library().constants for word in Words(statement.line.text).definitions()
}
MACROS = {macro.name.lower(): macro for macro in macro_reference()}


@dataclass(frozen=True)
class Problem:
    """What is wrong in a range of one line, columns from 0; and what to put there instead, where that is known."""

    line: int
    start: int
    end: int
    message: str
    is_error: bool
    instead: str | None = None


class Document:
    """One open source, as it stands in the editor. texts: those of all open sources, by their real paths."""

    def __init__(self, path: str, text: str, texts: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.text = text
        self.words = Words(text)
        self.included = _included(self, texts or {})
        self.image: Image | None = None
        self.problems = self._problems(texts or {})

    def _problems(self, texts: Mapping[str, str]) -> list[Problem]:
        try:
            self.image = assemble(self.text, self.path, os.path.dirname(self.path) or None, texts=texts)
        except AssemblyError as error:
            return [self._problem(each) for each in error.diagnostics]
        found = []
        for note in self.image.notes:
            if note.message == NO_INSTRUCTION:  # a part that other sources include, or one that is only begun
                continue
            line = note.line - 1 if note.line is not None and note.file == self.path else 0
            end = len(self.words.lines[line])
            found.append(Problem(line, max((note.column or 1) - 1, 0), end, note.message, is_error=False))
        return found

    def _problem(self, diagnostic: Diagnostic) -> Problem:
        message = diagnostic.message + (f"\n{diagnostic.help}" if diagnostic.help else "")
        span = diagnostic.span.outermost if diagnostic.span is not None else None
        if span is None or span.line.file != self.path:
            place = "" if span is None else f"{span}: "
            return Problem(0, 0, len(self.words.lines[0]), f"{place}{message}", is_error=True)
        is_here = diagnostic.span is span
        meant = _MEANT.search(diagnostic.help or "") if is_here else None
        if not is_here:
            message = f"{diagnostic.span}: {message}"
        line = min(span.line.number, len(self.words.lines)) - 1
        return Problem(line, span.start - 1, max(span.end - 1, span.start), message, True, meant and meant[1])

    # --- what a word means --------------------------------------------------------------------------------------------

    def hover(self, word: Word) -> str | None:
        """What there is to know about a word, in Markdown."""
        if word.kind in (kinds.OPERATION, kinds.MACRO):
            return self._macro(word.text)
        if word.kind in (kinds.LABEL, kinds.CONSTANT, kinds.NAME):
            return self._name(word)
        if word.kind == kinds.PARAMETER:
            return f"`{word.text}`: a parameter of the macro `{word.scope}`"
        return None

    def _macro(self, name: str) -> str | None:
        own = self.macro(name)
        if own is not None:
            usage = f"{own.name} {', '.join(own.parameters)}".rstrip()
            return f"```\n{usage}\n```\n{own.documentation}"
        found = MACROS.get(name.lower())
        if found is not None:
            return f"```\n{found.usage}\n```\n```\n{found.documentation}\n```"
        if name.lower() in ISAS:
            return "`mem[B] ← mem[B] − mem[A]`; if the result is negative (`subleq`: 0 or less), go to C."
        return None

    def _name(self, word: Word) -> str | None:
        if word.scope:
            return f"`{word.text}`: a name of the macro `{word.scope}`, new in each of its expansions"
        defined = self.definition(word)
        where = ""
        if defined is not None:
            file = "" if defined[0] == self.path else f"{os.path.basename(defined[0])}, "
            where = f", {file}line {defined[2].line + 1}"
        image = self.image
        if image is None or word.text not in image.symbols:
            return f"`{word.text}`{where}" if defined is not None else None
        value = image.symbols[word.text]
        if word.text in image.constants:
            return f"`{word.text}` = {value}{where}"
        holds = f", holds {signed(image.words[value], image.word_bits)}" if 0 <= value < len(image.words) else ""
        return f"`{word.text}`: address {value}{holds}{where}"

    def definition(self, word: Word) -> tuple[str, Words, Word] | None:
        """Where a word is defined: the file, its words, and the word there."""
        for path, words in [(self.path, self.words), *self.included.items()]:
            found = words.definition(word)
            if found is not None:
                return path, words, found
        if word.kind == kinds.OPERATION and word.text.lower() in MACROS:
            library = Path(str(resources.files("assembler").joinpath("lib", FILE)))
            words = Words(library.read_text(encoding="utf-8"))
            found = words.definition(word)
            assert found is not None, "the library defines its macros"
            return str(library), words, found
        return None

    def macro(self, name: str) -> MacroText | None:
        """A macro that this source defines, or a file that it includes."""
        return next((words.macros[name.lower()] for words in (self.words, *self.included.values())
                     if name.lower() in words.macros), None)  # fmt: skip

    def renamed(self, word: Word, name: str) -> list[Word]:
        """The words that have to be changed for another name. Raises ValueError where that cannot be."""
        if self.words.definition(word) is None:
            raise ValueError(f"`{word.text}` is not defined in this file")
        if word.text in SETTINGS:
            raise ValueError(f"`{word.text}` is a setting of the library, which reads it by that name")
        if not NAME.fullmatch(name):
            raise ValueError(f"`{name}` is not a name of letters, digits and _")
        if name.startswith("__"):
            raise ValueError(f"`{name}`: names that begin with `__` are the assembler's")
        if self.words.is_used(name, word):
            raise ValueError(f"`{name}` is in use already")
        found = self.words.references(word)
        hiding = next((each for each in found if self.words.is_hidden(each, name)), None)
        if hiding is not None:
            raise ValueError(f"in line {hiding.line + 1}, `{name}` would be the macro `{hiding.inside}`'s own name")
        return found

    # --- what may come next -------------------------------------------------------------------------------------------

    def completions(self, line: int, column: int) -> list[tuple[str, str, str]]:
        """Words that may stand at a place: each with what it is, and a few words on it."""
        before = self.words.lines[line][:column] if line < len(self.words.lines) else ""
        in_operand = re.fullmatch(r"\s*(?:\w+\s*:\s*)*\.?\w*", before) is None
        offered: list[tuple[str, str, str]] = []
        for word in self.words.definitions():
            if (word.kind == kinds.MACRO) != in_operand:
                offered.append((word.text, word.kind, f"line {word.line + 1}"))
        for path, words in self.included.items():
            offered += [(each.text, each.kind, f"{os.path.basename(path)}, line {each.line + 1}")
                        for each in words.definitions() if (each.kind == kinds.MACRO) != in_operand]  # fmt: skip
        scope = next((each.scope for each in self.words.words if each.line == line and each.scope), "")
        offered += [(each.text, each.kind, scope) for each in self.words.words
                    if scope and each.scope == scope and each.kind in kinds.DEFINITIONS and in_operand]  # fmt: skip
        if not in_operand:
            offered += [(macro.name, kinds.MACRO, macro.usage) for macro in MACROS.values()]
            offered += [(each, kinds.DIRECTIVE, "") for each in ALL_DIRECTIVES]
            offered += [(each, kinds.OPERATION, "a, b, c") for each in ISAS]
        return list({each[0]: each for each in offered}.values())

    def signature(self, line: int, column: int) -> tuple[str, list[str], int] | None:
        """The macro whose operands are being typed: how it is used, its parameters, and which one is next."""
        before = self.words.lines[line][:column] if line < len(self.words.lines) else ""
        operation = next(
            (word for word in self.words.words if word.line == line and word.kind == kinds.OPERATION), None
        )
        if operation is None or operation.end >= column:
            return None
        at = re.sub(r'"(?:\\.|[^"\\])*"?', "", before[operation.end :]).count(",")
        own = self.macro(operation.text)
        if own is not None:
            return f"{own.name} {', '.join(own.parameters)}", list(own.parameters), at
        found = MACROS.get(operation.text.lower())
        if found is None:
            return None
        drawn = [name if default is None else f"{name}={default}" for name, default in found.parameters]
        return found.usage, drawn, at

    def formatted(self) -> str:
        """The source with its columns in order; only blanks differ."""
        return "\n".join(_formatted(line) for line in self.text.split("\n"))


def real_path(path: str) -> str:
    """What tells a file from others; the path itself where it is that of no file."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return path


def _included(document: Document, texts: Mapping[str, str]) -> dict[str, Words]:
    """The files that a source includes, and those that they include, by their paths; open ones as they stand.

    Those that are not there have no words.
    """
    found: dict[str, Words] = {}
    seen = {real_path(document.path)}
    left = [(document.path, document.words)]
    while left:
        including, words = left.pop(0)
        for named in filter(None, map(_INCLUDE.match, words.lines)):
            path = os.path.join(os.path.dirname(including), named[1])
            if real_path(path) in seen:
                continue
            seen.add(real_path(path))
            text = texts.get(real_path(path))
            if text is None:
                text = ""
                with contextlib.suppress(OSError, ValueError):  # the assembler tells why it cannot be read
                    if os.path.isfile(path):
                        text = Path(path).read_text(encoding="utf-8", errors="replace")
            found[path] = Words(text)
            left.append((path, found[path]))
    return found


_INCLUDE = re.compile(r'\s*(?:\w+\s*:\s*)*\.include\s+"([^"]+)"', re.IGNORECASE)
_LINE = re.compile(
    r"""(?P<labels>(?:[A-Za-z_]\w*[ \t]*:[ \t]*)*)(?P<operation>\.?[A-Za-z_]\w*)?"""
    r"""(?P<rest>(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?!//)[^;#"'])*)(?P<comment>(?:;|\#|//).*)?""",
    re.VERBOSE,
)


def _formatted(line: str) -> str:
    end = "\r" if line.endswith("\r") else ""
    text = line.strip()
    match = _LINE.fullmatch(text)
    if match is None or not (match["labels"] or match["operation"]):
        return line.rstrip() + end
    labels = " ".join(re.sub(r"[ \t]*:[ \t]*", ": ", match["labels"]).split())
    rest = (match["rest"] or "").strip()
    made = labels
    if match["operation"]:
        made = (
            f"{labels:<7} " if labels else " " * (max(len(line) - len(line.lstrip()), 0) if line[:1].isspace() else 0)
        )
        made += f"{match['operation']:<7} {rest}" if rest else match["operation"]
    made = made.rstrip()
    if match["comment"]:
        made = f"{made:<39} {match['comment']}"
    return made.rstrip() + end
