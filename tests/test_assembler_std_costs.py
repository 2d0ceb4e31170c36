"""What the comments of the standard macros say about their costs, measured."""

import itertools
import re
from collections.abc import Iterator

import pytest

from assembler import AssemblyError, assemble
from assembler.library import macro_reference
from vm.reference import ReferenceMachine, Stop

REFERENCES = {reference.name: reference for reference in macro_reference()}
DATA = "a: .word 0\nb: .word 0\np: .word 0\n"
both_sets = pytest.mark.parametrize("isa", ["sbn", "subleq"])

# A call that shows all of a macro, where it is not the name and its parameters; what stands in front of the call.
CALLS = {"call": "call hit", "lea": "lea hit, a", "puts": "puts text"}
BEFORE = {"pop": "push b\n", "ret": "lea hit, b\npush b\n"}
# Where the least and the most steps are bounds that may not be met.
BOUNDED = {"putn", "puts", "shl"}


def told(name: str, what: str, isa: str, **names: int) -> tuple[int, int]:
    """The least and the most that the comment of a macro says."""
    [said] = re.findall(rf"^  {what} +(.+)$", REFERENCES[name].documentation, re.MULTILINE)
    for part in said.split("; "):
        if match := re.fullmatch(r"(sbn|subleq) (.+)", part):
            if match[1] != isa:
                continue
            part = match[2]
        least, _, most = part.partition(" to ")
        return tuple(eval(each, {}, {"STACK": 64, **names}) for each in (least, most or least))
    raise AssertionError(f"`{said}` says nothing about {isa}")


def calls(name: str, word_bits: int) -> Iterator[tuple[str, int]]:
    """Calls of a macro, each with the n that its comment speaks of."""
    match name:
        case "set":
            yield from ((f"set {n}, a", 0) for n in (-3, 0, 7))
        case "shl":
            yield from ((f"shl {n}, a", n) for n in range(word_bits + 2))
        case "shr" | "sar":
            yield from ((f"{name} {n}, a", n) for n in (1, 2, 7, word_bits - 2))
        case "puts":
            yield from ((f"puts text\n.equ length, {n}", n) for n in range(4))
        case "putn":
            yield "putn a", len(str(1 << word_bits - 1)) - 1
        case _:
            call = f"{name} {', '.join(name for name, _ in REFERENCES[name].parameters)}".strip()
            yield CALLS.get(name, call.replace("L", "hit")), 0


def steps(name: str, call: str, n: int, isa: str, word_bits: int, data: bytes = b"") -> tuple[list[int], int]:
    """The instructions a call executes, for many operands; and the bytes of its input it has read in the end."""
    top = 1 << word_bits - 1
    numbers = [0, 1, 2, 5, 6, 7, 100, 999, -1, -2, -3, -6, -999, top - 1, top - 2, top // 2, -top // 2, 1 - top, -top]
    text = f"{BEFORE.get(name, '')}start: {call}\nhit: jmp -1\n{DATA}"
    if name == "puts":
        text += f'text: .asciz "{"x" * n}"'
    image = assemble(text, isa=isa, word_bits=word_bits)
    start, a, b, p = (image.symbols[each] for each in ("start", "a", "b", "p"))
    counts = []
    machine = ReferenceMachine(image.words, word_bits, isa, 0, len(image.words))
    for x, y in itertools.product(numbers, numbers if ", b" in call else [0]):
        machine.memory[:] = image.words
        for address, value in (a, x), (b, y), (p, b):
            machine.memory[address] = value % (1 << word_bits)
        machine.pc, machine.input, machine.input_position = 0, bytearray(data), 0
        run = machine.run(10_000)
        assert run.stop is Stop.HALTED
        counts.append(len(run.pcs) - run.pcs.index(start) - (name != "halt"))
    return counts, machine.input_position


@both_sets
@pytest.mark.parametrize("word_bits", [12, 16, 32])
@pytest.mark.parametrize("name", sorted(REFERENCES.keys() - {"getn"}))
def test_steps_are_as_many_as_the_comment_says(name, word_bits, isa):
    for call, n in calls(name, word_bits):
        counts, _ = steps(name, call, n, isa, word_bits)
        least, most = told(name, "steps", isa, W=word_bits, n=n)
        assert least <= min(counts) and max(counts) <= most, call
        if name not in BOUNDED:
            assert (min(counts), max(counts)) == (least, most), call


@both_sets
def test_reading_a_number_takes_as_many_steps_as_the_comment_says(isa):
    for data in b"", b"5", b"\n \t 5 ", b"-123 ", b"+9", b"-", b"x", b"!", b"     ", b"12345678901234567890":
        [count, *_], read = steps("getn", "getn a", 0, isa, 16, data + b"\xff")
        least, most = told("getn", "steps", isa, n=read)
        assert least <= count <= most, data


@both_sets
@pytest.mark.parametrize("word_bits", [12, 16, 32])
@pytest.mark.parametrize("name", REFERENCES)
def test_words_are_as_many_as_the_comment_says(name, word_bits, isa):
    for call, n in calls(name, word_bits):
        text = f"{call}\nhit: {DATA}text: .word 0\nlast:"
        image = assemble(text, isa=isa, word_bits=word_bits)
        words, pool = image.symbols["hit"], len(image.words) - image.symbols["last"]
        least, most = told(name, "words", isa, W=word_bits, n=n)
        assert least <= words <= most, call
        least, most = told(name, "pool", isa, W=word_bits, n=n)
        assert least <= pool <= most, call


@both_sets
def test_macros_that_need_no_routine_fit_the_narrowest_words(isa):
    alone = {}
    for name in REFERENCES:
        for bits in range(4, 13):
            call, _ = next(calls(name, bits))
            try:
                assemble(f"{call}\nhit: text: {DATA}", isa=isa, word_bits=bits)
            except AssemblyError:
                continue
            alone[name] = bits
            break
    assert alone.keys() == REFERENCES.keys()
    assert all(alone[name] == 4 for name in ("nop", "halt", "jmp", "clr", "set", "sub", "inc", "dec", "in", "out"))


def test_every_macro_says_what_it_does_and_costs():
    for name, reference in REFERENCES.items():
        first, *_ = reference.documentation.splitlines()
        assert re.match(r"[A-Za-z]", first) and first.endswith("."), name
        for what in "steps", "words", "pool":
            assert len(re.findall(rf"^  {what} +\S", reference.documentation, re.MULTILINE)) == 1, (name, what)


def test_these_are_the_standard_macros():
    assert sorted(REFERENCES) == sorted(
        """abs add and call clr dbl dec div getn halt in inc jeq jge jgt jle jlt jmp jne jneg jnz jpos jz lea load mod
        mov mul neg nop not or out pop push putn puts ret sar set shl shr store sub xor""".split()
    )
