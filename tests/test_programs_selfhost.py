"""The machine in SBN among the bundled programs: a guest does in it what it does directly."""

import functools
import random

import pytest

import programs
from assembler import assemble
from vm.reference import ReferenceMachine, Stop

MEMORY = 31_744  # words of the guest


@functools.cache
def image_of(name, word_bits=None):
    source = programs.source(name)
    if word_bits is not None:
        source = source.replace(".width 16", f".width {word_bits}")
    image = assemble(source, name=f"{name}.sbn")
    assert word_bits in (None, image.word_bits)
    return image


def decimal(image) -> bytes:
    """The words, signed, as an image file of decimal words has them."""
    half = 2 ** (image.word_bits - 1)
    return b" ".join(b"%d" % (word - 2 * half if word >= half else word) for word in image.words)


def run(input: bytes, word_bits: int = 16, max_steps: int = 3_000_000) -> bytes:
    """What the machine in SBN prints; it must halt."""
    host = image_of("selfhost", word_bits)
    machine = ReferenceMachine(host.words, word_bits, host.isa, host.entry, host.memory, input=input)
    assert machine.run(max_steps).stop is Stop.HALTED
    return bytes(machine.output)


@pytest.mark.parametrize("word_bits", [16, 24, 32, 64])
def test_the_program_ends_below_the_memory_of_the_guest(word_bits):
    host = image_of("selfhost", word_bits)
    assert host.memory is not None
    assert len(host.words) <= host.memory - MEMORY


def test_the_sample_holds_the_words_of_countdown():
    assert programs.sample_input("selfhost") == decimal(image_of("countdown")) + b" !\n"
    assert programs.sample_output("selfhost") == programs.sample_output("countdown")


GUESTS = [
    *("adder", "arraysum", "brainfuck", "cat", "collatz", "divide", "fibonacci", "gcd", "hello", "multiply", "primes"),
    *("quine", "reverse", "rule110", "sort", "sortnumbers"),
]


@pytest.mark.parametrize("name", GUESTS)
def test_bundled_programs_do_what_they_do_directly(name):
    input = decimal(image_of(name)) + b"!\n" + programs.sample_input(name)
    assert run(input) == programs.sample_output(name)


@pytest.mark.parametrize("n", [b"0", b"3", b"10", b"12", b"13"])
def test_with_wider_words_it_is_a_machine_of_wider_words(n):
    factorial = image_of("factorial")
    direct = ReferenceMachine(factorial.words, factorial.word_bits, input=n)
    assert direct.run(1_000_000).stop is Stop.HALTED
    assert run(decimal(factorial) + b"! " + n, word_bits=32) == direct.output


def test_it_runs_itself():
    input = decimal(image_of("selfhost")) + b"!\n" + decimal(image_of("reverse")) + b"!\nstressed\n"
    assert run(input) == b"desserts\n"


def test_it_runs_itself_running_itself():
    itself = decimal(image_of("selfhost")) + b"!\n"
    input = itself + itself + decimal(image_of("cat")) + b"!\nhi"
    assert run(input, max_steps=30_000_000) == b"hi"


@pytest.mark.parametrize(
    "words",
    [
        "-1 14 3 12 14 -1 14 -1 9 12 13 0 0 -1 0!",
        "-1,14,3,12,14,-1,14,-1,9,12,13,0,0,-1,0!",
        "\r\n\t65535 0014 3\r\n12 14 65535,,14 -1 9\n12 13 00 0 -1 -0 \n\n!",
    ],
)
def test_words_may_stand_apart_by_blanks_and_commas(words):
    assert run(words.encode() + b"\nto be") == b"to be"


def test_the_words_may_end_with_the_input():
    assert run(decimal(image_of("countdown"))) == programs.sample_output("countdown")


@pytest.mark.parametrize(
    "text", ["isa sbn", "1 2 3-", "1 2 - 3!", "--1", "1 2.5!", "7x!", "(1)", "0\xe9", "1/2", "1:2", "-"]
)
def test_what_is_no_decimal_word_is_refused(text):
    assert run(text.encode("latin-1")) == b"this is no decimal word\n"


def test_words_fill_the_memory_of_the_guest_and_no_more():
    filling = b"0 0 -1 -1" + b" 1" * (MEMORY - 4)
    assert run(filling, max_steps=5_000_000) == run(b"0 0 -1 -1")
    assert run(filling + b" 1", max_steps=5_000_000) == b"too many words\n"


def directly(words: list[int], input: bytes, max_steps: int) -> bytes | None:
    """What a guest prints, and what the host says about its end; None if it does not end."""
    machine = ReferenceMachine(words, 16, memory_size=MEMORY, input=input)
    stop = machine.run(max_steps).stop
    ends = {Stop.HALTED: b"", Stop.PC_OUTSIDE: b"no instruction can be at %d\n"}
    ends[Stop.BAD_ADDRESS] = b"an operand lies outside memory at %d\n"
    if stop is Stop.BUDGET:
        return None
    return bytes(machine.output) + (ends[stop] % machine.pc if b"%" in ends[stop] else b"")


@pytest.mark.parametrize(
    ("words", "input"),
    [
        ([0, 0, MEMORY], b""),
        ([9, 10, 31741, 0, 0, -1, 0, 0, 0, 1, 0], b""),
        ([9, 10, 31742, 0, 0, -1, 0, 0, 0, 1, 0], b""),
        ([9, 10, -2, 0, 0, -1, 0, 0, 0, 1, 0], b""),
        ([-1, -1, 5, -1, -1, 0, 6, 6, 0, -32768], b"a"),
        ([-1, MEMORY, 0], b"a"),
        ([MEMORY, -1, 0], b"a"),
        ([-2, -1, 0], b"a"),
        ([-1, -32768, 0], b"a"),
        ([-1, 31743, 0, 31743, -1, 0, -2], b"a"),
        ([6, 2, 9, -1, -1, 0, 99, 0, 0, 7, -1, -1, 7, -1, -2], b"a"),  # changes its C, after the fetch
        ([6, 0, 3, 0, 0, 0, 1], b""),  # and its A
    ],
)
def test_guests_end_as_they_end_directly(words, input):
    wanted = directly(words, input, 20_000)
    assert wanted is not None
    assert run(b" ".join(b"%d" % word for word in words) + b"!\n" + input) == wanted


def test_random_guests_do_what_they_do_directly():
    source = random.Random(1)
    compared = 0
    while compared < 60:
        words = [source.choice([-1, -1, -32768, 32767, 31743, 256, *range(48)]) for _ in range(48)]
        input = source.randbytes(source.randrange(4))
        wanted = directly(words, input, 12_000)
        if wanted is not None:
            assert run(b" ".join(b"%d" % word for word in words) + b"!\n" + input) == wanted
            compared += 1
