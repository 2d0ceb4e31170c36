"""Every bundled program: documented, shipped with a sample run, and right on the reference executor."""

import functools
import math
import re
import shlex
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import programs
from assembler import assemble
from vm.reference import ReferenceMachine, Stop

SAMPLE_LIMIT = 60_000  # steps a sample run may take
ample = settings(deadline=None, max_examples=40)
every_program = pytest.mark.parametrize("name", programs.names())


@functools.cache
def image_of(name):
    return assemble(programs.source(name), name=f"{name}.sbn")


def run(name: str, input: bytes = b"", max_steps: int = 1_000_000) -> bytes:
    """The output of one bundled program, which must halt."""
    image = image_of(name)
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, input=input)
    assert machine.run(max_steps).stop is Stop.HALTED
    return bytes(machine.output)


def numbers(output: bytes) -> list[int]:
    """The decimal numbers a program printed, one a line."""
    assert re.fullmatch(rb"(-?(0|[1-9][0-9]*)\n)*", output)
    return [int(line) for line in output.split()]


def text(*values: int) -> bytes:
    return " ".join(map(str, values)).encode() + b"\n"


# --- the package ------------------------------------------------------------------------------------------------------


def test_the_programs_are_these():
    assert programs.names() == (
        "adder",
        "arraysum",
        "basic",
        "brainfuck",
        "calculator",
        "cat",
        "collatz",
        "countdown",
        "divide",
        "factorial",
        "fibonacci",
        "gcd",
        "hello",
        "hello_subleq",
        "life",
        "lisp",
        "mandelbrot",
        "maze",
        "multiply",
        "primes",
        "queens",
        "quine",
        "reverse",
        "rule110",
        "selfhost",
        "sieve",
        "snake",
        "sort",
        "sortnumbers",
        "sum",
        "turing",
    )


def test_an_unknown_file_for_an_interpreter_is_refused_with_the_names_there_are():
    with pytest.raises(FileNotFoundError, match=r"no file 'primes' .*primes\.bas"):
        programs.guest("primes")


@pytest.mark.parametrize("function", [programs.source, programs.description, programs.sample_input])
@pytest.mark.parametrize("name", ["helo", "", "../vm/reference", "samples/adder"])
def test_an_unknown_name_is_refused_with_the_names_there_are(function, name):
    with pytest.raises(FileNotFoundError, match="no bundled program .*adder, arraysum, "):
        function(name)


def test_descriptions_are_single_sentences_that_differ():
    descriptions = [programs.description(name) for name in programs.names()]
    assert all(re.fullmatch(r"[A-Z][^.]*\.", description) for description in descriptions)
    assert len(set(descriptions)) == len(descriptions)


def test_the_samples_belong_to_programs_and_every_program_has_an_output():
    samples = {entry.name for entry in files(programs).joinpath("samples").iterdir()}
    outputs = {f"{name}.out.txt" for name in programs.names()}
    inputs = {f"{name}.in.txt" for name in programs.names() if header(name)["Input"] != ["none"]}
    assert samples == outputs | inputs


def test_importing_the_programs_imports_none_of_our_other_packages():
    ours = "{'assembler', 'learned_units', 'vm', 'jax', 'numpy'}"
    script = f"import sys, programs; programs.names(); print({ours} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- the sources ------------------------------------------------------------------------------------------------------


def header(name: str) -> dict[str, list[str]]:
    """The fields of a program's opening comment; the first line of each is on the line of its name."""
    fields: dict[str, list[str]] = {}
    for line in programs.source(name).partition("\n\n")[0].splitlines()[2:]:
        field = re.fullmatch(r"; (\w+ +|  {8})(\S.*)", line)
        if field is None:
            break
        if field[1].strip():
            fields[field[1].strip()] = []
        fields[list(fields)[-1]].append(field[2])
    return fields


def printed_by(command: str) -> bytes:
    """What a shell prints for an `echo`, or for a `printf` of one text that has newlines in it."""
    tool, *words = shlex.split(command)
    if tool == "echo":
        return " ".join(words).encode() + b"\n"
    assert tool == "printf"
    (text,) = words
    assert "%" not in text
    return text.replace("\\n", "\n").encode()


@every_program
def test_the_header_says_what_goes_in_and_shows_the_sample_run(name):
    fields = header(name)
    assert set(fields) == {"Input", "Example"}
    command, *shown = fields["Example"]
    typed = re.fullmatch(rf"(?:(.*) \| )?sbn run {name}", command)
    assert typed is not None
    assert programs.sample_input(name) == (b"" if typed[1] is None else printed_by(typed[1]))
    printed = programs.sample_output(name).decode().splitlines()
    if ellipsis := re.fullmatch(r"\.\.\. (?:up|down) to (\d+)", shown[-1]):
        assert shown[:-1] == printed[: len(shown) - 1]
        assert ellipsis[1] == printed[-1]
    elif shown == ["(this file)"]:
        assert programs.sample_output(name) == programs.source(name).encode()
    else:
        assert shown == [line.rstrip() for line in printed]


