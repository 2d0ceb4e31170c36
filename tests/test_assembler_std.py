"""The standard macros that compute and branch, on both instruction sets, against Python's integers."""

import math
import random
from collections.abc import Callable, Iterable

import pytest

from assembler import AssemblyError, assemble
from vm.reference import ReferenceMachine, Stop

SEED = random.SystemRandom().getrandbits(32)
both_sets = pytest.mark.parametrize("isa", ["sbn", "subleq"])
DATA = "a: .word 0\nb: .word 0\np: .word 0\nq: .word 0\n"


class Program:
    """A program run again and again: its variables are set, all else stays as the run before has left it."""

    def __init__(self, text: str, isa: str, word_bits: int) -> None:
        self.image = assemble(text, isa=isa, word_bits=word_bits)
        words = self.image.words
        self.word_bits = word_bits
        self.machine = ReferenceMachine(words, word_bits, isa, self.image.entry, len(words))

    def run(self, **values: int) -> int:
        """Runs it with these values of its variables; the address at which it has halted, or minus its distance."""
        machine, symbols = self.machine, self.image.symbols
        for name, value in values.items():
            machine.memory[symbols[name]] = value & (1 << self.word_bits) - 1
        machine.pc = self.image.entry
        run = machine.run(100_000)
        assert run.stop is Stop.HALTED, (values, run.stop, run.bad_address)
        return signed(machine.pc, self.word_bits)

    def __getitem__(self, name: str) -> int:
        return signed(self.machine.memory[self.image.symbols[name]], self.word_bits)


def signed(value: int, word_bits: int) -> int:
    return (value + (1 << word_bits - 1)) % (1 << word_bits) - (1 << word_bits - 1)


def computing(call: str, isa: str, word_bits: int) -> Program:
    return Program(f"{call}\njmp -1\n{DATA}", isa, word_bits)


def smallest(call: str, isa: str, least: int = 4) -> Program:
    """A call in the narrowest words it fits, placed so that pc is negative after it: a halt that takes no words."""
    size = assemble(f"{call}\nend:\n{DATA}", isa=isa).symbols["end"]
    bits = next(bits for bits in range(least, 9) if 1 << bits - 1 >= size)
    while True:
        text = f".entry start\n.org {(1 << bits - 1) - size}\nstart: {call}\n{DATA}"
        if len(assemble(text, isa=isa, word_bits=16).words) <= 1 << bits:
            return Program(text, isa, bits)
        bits += 1


def values(word_bits: int, count: int = 5) -> list[int]:
    """The edges of a width and some numbers between them."""
    top = 1 << word_bits - 1
    edges = {0, 1, 2, 3, 10, -1, -2, -3, -7, top - 1, top - 2, -top, 1 - top, top // 2, -top // 2, top // 3}
    some = random.Random(f"{SEED} {word_bits}")
    return sorted(edges | {some.randrange(-top, top) for _ in range(count)})


def everything(word_bits: int) -> range:
    return range(-1 << word_bits - 1, 1 << word_bits - 1)


def quotient(a: int, b: int) -> int:
    return -1 if a == 0 else abs(b) // abs(a) * (1 if (a < 0) == (b < 0) else -1)


def remainder(a: int, b: int) -> int:
    return b if a == 0 else abs(b) % abs(a) * (-1 if b < 0 else 1)


# What becomes of the last operand.
UNARY: dict[str, Callable[[int], int]] = {
    "clr": lambda a: 0,
    "neg": lambda a: -a,
    "inc": lambda a: a + 1,
    "dec": lambda a: a - 1,
    "dbl": lambda a: 2 * a,
    "abs": abs,
    "not": lambda a: ~a,
}
BINARY: dict[str, Callable[[int, int], int]] = {
    "mov": lambda a, b: a,
    "add": lambda a, b: b + a,
    "sub": lambda a, b: b - a,
    "mul": lambda a, b: b * a,
    "div": quotient,
    "mod": remainder,
    "and": lambda a, b: b & a,
    "or": lambda a, b: b | a,
    "xor": lambda a, b: b ^ a,
}
BRANCHES: dict[str, Callable[[int], bool]] = {
    "jz": lambda a: a == 0,
    "jnz": lambda a: a != 0,
    "jneg": lambda a: a < 0,
    "jpos": lambda a: a > 0,
}
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "jeq": lambda a, b: a == b,
    "jne": lambda a, b: a != b,
    "jlt": lambda a, b: a < b,
    "jle": lambda a, b: a <= b,
    "jgt": lambda a, b: a > b,
    "jge": lambda a, b: a >= b,
}
INLINE = ("mov", "add", "sub")
# The narrowest width whose addresses reach all instructions of the routine; for both instruction sets.
NARROWEST = {"mul": 8, "and": 9, "or": 9, "xor": 9, "div": 10, "mod": 10}


