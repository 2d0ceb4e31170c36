"""Literals: `=…` is the address of a word that the assembler makes, to be read only."""

import pytest

from assembler import AssemblyError, assemble
from vm.reference import ReferenceMachine, Stop

both_sets = pytest.mark.parametrize("isa", ["sbn", "subleq"])


def run(text: str, isa: str = "sbn", word_bits: int = 16) -> bytes:
    image = assemble(text, isa=isa, word_bits=word_bits)
    machine = ReferenceMachine(image.words, word_bits, isa, image.entry, len(image.words))
    assert machine.run(100_000).stop is Stop.HALTED
    return bytes(machine.output)


def error(text: str) -> tuple[str, str]:
    """The place and the words of the first error of a source."""
    with pytest.raises(AssemblyError) as caught:
        assemble(text, "t.sbn")
    diagnostic = caught.value.diagnostics[0]
    return str(diagnostic.span), f"{diagnostic.message} / {diagnostic.help}"


@both_sets
def test_a_literal_is_a_word_with_a_value(isa):
    assert run("mov =-7, x\nadd =10, x\nputn x\nout ='\\n'\nhalt\nx: .word 0", isa) == b"3\n"


def test_equal_values_share_one_word_at_the_end_of_the_program():
    image = assemble(".nostd\nsbn =5, x\nsbn =2 + 3, x\nsbn =65535, x\nsbn =-1, x, -1\nx: .word 0\n.org 20\n.word 9")
    assert image.words[21:] == (5, 65535)
    assert [image.words[at] for at in (0, 3, 6, 9)] == [21, 21, 22, 22]


def test_a_literal_may_hold_a_label_from_below_and_that_of_a_pool():
    image = assemble("load =x, y\nmov =__t, y\nhalt\nx: .word 42\ny: .word 0")
    assert image.words[-2:] == (image.symbols["x"], image.symbols["__t"])


def test_a_literal_string_is_the_address_of_a_text_that_ends_with_0():
    assert run('puts ="ab"\nputs "ab"\nlea ="ab", p\nload p, x\nout x\nhalt\np: .word 0\nx: .word 0') == b"ababa"
    image = assemble('.nostd\n.word ="ab", ="ab", ="b"')
    assert image.words == (3, 3, 6, 97, 98, 0, 98, 0)


def test_a_literal_goes_through_macros_as_any_operand_does():
    text = ".macro twice a, b\nadd a, b\nadd a, b\n.endm\n.macro more a, b\ntwice a, b\n.endm\n"
    assert run(f"{text}more =4, x\nputn x\nhalt\nx: .word 1") == b"9"


def test_a_parameter_may_stand_in_a_literal():
    assert run(".macro put n\nputn =n * n\n.endm\nput 7\nput -2\nhalt") == b"494"


@pytest.mark.parametrize("branch", ["jz =0", "jnz =1", "jneg =-1", "jpos =1", "jeq =2, =2", "jne =1, =2"])
@both_sets
def test_branches_take_literals_and_leave_them_as_they_were(branch, isa):
    assert run(f"again: {branch}, ok\nhalt\nok: out ='y'\n{branch}, ok2\nhalt\nok2: out ='y'\nhalt", isa) == b"yy"


@pytest.mark.parametrize("branch", ["jlt", "jle", "jgt", "jge"])
@both_sets
def test_comparisons_take_literals_and_leave_them_as_they_were(branch, isa):
    low, high = ("=-3", "=4") if branch in ("jlt", "jle") else ("=4", "=-3")
    line = f"{branch} {low}, {high}"
    assert run(f"{line}, ok\nhalt\nok: putn =4\nputn =-3\n{line}, ok2\nhalt\nok2: halt", isa) == b"4-3"


CHANGED = [
    "clr =5",
    "mov x, =5",
    "add x, =5",
    "neg =5",
    "in =5",
    "pop =5",
    "set 3, =5",
    "sbn x, =5",
    "sbn =5",
    "inc =5",
]


@pytest.mark.parametrize("line", CHANGED)
def test_a_literal_that_would_be_changed_is_refused(line):
    place, said = error(f"{line}\nx: .word 0")
    assert place == f"t.sbn:1:{line.index('=') + 1}"
    assert "a literal is read, never written" in said and "name: .word 5" in said


def test_the_message_names_the_macro_that_changes_a_literal():
    assert "`mine` changes" in error(".macro mine a\nclr a\n.endm\nmine =5")[1]


def test_a_macro_may_say_that_it_keeps_a_word():
    image = assemble(".nostd\n.macro test a\n.keeps a\nsbn minus, a\nsbn plus, a\n.endm\ntest =1\nminus: plus: .word 0")
    assert image.words[-1] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jmp =5", "no place to go to"),
        ("x: sbn x, x, =5", "no place to go to"),
        (".space =5", "no place in `.space`"),
        (".if =5\n.endif", "no place|a number is needed"),
        ("shl =2, x\nx: .word 0", "a number is needed here, `2`"),
        ("mov =70000, x\nx: .word 0", "out of range"),
        ("mov =nowhere, x\nx: .word 0", "undefined label `nowhere`"),
        ('add "x", y\ny: .word 0', '`="x"`'),
        ('sbn "x", y\ny: .word 0', '`="x"`'),
        (".keeps a", "can only stand"),
        (".macro m a\n.keeps b\n.endm", "not a parameter"),
    ],
)
def test_a_literal_in_a_wrong_place_is_refused(text, words):
    assert any(word in error(text)[1] for word in words.split("|"))
