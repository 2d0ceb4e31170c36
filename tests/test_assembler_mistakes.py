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
    ("set =5, x" + X, "1:5", "a number is needed here, `5`"),
    (".macro put n, a\nset n, a\n.endm\nput =5, x" + X, "4:5", "a number is needed here, `5`"),
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
    # Habits from other languages.
    ("x = 5" + X, "1:1", "`mov =5, x` puts 5 into the word x; `.equ x, 5` names the number"),
    ("let x = 5" + X, "1:7", "`mov =5, x`"),
    ("x := y" + X, "1:", "`mov y, x` puts the word y into x"),
    ("SIZE equ 10" + X, "1:10", "`.equ SIZE, 10`"),
    ("n: 5" + X, "1:4", "`.word 5`"),
    ("2nd: halt" + X, "1:1", "a label begins with a letter"),
    ("n: .word 1.5" + X, "1:11", "numbers are whole"),
    ("mov [x], y" + X, "1:5", "`load p, a` reads the word whose address is in `p`"),
    ("add %eax, x" + X, "1:5", "there are no registers"),
    ("add $5, x" + X, "1:5", "a number is written `=5`"),
    ("subtract x, y" + X, "1:1", "did you mean `sub`?"),
    ("shl x, 2" + X, "1:5", "the layout depends on `x`"),
    ("if x eq y then\nend" + X, "1:11", "there is no `then`"),
    ("if x eq y:\nend" + X, "1:10", "no `:` ends a condition"),
    ("if (x eq y)\nend" + X, "1:7", "without parentheses"),
    ("if x is y\nend" + X, "1:6", "`a lt b` with one of lt, le, gt, ge, eq, ne"),
    ("repeat\nuntil x = 3" + X, "2:9", "`eq` for `=`"),
    ("if x\nelse if y\nend" + X, "2:9", "another `if` with an `end` of its own"),
    ("if x\nelif y\nend" + X, "2:1", "another `if` with an `end` of its own"),
    ("for i = 1 to 10\nend" + X, "1:7", "`for i, =1, =10`"),
    ("for (i = 1; i < 5; i++)" + X, "1:8", "`for i, =1, =10`"),
    ("/* a comment */" + X, "1:1", "a comment begins with `;`"),
    ("-- a comment" + X, "1:1", "a comment begins with `;`"),
]


def told(text: str) -> list[str]:
    """All that is told of a source, at assembly or by a short run."""
    try:
        image = assemble(text, "t.sbn")
    except AssemblyError as error:
        return [str(each) for each in error.diagnostics]
    outcome = Machine(image, "native").run(400)
    return [*map(str, image.notes), *map(str, outcome.notes), outcome.message]


def test_there_are_more_than_81_mistakes_each_another() -> None:
    assert len({text for text, _, _ in MISTAKES}) == len(MISTAKES) > 81


@pytest.mark.parametrize(
    ("text", "place"), [("mov x y x" + X, "1:7"), ("add =5 x" + X, "1:8"), ("out =x y" + X, "1:8")]
)
def test_a_lacking_comma_is_not_taken_for_a_habit_from_elsewhere(text: str, place: str) -> None:
    [said] = told(text)
    assert f"t.sbn:{place}: error: expected `,` or end of line" in said and "help" not in said


@pytest.mark.parametrize(("text", "place", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str, place: str, words: str) -> None:
    said = told(text)
    assert any(words in each and (not place or f"t.sbn:{place}" in each) for each in said), said
