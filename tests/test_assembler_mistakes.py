"""Beginners' mistakes: each is told, at assembly or by the run, with its place and with what to do."""

import pytest

from assembler import AssemblyError, assemble
from vm import Machine

X = "\nhalt\nx: .word 5\ny: .word 7"
# The source; where the mistake is told; some of the words.
MISTAKES = [
    ("add #5, x" + X, "1:1", "a constant is `=5`"),
    ("mov x, #5" + X, "1:", "a constant is `=5`"),
    ("sbn #1, x" + X, "1:1", "a constant is `=1`"),
    ("add 5, x" + X, "1:5", "is written =5"),
    ("mov x, 5" + X, "1:8", "is written =5"),
    ("if x lt 5\nend" + X, "1:9", "is written =5"),
    ("while x gt 3\nend" + X, "1:12", "is written =3"),
    ("mov -7, x" + X, "1:5", "is written =-7"),
    ("sbn x, -1, -1" + X, "1:1", "a write never goes to its target; on a machine where it does"),
    ("nop\nsbn -1, x, 0" + X, "2:1", "the input mode is set_branch_in"),
    (".input add_branch_in\nsbn x, -1, 0\nsbn -1, x, 0" + X, "2:1", "the input mode is add_branch_io"),
    ("mov x, =5" + X, "1:8", "never written"),
    ("clr =5" + X, "1:5", "never written"),
    ("in ='a'" + X, "1:4", "never written"),
    ("jmp =5" + X, "1:5", "no place to go to"),
    ("shl =2, x" + X, "1:5", "a number is needed here, `2`"),
    ("add x y" + X, "1:7", "expected `,`"),
    ("add x" + X, "1:1", "takes 2 arguments"),
    ("add x, y, x" + X, "1:1", "takes 2 arguments"),
    ("nl .word 10" + X, "1:4", "did you mean `nl:`?"),
    ("loop add x, y" + X, "1:10", "did you mean `loop:`?"),
    ("done halt" + X, "1:1", "it is written `done:`"),
    ("loop" + X, "1:1", "it is written `loop:`"),
    ("n: .data 5" + X, "1:4", "did you mean `.word`?"),
    ("n: .byte 5" + X, "1:4", "did you mean `.word`?"),
    ("n: db 5" + X, "1:4", "did you mean `.word`?"),
    ('n: .string "a"' + X, "1:4", "did you mean `.asciz`"),
    ("n: .skip 5" + X, "1:4", "did you mean `.space`?"),
    ("move x, y" + X, "1:1", "did you mean `mov`?"),
    ("goto x" + X, "1:1", "did you mean `jmp`?"),
    ('print "x"' + X, "1:1", "did you mean `puts`?"),
    ("hlt" + X, "1:1", "did you mean `halt`?"),
    ("addd x, y" + X, "1:1", "did you mean `add`?"),
    ("jmp strat\nstart: halt", "1:5", "did you mean `start`?"),
    ("jmp X" + X, "1:5", "did you mean `x`?"),
    ("x: x: halt", "1:4", "duplicate label `x`"),
    ('add "a", x' + X, "1:5", '`="a"`'),
    ('puts "a' + X, "1:6", "no closing"),
    ("out 'ab'" + X, "1:5", "one byte"),
    ("if x < y\nend" + X, "1:4", "`lt` for `<`"),
    ("if x == y\nend" + X, "1:4", "`eq` for `==`"),
    ("if x && y\nend" + X, "1:4", "one `if` into another"),
    ("if x" + X, "1:1", "this `if` has no `end`"),
    ("while x\nuntil x" + X, "1:1", "this `while` has no `end`"),
    ("end" + X, "1:1", "closes no block"),
    ("else" + X, "1:1", "parts no block"),
    ("endif" + X, "1:1", "did you mean `end`?"),
    ("break" + X, "1:1", "can only stand in the body of"),
    ("proc f\nhalt" + X, "1:1", "this `proc` has no `endproc`"),
    ("n: .word 70000" + X, "1:10", "out of range"),
    ("mov =70000, x" + X, "1:5", "out of range"),
    (".isa subleq\nsbn x, x" + X, "2:1", "not an instruction of the `.isa` in force"),
    (".macro add a, b\n.endm" + X, "1:8", "hides the standard macro"),
    (".equ CHEKED, 1" + X, "1:6", "a setting `CHECKED`"),
    (".equ STAK, 9" + X, "1:6", "a setting `STACK`"),
    ("x: .word 5", "1:4", "no instruction"),
    ("", "", "no instruction"),
    ("mov =1, x\nx: .word 5", "2", "did you forget `halt`?"),
    ('puts "a"\ntext: .asciz "b"', "2", "did you forget `halt`?"),
    (".nostd\nsbn 0, 0", "", "did you forget `halt`?"),
    ("ret" + X, "1", "empty stack"),
    ("pop x" + X, "1", "empty stack"),
    (".equ STACK, 9\nf: call f" + X, "2", "words of the stack"),
    ("l: jmp l" + X, "1", "stands still"),
]


def told(text: str) -> list[str]:
    """All that is told of a source, at assembly or by a short run."""
    try:
        image = assemble(text, "t.sbn")
    except AssemblyError as error:
        return [str(each) for each in error.diagnostics]
    outcome = Machine(image, "native").run(400)
    return [*map(str, image.notes), *map(str, outcome.notes), outcome.message]


@pytest.mark.parametrize(("text", "place", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str, place: str, words: str) -> None:
    said = told(text)
    assert any(words in each and (not place or f"t.sbn:{place}" in each) for each in said), said