@every_program
def test_sources_are_laid_out_alike(name):
    source = programs.source(name)
    assert source.endswith("\n")
    for line in source.splitlines():
        assert len(line) <= 120
        assert line == line.rstrip()
        assert "\t" not in line
        assert re.fullmatch(r"|;.*|(\w+:)? *|(\w+:| ) *\.?[a-z_]+( +\S.*)?", line)
        if not line.startswith(";") and " ; " in line:
            assert line.index(" ; ") == 39


@every_program
def test_sources_state_their_instruction_set_and_width(name):
    assert re.search(r"^ +\.isa +(sbn|subleq)\n +\.width +\d+$", programs.source(name), re.MULTILINE)


def test_the_programs_cover_both_instruction_sets_and_three_widths():
    assert {image_of(name).isa for name in programs.names()} == {"sbn", "subleq"}
    assert {image_of(name).word_bits for name in programs.names()} == {8, 16, 32}


# --- the runs ---------------------------------------------------------------------------------------------------------


@every_program
def test_the_sample_run_prints_the_sample_output(name):
    assert run(name, programs.sample_input(name), SAMPLE_LIMIT) == programs.sample_output(name)


@every_program
def test_the_sample_run_needs_no_memory_but_the_image_or_what_the_source_asks_for(name):
    image = image_of(name)
    machine = ReferenceMachine(
        image.words,
        image.word_bits,
        image.isa,
        image.entry,
        image.memory or len(image.words),
        input=programs.sample_input(name),
    )
    assert machine.run(SAMPLE_LIMIT).stop is Stop.HALTED
    assert machine.output == programs.sample_output(name)


def test_arraysum_adds_up_its_array():
    rows = re.findall(r"(?:array:| ) +\.word +([-\d, ]+\n)", programs.source("arraysum").partition("array:  ")[2])
    first = re.findall(r"array:  \.word +(.*)", programs.source("arraysum"))
    elements = [int(element) for row in first + rows for element in row.split(",")]
    assert len(elements) == 20
    assert numbers(run("arraysum")) == [sum(elements)]


def test_fibonacci_prints_all_that_fit():
    printed = numbers(run("fibonacci"))
    assert printed[:2] == [0, 1]
    assert all(c == a + b for a, b, c in zip(printed, printed[1:], printed[2:], strict=False))
    assert printed[-1] <= 32767 < printed[-1] + printed[-2]


def test_primes_prints_the_primes_below_its_limit():
    assert numbers(run("primes")) == [n for n in range(2, 50) if all(n % divisor for divisor in range(2, n))]


@ample
@given(st.binary(max_size=60))
@example(bytes(range(256)))
def test_cat_copies_any_bytes(data):
    assert run("cat", data) == data


lines = st.binary(max_size=100).map(lambda line: line.replace(b"\n", b"\0"))


@ample
@given(lines, st.sampled_from([b"", b"\n", b"\nleft alone\n"]))
@example(b"", b"")
@example(b"x" * 100, b"\n")
def test_reverse_prints_a_line_backwards(line, ending):
    assert run("reverse", line + ending) == line[::-1] + b"\n"


@ample
@given(lines, st.sampled_from([b"", b"\n", b"\nleft alone\n"]))
@example(b"", b"")
@example(b"\xff\x00" * 50, b"\n")
def test_sort_prints_the_bytes_of_a_line_in_order(line, ending):
    assert run("sort", line + ending) == bytes(sorted(line)) + b"\n"


@ample
@given(st.integers(0, 32767), st.integers(0, 32767))
@example(32767, 1)
@example(1, 32767)
@example(0, 32767)
@example(181, 182)
@example(128, 256)
def test_multiply_multiplies_or_says_too_large(a, b):
    product = a * b
    assert run("multiply", text(a, b)) == (b"%d\n" % product if product <= 32767 else b"too large\n")


@ample
@given(st.integers(0, 32767), st.integers(1, 32767))
@example(32767, 1)
@example(32767, 32767)
@example(0, 1)
@example(32766, 32767)
def test_divide_prints_quotient_and_remainder(dividend, divisor):
    assert numbers(run("divide", text(dividend, divisor))) == list(divmod(dividend, divisor))


@pytest.mark.parametrize("input", [b"7 0\n", b"0 0\n", b"7\n", b""])
def test_divide_complains_about_a_divisor_of_zero(input):
    assert run("divide", input) == b"division by zero\n"


@ample
@given(st.integers(0, 32767), st.integers(0, 32767))
@example(0, 0)
@example(0, 32767)
@example(32767, 0)
@example(32767, 1)
@example(1, 32767)
@example(17711, 28657)
def test_gcd_prints_the_greatest_common_divisor(a, b):
    assert numbers(run("gcd", text(a, b))) == [math.gcd(a, b)]


@pytest.mark.parametrize("n", range(16))
def test_factorial_prints_the_factorial_or_says_too_large(n):
    assert run("factorial", text(n)) == (b"%d\n" % math.factorial(n) if n <= 12 else b"too large\n")


