"""Help for what other assemblers and languages have taught: their directives, and what is easily left out."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assembler import habits
from assembler.blocks import BLOCK_DIRECTIVES
from assembler.diagnostics import did_you_mean, shown
from assembler.image import ISAS
from assembler.layout import DIRECTIVES
from assembler.library import standard_library
from assembler.syntax import Block, Conditional, Definition, Expression, Instruction, Operand, Repetition, Statement

if TYPE_CHECKING:
    from assembler.expansion import Expansion

_NUMBERS = (
    "word",
    "data",
    "byte",
    "db",
    "dw",
    "dd",
    "dc",
    "int",
    "long",
    "short",
    "half",
    "quad",
    "num",
    "const",
    "var",
    "let",
)
_TEXTS = ("asciz", "ascii", "string", "str", "text", "char", "stringz", "strz", "asc")
_ROOM = ("space", "skip", "zero", "res", "resb", "resw", "ds", "block", "blkw", "fill", "bss", "array")
_MACROS = {
    "move": "mov",
    "ld": "load",
    "lda": "load",
    "st": "store",
    "sta": "store",
    "print": "puts",
    "write": "puts",
    "printf": "puts",
    "read": "in",
    "input": "in",
    "getchar": "getc",
    "putchar": "out",
    "putc": "out",
    "cmp": "jeq",
    "b": "jmp",
    "br": "jmp",
    "bra": "jmp",
    "goto": "jmp",
    "beq": "jeq",
    "bne": "jne",
    "blt": "jlt",
    "bgt": "jgt",
    "je": "jeq",
    "jg": "jgt",
    "jl": "jlt",
    "jsr": "call",
    "gosub": "call",
    "rts": "ret",
    "hlt": "halt",
    "stop": "halt",
    "exit": "halt",
    "mult": "mul",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "increment": "inc",
    "decrement": "dec",
    "assign": "mov",
    "addi": "add",
    "subi": "sub",
    "endif": "end",
    "endwhile": "end",
    "wend": "end",
    "next": "end",
    "function": "proc",
    "func": "proc",
    "def": "proc",
}
_CONSTANT = re.compile(r"\s*,?\s*#(-?\w+)")


def of_other_assemblers(word: str) -> str | None:
    """What a word in lower case, which is none of ours, is called here."""
    plain = word.removeprefix(".")
    if plain in _NUMBERS:
        return "did you mean `.word`?"
    if plain in _TEXTS:
        return "did you mean `.asciz`, or `.ascii` without a 0 at the end?"
    if plain in _ROOM:
        return "did you mean `.space`?"
    if plain in ("equ", "set", "define", "eq"):
        return "did you mean `.equ NAME, value`?"
    if plain == "macro":
        return "did you mean `.macro`?"
    return f"did you mean `{_MACROS[word]}`?" if word in _MACROS else None


def missing_colon(statement: Statement, body: Instruction) -> str | None:
    """Help where the first word of a statement looks like a label that lacks its colon."""
    first = body.operands[0] if body.operands else None
    if (first is None and "." not in body.word.text) or (first is not None and _is_mnemonic(first)):
        return f"if it is a label, it is written `{shown(body.word.text)}:`"
    return None


def _is_mnemonic(operand: Operand) -> bool:
    name = operand.value.sole_name if isinstance(operand.value, Expression) else None
    return name is not None and is_mnemonic(name.text)


def is_mnemonic(word: str) -> bool:
    """Whether a word is an instruction or a standard macro."""
    return word.lower() in ISAS or word.lower() in standard_library().macros


def hidden_by_comment(statement: Statement) -> str | None:
    """Help where a `#` that was to mark a constant has made a comment of it and of all that follows."""
    match = _CONSTANT.match(statement.line.text, statement.span.end - 1)
    return f"`#` begins a comment; a constant is `={match[1]}`" if match else None


def miscounted(body: Instruction, least: int, most: int | None) -> str:
    """That a statement has a wrong number of operands, and which it takes; None: any number from `least` on."""
    wanted = f"{least} or more" if most is None else str(least or "no") if least == most else f"{least} to {most}"
    noun = "operand" if wanted == "1" else "operands"
    return f"`{shown(body.word.text)}` takes {wanted} {noun}, and this one has {len(body.operands) or 'none'}"


def for_unknown(expansion: "Expansion", statement: Statement, body: Instruction) -> str | None:
    """Help for a word that is no instruction, no directive and no macro here."""
    word = statement.word
    help = habits.help_for(statement.line.text) or of_other_assemblers(word)
    if help is not None:
        return help
    if word.startswith("."):
        return did_you_mean(word, [*DIRECTIVES, *BLOCK_DIRECTIVES, ".include", ".incbin"])
    if not expansion.layout.header.has_library and word in standard_library().macros:
        return f"`{word}` is a standard macro, which `.nostd` leaves out"
    included = expansion.files.blocks() if "files" in vars(expansion) else ()
    for definition in _definitions([expansion.block, *included]):
        if definition.head.name.text.lower() == word:
            place = definition.statement.span_of(definition.head.name)
            return f"the macro at {place} must stand above its use"
    near = did_you_mean(word, [*ISAS, *expansion.macros.names()])
    return near or missing_colon(statement, body)


def _definitions(blocks: list[Block]) -> Iterator[Definition]:
    """The macros defined anywhere in some blocks."""
    while blocks:
        for node in blocks.pop():
            match node:
                case Definition():
                    yield node
                case Conditional():
                    blocks += [branch.block for branch in node.branches]
                case Repetition():
                    blocks.append(node.block)
