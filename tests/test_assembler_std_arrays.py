"""The standard macros for arrays, strings, chance and the end of the input, on both instruction sets."""

import itertools

import pytest
from marks import slow

from assembler import assemble
from vm.reference import ReferenceMachine, Stop

both_sets = pytest.mark.parametrize("isa", ["sbn", "subleq"])


def run(text: str, isa: str, word_bits: int = 16, read: bytes = b"") -> str:
    image = assemble(text, isa=isa, word_bits=word_bits)
    machine = ReferenceMachine(image.words, word_bits, isa, image.entry, len(image.words), input=read)
    assert machine.run(1_000_000).stop is Stop.HALTED
    return machine.output.decode()


@both_sets
def test_words_of_an_array_are_read_and_written_by_their_number(isa):
    text = "for i, =0, =4\nmov i, x\nmul i, x\nseti x, squares, i\nend\nfor i, =4, =0, -1\ngeti squares, i, x\nputn x\n"
    text += "out =' '\nend\ngeti squares, =3, i\nputn i\ngeti squares, x, x\nputn x\nhalt\ni: .word 0\nx: .word 0\n"
    assert run(f"{text}squares: .space 5", isa) == "16 9 4 1 0 90"


@both_sets
def test_an_array_may_be_at_the_upper_half_of_the_addresses(isa):
    text = "seti =7, far, =1\ngeti far, =1, x\nputn x\nhalt\nx: .word 0\n.equ far, 40000"
    image = assemble(text, isa=isa)
    machine = ReferenceMachine(image.words, 16, isa, 0, 1 << 16)
    assert machine.run(10_000).stop is Stop.HALTED and machine.output == b"7"


@both_sets
@pytest.mark.parametrize(("n", "copied"), [(-2, "----"), (0, "----"), (1, "a---"), (3, "abc-")])
def test_words_are_copied_the_lowest_first(n, copied, isa):
    text = f'copy =from, =to, ={n}\nputs to\nhalt\nfrom: .asciz "abcdef"\nto: .asciz "----"'
    assert run(text, isa) == copied


@both_sets
def test_strings_are_compared_as_python_compares_them(isa):
    words = ["", "a", "b", "ab", "abc", "abd", "B"]
    for one, other in itertools.product(words, words):
        text = f'lea ="{one}", p\nlea ="{other}", q\ncmps p, q, x\nputn x\nhalt\np: .word 0\nq: .word 0\nx: .word 0'
        assert int(run(text, isa)) == (one > other) - (one < other), (one, other)


@both_sets
@pytest.mark.parametrize("word_bits", [16, *slow(12, 17, 32)])
def test_random_numbers_are_spread_and_the_same_at_each_run(word_bits, isa):
    text = "for i, =1, =200\nrand x\nif x lt =0\nhalt\nend\nmod =4, x\nputn x\nend\nhalt\ni: .word 0\nx: .word 0"
    drawn = run(text, isa, word_bits)
    assert len(drawn) == 200 and all(25 <= drawn.count(digit) <= 80 for digit in "0123")
    assert len({drawn[at : at + 8] for at in range(0, 200, 8)}) > 20
    assert drawn == run(text, "sbn", word_bits) == run(f".equ SEED, 1\n{text}", isa, word_bits)
    assert drawn != run(f".equ SEED, 2\n{text}", isa, word_bits)
    assert run(f".equ SEED, 2\n{text}", isa, word_bits) == run(f"seed =2\n{text}", isa, word_bits)


@both_sets
def test_getc_tells_the_end_of_the_input(isa):
    text = "again: getc c, done\nout c\njmp again\ndone: putn c\nhalt\nc: .word 0"
    assert run(text, isa, read=b"ab\x00~") == "ab\x00~-1"
