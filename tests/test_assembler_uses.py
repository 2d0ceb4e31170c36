"""Operands that hold something else than what they are used for are noted, and those that are meant so are not."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from assembler import assemble

DATA = """
halt
x:      .word 5
y:      .word 7
p:      .word x
n:      .word 0
arr:    .word 3, 1, 2
msg:    .asciz "hi"
raw:    .ascii "hi"
last:   .word 9
"""
# The source; the column in line 1; some of the words.
SLIPS = [
    # Parentheses and sums, as other assemblers and languages read them.
    ("mov (x), y", 5, "parentheses change nothing"),
    ("mov(x), y", 4, "parentheses change nothing"),
    ("add x, (y)", 8, "parentheses change nothing"),
    ("jmp (p)", 5, "parentheses change nothing"),
    ("sbn (x), y", 5, "parentheses change nothing"),
    ("mov x, 5 + y", 8, "`5 + y` is the address 5 words after `y`"),
    ("mov x, y + 1", 8, "`y + 1` is the address 1 word after `y`"),
    ("mov x - 1, y", 5, "`x - 1` is the address 1 word before `x`"),
    ("mov arr + 3, y", 5, "3 words after `arr`"),
    ("mov =x + 1, y", 5, "`x + 1` is the address 1 word after `x`"),
    ("sbn x -1", 5, "`x -1` is the address 1 word before `x`"),
    ("add -x, y", 5, "`-x` is computed from addresses"),
    ("add x * 2, y", 5, "is computed from addresses"),
    ("add x - y, n", 5, "is computed from addresses"),
    ("if !x\nend", 4, "`not x` asks whether the word x is 0"),
    # Numbers.
    (".equ N, 5\nadd N, x", None, "`N` is 5, an address here, in the middle of the instructions"),
    (".equ N, 500\nadd N, x", None, "`N` is 500, an address here, outside of the program"),
    ("while 1\nend", 7, "the number is written =1"),
    ("sbn 'A', -1", 5, "the number is written =65"),
    ("sbn x, 'A'", 8, "the number is written =65"),
    ("sbn 65, -1", 5, "the number is written =65"),
    ("puts 'h'", 6, 'a text is written "…"'),
    ("set y, x", 5, "`mov y, a` copies the word"),
    # What a word holds.
    ("jz y, x", 7, "`x` is data, and no place in the program to go to"),
    ("sbn x, y, x", 11, "`x` is data, and no place in the program to go to"),
    ("sbn x, y, 5", 11, "no instruction begins at 5"),
    ("jmp 100", 5, "no instruction begins at 100"),
    ("loop: inc loop", 11, "`loop` is a place in the program, not a word"),
    ("loop: puts loop", 12, "`loop` is a place in the program, and no text"),
    ("out msg", 5, "`puts msg` writes all of it"),
    ("putn msg", 6, "`puts msg` writes all of it"),
    ("mov msg, x", 5, "`mov` takes the first word of the text `msg`"),
    ('mov ="text", x', 5, "`lea` gives its address"),
    ('load ="text", x', 6, "`lea` gives the address of a text"),
    ("puts raw", 6, "the text at `raw` has no 0 at its end"),
    ("puts x", 6, "the text at `x` has no 0 at its end"),
    ("puts arr", 6, "the text at `arr` has no 0 at its end"),
    ("puts =msg", 6, "`=msg` is a word that holds an address; write `msg`"),
    ("geti =arr, =0, x", 6, "`=arr` is a word that holds an address; write `arr`"),
    ("seti arr, =0, x", 11, "`=0` is a word that holds the number 0, and no array"),
    ("geti p, =0, x", 6, "`p` is one word, and no array"),
    ("load arr, x", 6, "`arr` holds 3, which `load` takes for an address"),
    ("load x, y", 6, "`x` holds 5, which `load` takes for an address"),
    ("store p, x", 10, "`x` holds 5, which `store` takes for an address"),
    ("call f\njmp e\nf: inc x\ne: nop", 6, "goes back by `ret`, and there is none"),
]
# What looks alike and is meant so.
MEANT = [
    "add arr + 2, x",
    "mov =arr + 3, p",
    "putn(x)",
    "if (x)\nend",
    "mov (x + 0), y",
    ".equ HEAP, 500\nmov x, HEAP\nadd HEAP, x",
    ".equ ARRAY, 500\ngeti ARRAY, =1, x",
    "set last - x, y",
    "lea x, p",
    "set arr, p",
    "load p, x",
    "load =arr, x",
    "store =1, =arr",
    "geti arr, =1, x",
    "geti arr - 1, =1, x",
    'puts "text"',
    "puts msg + 1",
    'lea ="text", p',
    'out ="a"',
    "jeq x, y, .+9\nnop",
    "jmp -1",
    "load =4, x",
    "loop: sbn x, loop + 1, -1",
    "sbn x, here:0\nmov x, here",
    ".rept 3, k\nadd arr + k, x\n.endr",
    ".macro twice a\nadd a, a\n.endm\ntwice x",
    "call f\njmp e\nproc f\ninc x\nendproc\ne: nop",
]


def notes(text: str) -> list[str]:
    return [str(note) for note in assemble(text + DATA, "t.sbn").notes]


@pytest.mark.parametrize(("text", "column", "words"), SLIPS)
def test_a_slip_is_noted_where_it_stands(text: str, column: int | None, words: str) -> None:
    said = notes(text)
    place = "t.sbn:2:5: " if column is None else f"t.sbn:1:{column}: "
    assert len(said) == 1 and said[0].startswith(place) and words in said[0], said


@pytest.mark.parametrize("text", MEANT)
def test_what_is_meant_so_is_not_noted(text: str) -> None:
    assert notes(text) == []


def test_the_bundled_programs_have_no_notes() -> None:
    folder = files("programs")
    sources = [each for each in folder.iterdir() if each.name.endswith(".sbn")]
    assert len(sources) > 25
    for source in sources:
        assert assemble(source.read_text(encoding="utf-8"), source.name).notes == ()


def test_the_programs_of_the_documentation_have_no_notes() -> None:
    root = Path(__file__).resolve().parents[1]
    chapters = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    blocks = [
        block
        for chapter in chapters
        for block in re.findall(r"```sbn\n(.*?)```", chapter.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert len(blocks) > 10
    for block in blocks:
        assert assemble(block).notes == ()


def test_at_most_five_slips_of_a_program_are_noted() -> None:
    assert len(notes("add -x, y\n" * 9 + "\n".join(f"mov x + {k}, y" for k in range(50, 60)))) == 5