def collatz_trajectory(n: int) -> tuple[list[int], bool]:
    """The numbers that fit in a word, and whether one did not."""
    trajectory = [n]
    while n > 1:
        n = 3 * n + 1 if n % 2 else n // 2
        if n > 32767:
            return trajectory, True
        trajectory.append(n)
    return trajectory, False


@pytest.mark.parametrize("n", [0, 1, 2, 3, 6, 7, 9, 27, 97, 447, 10922, 10923, 16384, 21845, 32766, 32767])
def test_collatz_prints_the_trajectory_or_says_too_large(n):
    trajectory, overflow = collatz_trajectory(n)
    output = run("collatz", text(n))
    assert output.endswith(b"too large\n") == overflow
    assert numbers(output.removesuffix(b"too large\n")) == trajectory


def wrap(value: int) -> int:
    return (value + 32768) % 65536 - 32768


@ample
@given(st.integers(-32768, 32767), st.integers(-32768, 32767))
@example(32767, 1)
@example(-32768, -1)
@example(-32768, 0)
@example(-32767, 32767)
@example(-32768, -32768)
def test_adder_adds_as_words_do(a, b):
    assert numbers(run("adder", text(a, b))) == [wrap(a + b)]


@pytest.mark.parametrize(
    ("input", "total"),
    [
        (b"", 0),
        (b"\n", 0),
        (b"5", 5),
        (b"-5", -5),
        (b"3 4", 7),
        (b"  \t\n 3\r\n\r\n4", 7),
        (b"+3 +4\n", 7),
        (b"3 -4\n", -1),
        (b"-3 -4 -5\n", -7),
        (b"003 0004\n", 7),
        (b"3-4\n", 7),
        (b"+8 (x7)\n", 15),
        (b"- 3 4\n", 7),
        (b"--3 4\n", 1),
        (b"-x3 4\n", 7),
        (b"./,*3 \xff:4\n", 7),
        (b"-0 0\n", 0),
        (b"65535 1\n", 0),
        (b"no numbers at all -", 0),
    ],
)
def test_adder_takes_its_numbers_out_of_any_text(input, total):
    assert numbers(run("adder", input)) == [total]


@pytest.mark.parametrize("name", ["multiply", "gcd"])
@pytest.mark.parametrize("input", [b"12 18", b"12,18\n", b"  12\n\n18 24\n", b"(-12) x -18!", b"\xff12\x0018"])
def test_numbers_may_stand_apart_by_anything_but_digits(name, input):
    assert numbers(run(name, input)) == [216 if name == "multiply" else 6]


@pytest.mark.parametrize(
    ("name", "input", "output"),
    [
        ("multiply", b"", b"0\n"),
        ("multiply", b"7\n", b"0\n"),
        ("gcd", b"", b"0\n"),
        ("gcd", b"7\n", b"7\n"),
        ("factorial", b"", b"1\n"),
        ("factorial", b"n = 5", b"120\n"),
        ("collatz", b"", b"0\n"),
        ("collatz", b"n = 2", b"2\n1\n"),
    ],
)
def test_a_missing_number_is_zero_and_text_before_a_number_is_skipped(name, input, output):
    assert run(name, input) == output


DEMONSTRATIONS = {
    "BASIC, `primes.bas`": ("basic", programs.guest("primes.bas")),
    "BASIC, `fibonacci.bas`": ("basic", programs.guest("fibonacci.bas")),
    "BASIC, `guess.bas` with nine guesses": ("basic", programs.guest("guess.bas") + "50\n25\n12\n6\n3\n2\n1\n4\n5\n"),
    "Lisp, `lists.lisp`": ("lisp", programs.guest("lists.lisp")),
    "Lisp, `meta.lisp`": ("lisp", programs.guest("meta.lisp")),
    "`turing`, the busy beaver": ("turing", programs.guest("busy-beaver.tm")),
    "`turing`, a machine on the tape of `universal.tm`": ("turing", programs.guest("universal.tm")),
    "`queens`, 8": ("queens", "8\n"),
    "`snake`, 23 moves": ("snake", "ddddss\naaaaaa\nwwww\nddddddd\n"),
    "`maze`, 30 by 12": ("maze", "30 12 1\n"),
    "`mandelbrot`, 60 columns, 30 rounds": ("mandelbrot", "60 30\n"),
}


@pytest.mark.slow
def test_the_chapter_says_how_many_steps_the_demonstrations_take():
    chapter = (Path(__file__).parent.parent / "docs" / "programs.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| (.+?) \| ([\d,]+) \| [\d.]+ \| [\d.]+ \|$", chapter, re.MULTILINE))
    assert said.keys() == DEMONSTRATIONS.keys()
    for title, (name, typed) in DEMONSTRATIONS.items():
        image = image_of(name)
        machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, input=typed.encode())
        assert machine.run(5_000_000).stop is Stop.HALTED
        assert said[title] == f"{machine.steps:,}", title