def check_binary(program: Program, name: str, pairs: Iterable[tuple[int, int]]) -> None:
    for a, b in pairs:
        program.run(a=a, b=b)
        expected = signed(BINARY[name](a, b), program.word_bits)
        assert (program["a"], program["b"]) == (a, expected), (name, program.word_bits, a, b, f"seed {SEED}")


def check_comparison(program: Program, name: str, pairs: Iterable[tuple[int, int]]) -> None:
    for a, b in pairs:
        ended = program.run(a=a, b=b)
        goes = COMPARISONS[name](a, b)
        told = (name, program.word_bits, a, b, f"seed {SEED}")
        assert (ended == -2, program["a"], program["b"]) == (goes, a, b), told


# --- exhaustively -----------------------------------------------------------------------------------------------------


@both_sets
@pytest.mark.parametrize("name", UNARY)
def test_macros_of_one_operand_are_right_for_every_word(name, isa):
    for program in smallest(f"{name} a", isa), computing(f"{name} a", isa, 10):
        for a in everything(program.word_bits):
            program.run(a=a)
            assert program["a"] == signed(UNARY[name](a), program.word_bits), a


@both_sets
@pytest.mark.parametrize("name", INLINE)
def test_copying_adding_and_subtracting_are_right_for_every_pair_of_words(name, isa):
    program = smallest(f"{name} a, b", isa)
    assert program.word_bits <= 5
    words = everything(program.word_bits)
    check_binary(program, name, ((a, b) for a in words for b in words))


@both_sets
@pytest.mark.parametrize("name", BRANCHES)
def test_branches_on_a_sign_are_right_for_every_word(name, isa):
    for program in smallest(f"{name} a, -2", isa), Program(f"{name} a, -2\njmp -1\n{DATA}", isa, 10):
        for a in everything(program.word_bits):
            ended = program.run(a=a)
            assert (ended == -2, program["a"]) == (BRANCHES[name](a), a)


@both_sets
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_right_for_every_pair_of_words(name, isa):
    program = smallest(f"{name} a, b, -2", isa)
    assert program.word_bits <= 7
    words = everything(program.word_bits)
    check_comparison(program, name, ((a, b) for a in words for b in words))


@pytest.mark.slow
@both_sets
@pytest.mark.parametrize("name", NARROWEST)
def test_routines_are_right_for_every_pair_of_words_they_are_narrow_enough_for(name, isa):
    program = computing(f"{name} a, b", isa, NARROWEST[name])
    words = everything(program.word_bits)
    some = words if program.word_bits <= 9 else sorted({*range(-80, 81), *values(program.word_bits, 60)})
    check_binary(program, name, ((a, b) for a in some for b in words))


@pytest.mark.slow
@both_sets
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_right_for_every_pair_of_bytes(name, isa):
    words = everything(8)
    check_comparison(Program(f"{name} a, b, -2\njmp -1\n{DATA}", isa, 8), name, ((a, b) for a in words for b in words))


# --- at the edges, and at random --------------------------------------------------------------------------------------


@both_sets
@pytest.mark.parametrize("bits", [8, 12, 16, 32, 64])
@pytest.mark.parametrize("name", BINARY)
def test_two_operands_at_the_edges_and_at_random(name, bits, isa):
    bits = max(bits, NARROWEST.get(name, 4))
    numbers = values(bits, 1 if bits == 64 else 5)
    pairs = [(a, b) for a in numbers for b in numbers]
    if bits == 64:
        pairs = random.Random(SEED).sample(pairs, 100)
    check_binary(computing(f"{name} a, b", isa, bits), name, pairs)


@both_sets
@pytest.mark.parametrize("bits", [8, 12, 16, 32, 64])
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_at_the_edges_and_at_random(name, bits, isa):
    numbers = values(bits)
    program = Program(f"{name} a, b, -2\njmp -1\n{DATA}", isa, bits)
    check_comparison(program, name, ((a, b) for a in numbers for b in numbers))


