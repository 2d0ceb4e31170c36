"""What the comments of the standard macros say about their costs, measured."""

import itertools
import re
from collections.abc import Iterator

import pytest

from assembler import AssemblyError, assemble
from assembler.library import macro_reference
from vm.reference import ReferenceMachine, Stop

BLOCKS = ("if", "while", "repeat", "for", "proc")  # their costs are those of the branches in them
REFERENCES = {reference.name: reference for reference in macro_reference() if reference.name not in BLOCKS}
DATA = "a: .word 0\nb: .word 0\np: .word 0\n"
both_sets = pytest.mark.parametrize("isa", ["sbn", "subleq"])

# A call that shows all of a macro, where it is not the name and its parameters; what stands in front of the call.
CALLS = {
    "call": "call hit",
    "cmps": "cmps p, p, a",
    "copy": "copy p, p, a",
    "geti": "geti hit, b, a",
    "lea": "lea hit, a",
    "puts": "puts text",
    "seti": "seti a, hit, b",
}
BEFORE = {"pop": "push b\n", "ret": "lea hit, b\npush b\n"}
# Where the least and the most steps are bounds that may not be met.
BOUNDED = {"putn", "puts", "rand", "shl"}
# Those whose operands must be addresses, or which read.
OF_THEIR_OWN = {"cmps", "copy", "getc", "geti", "getn", "seti", "unwind"}


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
@pytest.mark.parametrize("name", sorted(REFERENCES.keys() - OF_THEIR_OWN))
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


def steps_of(call: str, data: str, isa: str, read: bytes = b"") -> int:
    """The instructions a call executes on some data."""
    image = assemble(f"{call}\nhit: jmp -1\n{data}", isa=isa)
    machine = ReferenceMachine(image.words, 16, isa, 0, len(image.words), input=read)
    pcs = machine.run(10_000).pcs
    return pcs.index(image.symbols["hit"])


@both_sets
def test_arrays_and_strings_take_as_many_steps_as_the_comments_say(isa):
    assert [steps_of("geti hit, a, b", DATA, isa)] * 2 == list(told("geti", "steps", isa))
    assert [steps_of("seti b, a, a", DATA, isa)] * 2 == list(told("seti", "steps", isa))
    counts = [steps_of("copy p, p, b", f"p: .word p\nb: .word {n}", isa) for n in (-1, 0, 1, 2, 9)]
    assert min(counts) == told("copy", "steps", isa, n=0)[0]
    assert counts[1:] == [told("copy", "steps", isa, n=n)[1] for n in (0, 1, 2, 9)]
    for n in range(3):
        data = f'p: .word x\nq: .word y\na: .word 0\nx: .asciz "{"=" * n}{{}}"\ny: .asciz "{"=" * n}{{}}"'
        counts = [steps_of("cmps p, q, a", data.format(*each), isa) for each in (("", ""), ("a", "b"), ("b", "a"))]
        assert (min(counts), max(counts)) == told("cmps", "steps", isa, n=n)


@both_sets
def test_leaving_routines_takes_as_many_steps_as_the_comment_says(isa):
    for n in range(3):
        counts = []
        for left in range(3):
            text = "push a\n" * (n + left) + f"start: unwind ={left}"
            pushes = steps_of("push a\n" * (n + left), DATA, isa)
            counts.append(steps_of(text, DATA, isa) - pushes)
        assert (min(counts), max(counts)) == told("unwind", "steps", isa, n=n)


@both_sets
def test_getc_takes_as_many_steps_as_its_comment_says(isa):
    ended, read = steps_of("getc a, hit", DATA, isa), steps_of("getc a, hit", DATA, isa, b"x")
    assert tuple(sorted([ended, read])) == told("getc", "steps", isa)


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
        """abs add and call clr cmps copy dbl dec depth div getc geti getn halt in inc jeq jge jgt jle jlt jmp jne jneg
        jnz jpos jz lea load mod mov mul neg nop not or out pop push putn puts rand ret sar seed set seti shl shr
        store sub unwind xor""".split()
    )


@both_sets
def test_control_structures_cost_what_their_comments_say(isa):
    def words(text: str) -> int:
        return assemble(f"{text}\nlast: .word 0\n{DATA}", isa=isa).symbols["last"]

    branch = words("jge a, b, last")
    assert words("if a lt b\nend") == branch
    assert words("if a lt b\nelse\nend") == branch + 3
    assert words("while a lt b\nend") == branch + 3
    assert words("repeat\nuntil a lt b") == branch
    assert words("proc f\nendproc") == words("ret")
    assert words("proc f\nreturn\nendproc") == words("ret") + 3
    [said] = re.findall(r"^  words +(.+)$", documentation("for"), re.MULTILINE)
    assert said == "sbn 63; subleq 93"
    assert words("for p, a, b\nend") == {"sbn": 63, "subleq": 93}[isa]
    for n in range(4):
        loop = f"for p, zero, b\nend\nhit: jmp -1\nzero: .word 1\n{DATA}".replace("b: .word 0", f"b: .word {n}")
        image = assemble(loop, isa=isa)
        pcs = ReferenceMachine(image.words, 16, isa, 0, len(image.words)).run(10_000).pcs
        assert pcs.index(image.symbols["hit"]) <= 4 + told("jgt", "steps", isa)[1] + n * (
            told("jge", "steps", isa)[1] + 2
        )


def documentation(name: str) -> str:
    return next(each.documentation for each in macro_reference() if each.name == name)
