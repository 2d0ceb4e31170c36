"""The calculator among the bundled programs, compared with Python."""

import functools
import random

import pytest

import programs
from assembler import assemble
from vm.reference import ReferenceMachine, Stop

LARGEST = 2**31 - 1
TOO_LARGE = "too large"
TOO_DEEP = "too many parentheses and signs"
BY_ZERO = "division by zero"


@functools.cache
def image():
    return assemble(programs.source("calculator"), name="calculator.sbn")


def answers(text: str, max_steps: int = 2_000_000) -> list[str]:
    """The lines the calculator prints; it must halt."""
    words = image()
    machine = ReferenceMachine(words.words, words.word_bits, words.isa, words.entry, input=text.encode("latin-1"))
    assert machine.run(max_steps).stop is Stop.HALTED
    return bytes(machine.output).decode("latin-1").splitlines()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("0", "0"),
        ("007", "7"),
        ("1+2*3", "7"),
        ("(1+2)*3", "9"),
        ("7-4-2", "1"),
        ("7-(4-2)", "5"),
        ("100/10/5", "2"),
        ("100/(10/5)", "50"),
        ("-2*-3", "6"),
        ("2--3", "5"),
        ("---5", "-5"),
        ("-(1)", "-1"),
        ("\t 12\t*  12 \r", "144"),
        ("7/2", "3"),
        ("-7/2", "-3"),
        ("7/-2", "-3"),
        ("-7/-2", "3"),
        ("2147483647", "2147483647"),
        ("-2147483647", "-2147483647"),
        ("2147483648", TOO_LARGE),
        ("4294967297", TOO_LARGE),
        ("99999999999999999999", TOO_LARGE),
        ("2147483647+1", TOO_LARGE),
        ("2147483647+2147483647+2", TOO_LARGE),
        ("0-2147483647-1", TOO_LARGE),
        ("0-2147483647-2147483647", TOO_LARGE),
        ("46341*46341", TOO_LARGE),
        ("46340*46340", "2147395600"),
        ("65536*65536", TOO_LARGE),
        ("-65536*32768", TOO_LARGE),
        ("65536*32767", "2147418112"),
        ("2147483647*-1", "-2147483647"),
        ("0*2147483647", "0"),
        ("2147483647*0", "0"),
        ("1/0", BY_ZERO),
        ("0/0", BY_ZERO),
        ("1/(2-2)+(((", BY_ZERO),
        ("1/0/0", BY_ZERO),
        ("1 2", "unexpected 2"),
        ("(1", "unexpected end of the line"),
        ("1+", "unexpected end of the line"),
        ("-", "unexpected end of the line"),
        ("1)", "unexpected )"),
        ("()", "unexpected )"),
        ("1//2", "unexpected /"),
        ("+1", "unexpected +"),
        ("1.5", "unexpected ."),
        ("two", "unexpected t"),
        ("1\xff", "unexpected \xff"),
        ("(1 x", "unexpected x"),
        ("(" * 60 + "1" + ")" * 60, "1"),
        ("(" * 61 + "1" + ")" * 61, TOO_DEEP),
        ("-" * 60 + "1", "1"),
        ("-" * 61 + "1", TOO_DEEP),
        ("1+2*(" * 60 + "0" + ")" * 60, TOO_LARGE),
        ("1+1*(" * 60 + "0" + ")" * 60, "60"),
        ("(1+2*" * 200, TOO_DEEP),
    ],
)
def test_a_line_has_an_answer_and_none_harms_the_next(line, answer):
    assert answers(line) == answers(line + "\n") == [answer]
    assert answers(f"{line}\n-(2+3)\n\n{line}\n{'(' * 60}4{')' * 60}") == [answer, "-5", answer, "4"]


def test_empty_lines_have_no_answer():
    assert answers("") == answers("\n \n\t\r\n") == []


def expression(source: random.Random, depth: int = 0) -> tuple[str, int, int | str]:
    """An expression, how tightly it binds (0 sum, 1 product, 2 factor), and its value or the error it is."""
    if depth > 4 or source.random() < 0.25:
        number = source.choice([source.randrange(10), source.randrange(1000), source.randrange(LARGEST + 1)])
        return str(number), 2, number
    if source.random() < 0.15:
        text, binding, value = expression(source, depth + 1)
        return "-" + enclosed(text, binding, 2), 2, value if isinstance(value, str) else -value
    operator = source.choice("+-*/")
    level = 1 if operator in "*/" else 0
    left, left_binding, a = expression(source, depth + 1)
    right, right_binding, b = expression(source, depth + 1)
    blank = source.choice(["", " "])
    text = enclosed(left, left_binding, level) + blank + operator + blank + enclosed(right, right_binding, level + 1)
    return text, level, a if isinstance(a, str) else b if isinstance(b, str) else result(operator, a, b)


def enclosed(text: str, binding: int, least: int) -> str:
    return text if binding >= least else f"({text})"


def result(operator: str, a: int, b: int) -> int | str:
    if operator == "/":
        return BY_ZERO if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    value = {"+": a + b, "-": a - b, "*": a * b}[operator]
    return value if abs(value) <= LARGEST else TOO_LARGE


def test_random_expressions_have_the_values_python_finds():
    source = random.Random(1)
    expressions = [expression(source) for _ in range(150)]
    assert sum(isinstance(value, int) for _, _, value in expressions) > 60
    assert {BY_ZERO, TOO_LARGE} <= {value for _, _, value in expressions}
    for text, _, value in expressions:
        assert answers(text) == [str(value)], text


def test_random_lines_end_in_an_answer_each():
    source = random.Random(2)
    for _ in range(150):
        line = "".join(source.choices("0123456789+-*/() x", k=source.randrange(1, 20)))
        assert len(answers(line + "\n1\n")) == (2 if line.strip() else 1), line
        assert answers(line + "\n1\n")[-1] == "1", line