@both_sets
@pytest.mark.parametrize("bits", [12, 16, 32])
def test_shifts_by_any_number_of_bits(bits, isa):
    for n in sorted({*range(9), *range(bits - 3, bits + 3), bits // 2, 3 * bits, 1 << 80}):
        shl, shr, sar = (computing(f"{name} {n}, a", isa, bits) for name in ("shl", "shr", "sar"))
        for a in values(bits):
            word = a % (1 << bits)
            for program, shifted in (shl, word << min(n, bits)), (shr, word >> n), (sar, a >> n):
                program.run(a=a)
                assert program["a"] == signed(shifted, bits), (bits, a, n, f"seed {SEED}")


@both_sets
def test_shifts_by_every_number_of_bits_of_the_widest_words(isa):
    for n in range(66):
        program = computing(f"shl {n}, a\n" + (f"shr {n}, b\nsar {n}, p\n" if n in (1, 7, 62, 63, 64) else ""), isa, 64)
        program.run(a=-0x123456789ABCDEF, b=-0x123456789ABCDEF, p=-0x123456789ABCDEF)
        assert program["a"] == signed(-0x123456789ABCDEF << n, 64)
        if n in (1, 7, 62, 63, 64):
            assert program["b"] == signed(-0x123456789ABCDEF % (1 << 64) >> n, 64)
            assert program["p"] == -0x123456789ABCDEF >> n


@both_sets
@pytest.mark.parametrize("bits", [4, 5, 8, 16, 32, 64])
def test_set_takes_every_number_of_the_width(bits, isa):
    numbers = everything(bits) if bits < 8 else values(bits)
    for n in {number + more for number in numbers for more in (0, 1 << bits) if number + more < 1 << bits}:
        program = smallest(f"set {n}, a", isa, bits) if bits < 8 else computing(f"set {n}, a", isa, bits)
        program.run(a=5)
        assert (program.word_bits, program["a"]) == (bits, signed(n, bits))


@both_sets
def test_set_refuses_other_numbers(isa):
    for n in -129, 256:
        with pytest.raises(AssemblyError, match="`set` takes a number of the width of a word"):
            computing(f"set {n}, a", isa, 8)


@both_sets
def test_set_and_lea_take_names_that_are_defined_below(isa):
    program = computing("set later, a\nlea q, b\nlea 0, p\n.equ later, 7 - q * 0", isa, 16)
    program.run(p=1)
    assert (program["a"], program["b"], program["p"]) == (7, program.image.symbols["q"], 0)


# --- one address twice ------------------------------------------------------------------------------------------------


@both_sets
@pytest.mark.parametrize("name", BINARY)
def test_both_operands_may_be_the_same_word(name, isa):
    program = computing(f"{name} a, a", isa, 12)
    for a in values(12):
        program.run(a=a)
        assert program["a"] == signed(BINARY[name](a, a), 12), a


@both_sets
@pytest.mark.parametrize("name", COMPARISONS)
def test_a_word_may_be_compared_with_itself(name, isa):
    program = Program(f"{name} a, a, -2\njmp -1\n{DATA}", isa, 12)
    for a in values(12):
        assert (program.run(a=a) == -2) == COMPARISONS[name](a, a)
        assert program["a"] == a


# --- memory -----------------------------------------------------------------------------------------------------------


@both_sets
def test_load_and_store_follow_an_address(isa):
    load, store = computing("load p, a", isa, 12), computing("store a, p", isa, 12)
    for value in values(12):
        for program in load, store:
            at = program.image.symbols["q"]
            program.run(a=value if program is store else 99, p=at, q=99 if program is store else value, b=7)
            assert [program[name] for name in "apqb"] == [value, at, value, 7]


@both_sets
def test_load_and_store_where_the_address_leads_to_an_operand(isa):
    a, p = (computing("load p, a", isa, 12).image.symbols[name] for name in "ap")
    program = computing("load p, a", isa, 12)
    program.run(p=a, a=5)
    assert (program["p"], program["a"]) == (a, 5)
    program.run(p=p, a=5)
    assert (program["p"], program["a"]) == (p, p)
    program = computing("load p, p", isa, 12)
    program.run(p=program.image.symbols["q"], q=-3)
    assert (program["p"], program["q"]) == (-3, -3)
    program.run(p=program.image.symbols["p"])
    assert program["p"] == program.image.symbols["p"]

    program = computing("store a, p", isa, 12)
    a, p = (program.image.symbols[name] for name in "ap")
    program.run(a=5, p=a)
    assert (program["p"], program["a"]) == (a, 5)
    program.run(a=5, p=p)
    assert (program["p"], program["a"]) == (5, 5)
    program = computing("store p, p", isa, 12)
    q = program.image.symbols["q"]
    program.run(p=q)
    assert (program["p"], program["q"]) == (q, q)
    program.run(p=program.image.symbols["p"])
    assert program["p"] == program.image.symbols["p"]


@both_sets
def test_an_address_may_lie_where_no_instruction_can(isa):
    program = Program(f"lea far, p\nload p, a\nstore b, p\njmp -1\n{DATA}\n.org 200\nfar: .word 0", isa, 8)
    program.run(far=17, b=-4)
    assert (program["a"], program["far"]) == (17, -4)


# --- programs ---------------------------------------------------------------------------------------------------------


@both_sets
def test_jmp_nop_and_halt(isa):
    program = Program("jmp there\ninc a\nthere: nop\nhalt\ninc a\na: .word 0", isa, 8)
    assert program.run() == -1
    assert program["a"] == 0


@both_sets
def test_macros_of_a_program_are_made_of_standard_ones(isa):
    text = """
        .macro lcm x, y                 ; y becomes the least common multiple of both
        mov     x, mine
        mov     y, other
        gcd     mine, other
        mul     x, y
        div     other, y
        jmp     done
        mine:   .word 0
        other:  .word 0
        done:
        .endm

        .macro gcd x, y                 ; y becomes the greatest common divisor, x is spoilt
        again:  jz      x, done
        mod     x, y
        swap    x, y
        jmp     again
        done:
        .endm

        .macro swap x, y
        jmp     start
        kept:   .word 0
        start:  mov     x, kept
        mov     y, x
        mov     kept, y
        .endm
        lcm     a, b
        lcm     a, b
        jmp     -1
    """
    program = Program(text + DATA, isa, 32)
    for a, b in (4, 6), (21, 14), (1, 1), (17, 19), (360, 84):
        program.run(a=a, b=b)
        assert (program["a"], program["b"]) == (a, math.lcm(a, b))


@both_sets
def test_a_macro_of_the_program_that_has_a_standard_name_changes_no_other_macro(isa):
    ours = "".join(
        f".macro {name} x, y=0\nhalt\n.endm\n" for name in ("sub", "clr", "add", "inc", "dec", "jneg", "neg")
    )
    program = Program(f"{ours}mul a, b\nputn b\njmp -1\n{DATA}", isa, 16)
    program.run(a=-12, b=12)
    assert (program["b"], bytes(program.machine.output)) == (-144, b"-144")


@both_sets
def test_the_order_of_operands_in_a_program_is_not_that_of_the_macros(isa):
    program = Program(f".order destination_first\n{isa} p, q\nmul a, b\nmov b, q\njmp -1\n{DATA}", isa, 16)
    program.run(a=3, b=5, p=10, q=4)
    assert [program[name] for name in "abpq"] == [3, 15, 6, 15]


@both_sets
def test_what_is_not_called_takes_no_words(isa):
    text = f".isa {isa}\n.width 8\nstart: {isa} a, b, start\na: .word 1\nb: .word 2"
    assert assemble(text).words == assemble(f".nostd\n{text}").words
    assert assemble("", isa=isa).words == ()


def test_the_library_is_for_any_width_and_reports_a_program_that_is_too_long_for_its_own():
    for bits in range(9, 65):
        assert Program(f"mul a, b\nadd b, a\njmp -1\n{DATA}", "sbn", bits).run(a=3, b=-4) == -1
    with pytest.raises(AssemblyError, match="the program is too long for its width"):
        assemble(f"div a, b\n{DATA}", word_bits=8)


@pytest.mark.parametrize("call", ["shl -1, a", "shr -1, a", "sar -1, a"])
def test_shifts_by_fewer_than_no_bits_are_refused(call):
    with pytest.raises(AssemblyError, match="takes a number of bits that is not negative"):
        assemble(f"{call}\na: .word 0")
