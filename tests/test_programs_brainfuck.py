"""The Brainfuck interpreter among the bundled programs: compared with one in Python."""

import functools
import random

import pytest

import programs
from assembler import assemble
from vm.reference import ReferenceMachine, Stop

CELLS = 2_000
WORDS = 4_000
HELLO = "++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.>>.<-.<.+++.------.--------.>>+.>++."
# Stars in rows: 1, 2, 3 and so on to 40.
TRIANGLE = "++++++++++>>++++++[>+++++++<-]>>++++[>++++++++++<-]>[<<<<+[>+>.<<-]>[<+>-]<<.>>>>>-]"
TOO_LONG = b"the program is too long\n"
NO_OPEN = b"there is a ] without a [\n"
NO_CLOSE = b"there is a [ without a ]\n"
OFF_TAPE = b"the program leaves the tape\n"


@functools.cache
def image():
    return assemble(programs.source("brainfuck"), name="brainfuck.sbn")


def run(program: str, input: bytes = b"", max_steps: int = 200_000) -> bytes:
    """What the interpreter prints; it must halt."""
    words, typed = image(), program.encode() + b"!" + input
    machine = ReferenceMachine(words.words, words.word_bits, words.isa, words.entry, input=typed)
    assert machine.run(max_steps).stop is Stop.HALTED
    return bytes(machine.output)


def expected(program: str, input: bytes = b"", max_commands: int = 100_000) -> tuple[bytes, int]:
    """What a Brainfuck program prints and how many commands it executes, brackets being balanced."""
    jumps, opened = {}, []
    for place, command in enumerate(program):
        if command == "[":
            opened.append(place)
        elif command == "]":
            jumps[place] = opened.pop()
            jumps[jumps[place]] = place
    assert not opened
    cells, at, place, executed, output, rest = [0] * CELLS, 0, 0, 0, bytearray(), list(input)
    while place < len(program):
        command = program[place]
        executed += command in "+-<>[].,"
        if executed > max_commands:
            raise TimeoutError
        if command in "<>":
            at += 1 if command == ">" else -1
            if not 0 <= at < CELLS:
                return bytes(output) + OFF_TAPE, executed
        elif command in "+-":
            cells[at] = (cells[at] + (1 if command == "+" else -1)) % 256
        elif command == ".":
            output.append(cells[at])
        elif command == ",":
            cells[at] = rest.pop(0) if rest else 0
        elif command in "[]" and (cells[at] == 0) == (command == "["):
            place = jumps[place]
        place += 1
    return bytes(output), executed


def test_the_classic_greeting():
    assert run(HELLO) == b"Hello World!\n"


def test_a_long_run():
    output, executed = expected(TRIANGLE)
    assert output == b"".join(b"*" * row + b"\n" for row in range(1, 41))
    assert executed > 10_000
    assert run(TRIANGLE, max_steps=2_000_000) == output


@pytest.mark.parametrize(
    ("program", "input"),
    [
        ("", b"left alone"),
        ("no commands\n", b""),
        (",.,.,.", b"a\x00\xff"),
        (",.,.,.", b"a"),
        (",[.,]", bytes(range(1, 256))),
        ("-.+.", b""),
        ("+" * 256 + ".-.", b""),
        ("[.]" * 3 + "+[[-]]" + "[[.]]" + ".", b""),
        ("[[[[[[]]][]]]]+[[[[[-]]]]].", b""),
        (">,[>,]<[.<]", b"stressed"),
        (",>+>-<<[->[->+<]>[-<+<+>>]<<].>.>.", b"\x05"),
        ("".join(map(chr, range(32))) + "\"#$%&'()*/0aZ:;=?@\\^_`{|}~\x7f\x80\u20ac.", b""),
        (">" * (CELLS - 1) + "+.", b""),
        (">" * CELLS + "+.", b""),
        ("+[>+]", b""),
        ("+.<+.", b""),
        (">><<-.<", b""),
        ("+" * (WORDS - 1) + ".", b""),
    ],
)
def test_programs_do_what_they_do_elsewhere(program, input):
    assert run(program, input) == expected(program, input)[0]


@pytest.mark.parametrize("ending", ["", "!", "!]"])
def test_the_program_ends_at_the_mark_or_with_the_input(ending):
    machine = ReferenceMachine(image().words, 16, input=("+++." + ending).encode())
    assert machine.run(10_000).stop is Stop.HALTED
    assert machine.output == b"\x03"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("]", NO_OPEN),
        ("+.[]]", NO_OPEN),
        ("][", NO_OPEN),
        ("[", NO_CLOSE),
        ("+.[[]", NO_CLOSE),
        ("[" * (WORDS // 2), NO_CLOSE),
        ("+" * WORDS, b""),
        ("+" * (WORDS + 1), TOO_LONG),
        ("[]" * (WORDS // 4), b""),
        ("[]" * (WORDS // 4) + "+", TOO_LONG),
        ("[" * (WORDS // 2 + 1), TOO_LONG),
    ],
)
def test_what_is_no_program_is_refused_before_it_runs(program, message):
    assert run(program, max_steps=400_000) == message


def balanced(random: random.Random, depth: int = 0) -> str:
    parts = []
    for _ in range(random.randrange(1, 7)):
        if random.random() < 0.3 and depth < 4:
            parts.append("[" + balanced(random, depth + 1) + random.choice(["-", "-", "+", ">"]) + "]")
        else:
            parts.append(random.choice(["+", "+", "++", "-", ">", "<", ".", ",", "+++>", "x "]))
    return "".join(parts)


def test_random_programs_do_what_they_do_elsewhere():
    source = random.Random(1)
    compared = 0
    while compared < 60:
        program, input = ">>>>" + balanced(source), source.randbytes(source.randrange(6))
        try:
            output, executed = expected(program, input, max_commands=5_000)
        except TimeoutError:
            continue
        assert run(program, input) == output, program
        compared += executed > 10
