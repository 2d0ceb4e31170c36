"""The larger bundled programs, compared with what Python says."""

import functools
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import programs
from assembler import assemble
from vm.reference import ReferenceMachine, Stop

ample = settings(deadline=None, max_examples=40)


@functools.cache
def image_of(name, old="", new=""):
    source = programs.source(name)
    assert old in source
    return assemble(source.replace(old, new), name=f"{name}.sbn")


def run(name: str, input: bytes = b"", max_steps: int = 1_000_000, image=None) -> bytes:
    """The output of one bundled program, which must halt."""
    image = image or image_of(name)
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, input=input)
    assert machine.run(max_steps).stop is Stop.HALTED
    return bytes(machine.output)


# --- rule110 ----------------------------------------------------------------------------------------------------------


def automaton(row: bytes, rule: int = 110) -> bytes:
    cells = [byte not in b". " and byte > 32 for byte in row.partition(b"\n")[0][:200]]
    rows = []
    for _ in cells:
        rows.append(bytes(b".#"[cell] for cell in cells) + b"\n")
        around = [0, *cells, 0]
        cells = [rule >> (4 * a + 2 * b + c) & 1 for a, b, c in zip(around, around[1:], around[2:], strict=False)]
    return b"".join(rows)


@ample
@given(st.text(".# x", max_size=40).map(str.encode))
@example(b"")
@example(b"#")
@example(b".")
@example(b" .\t-/\xff\n##")
@example(b"." * 63 + b"#")
def test_rule110_draws_as_many_rows_as_there_are_cells(row):
    assert run("rule110", row) == run("rule110", row + b"\nleft alone") == automaton(row)


def test_rule110_takes_200_cells():
    row = b"." * 150 + b"#" * 49 + b"#" + b"." * 7
    assert run("rule110", row, max_steps=2_000_000) == automaton(row)


@pytest.mark.parametrize("rule", [0, 1, 30, 90, 184, 255])
def test_rule110_follows_any_rule(rule):
    image = image_of("rule110", "RULE, 110", f"RULE, {rule}")
    assert run("rule110", b"...#.##.....", image=image) == automaton(b"...#.##.....", rule)


# --- sieve ------------------------------------------------------------------------------------------------------------


def lines(numbers) -> bytes:
    return b"".join(b"%d\n" % number for number in numbers)


def primes(limit: int) -> list[int]:
    return [n for n in range(2, limit + 1) if all(n % divisor for divisor in range(2, int(n**0.5) + 1))]


@pytest.mark.parametrize("limit", [*range(30), 48, 49, 50, 120, 121, 122, 9_973, 9_999, 10_000])
def test_sieve_prints_the_primes_up_to_a_number(limit):
    assert run("sieve", b"%d" % limit) == lines(primes(limit))


@pytest.mark.parametrize("input", [b"", b"primes", b"-1", b"-32768", b"\n\n 1"])
def test_sieve_prints_nothing_where_there_are_no_primes(input):
    assert run("sieve", input) == b""


@pytest.mark.parametrize("limit", [10_001, 32_767])
def test_sieve_complains_about_a_number_that_is_too_large(limit):
    assert run("sieve", b"%d" % limit) == b"too large\n"


# --- sortnumbers and sum ----------------------------------------------------------------------------------------------

TEXTS = [
    (b"", []),
    (b"\n", []),
    (b"no number - at all\n", []),
    (b"5", [5]),
    (b"-5", [-5]),
    (b"3-4\n", [3, -4]),
    (b"3--4+5 - 6\n", [3, -4, 5, 6]),
    (b"- 7,-8;9.10:/11\xff12\x00", [7, -8, 9, 10, 11, 12]),
    (b"\t007\r\n-0 -00", [7, 0, 0]),
    (b"-x3 -", [3]),
]


@pytest.mark.parametrize(("input", "numbers"), TEXTS)
def test_numbers_are_taken_out_of_any_text(input, numbers):
    assert run("sortnumbers", input) == lines(sorted(numbers))
    assert run("sum", input) == lines([sum(numbers)])


@ample
@given(st.lists(st.integers(-32_768, 32_767), max_size=30))
@example([32_767, -32_768, 0, -1, 1])
@example([-32_768] * 5 + [32_767] * 6)
@example(list(range(20)))
@example(list(range(20, 0, -1)))
def test_sortnumbers_sorts(numbers):
    assert run("sortnumbers", lines(numbers)) == lines(sorted(numbers))


@pytest.mark.parametrize("seed", [1, 2])
def test_sortnumbers_takes_1000_numbers_and_no_more(seed):
    numbers = random.Random(seed).choices(range(-32_768, 32_768), k=1_000)
    assert run("sortnumbers", lines(numbers), max_steps=3_000_000) == lines(sorted(numbers))
    assert run("sortnumbers", lines([*numbers, 0]), max_steps=3_000_000) == b"too many numbers\n"


@ample
@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=12))
@example([2**31 - 1, -(2**31)])
def test_sum_adds_up(numbers):
    total = (sum(numbers) + 2**31) % 2**32 - 2**31
    assert run("sum", lines(numbers)) == lines([total])


# --- life -------------------------------------------------------------------------------------------------------------


def life(field: list[str], generations: int) -> bytes:
    width = len(field[0]) if field else 0
    rows, columns = range(len(field)), range(width)
    alive = {(y, x) for y in rows for x, cell in enumerate(field[y][:width]) if cell not in " ."}
    shown = []
    for generation in range(1, generations + 1):
        near = {
            (y, x): sum((y + b, x + a) in alive for a in (-1, 0, 1) for b in (-1, 0, 1)) for y in rows for x in columns
        }
        alive = {cell for cell, live in near.items() if live == 3 or (live == 4 and cell in alive)}
        shown += [str(generation), *("".join(".#"[(y, x) in alive] for x in columns) for y in rows)]
    return "".join(line + "\n" for line in shown).encode()


GLIDER = [".#......", "..#", "###"] + [""] * 5


@ample
@given(st.lists(st.text(".# x", min_size=1, max_size=9), min_size=1, max_size=8), st.integers(0, 4))
@example(["#"], 2)
@example(["###", "###", "###"], 3)
@example(["..", "#" * 9, "", " .-x"], 3)
@example(GLIDER, 20)
def test_life_follows_the_rules(field, generations):
    text = f"{generations}\n" + "\n".join(field)
    assert run("life", text.encode() + b"\n") == life(field, generations)
    if field[-1]:
        assert run("life", text.encode()) == life(field, generations)


@pytest.mark.parametrize("input", [b"", b"0\n###", b"-1\n###", b"###\n###\n"])
def test_life_shows_no_generations_where_none_are_asked_for(input):
    assert run("life", input) == b""


def test_life_takes_a_field_of_2000_cells_and_no_more():
    source = random.Random(1)
    field = ["".join(source.choices(".#", k=99)) for _ in range(20)]
    text = "2\n" + "\n".join(field)
    assert run("life", text.encode() + b"\n") == life(field, 2)
    assert run("life", text.encode() + b"\n#") == b"the field is too large\n"
    assert run("life", b"1\n" + b"#" * 30_000 + b"\n" + b"#" * 100) == life(["#" * 100] * 2, 1)
