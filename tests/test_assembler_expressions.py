"""Expressions: exact integers with C's precedence, and limits that hold before anything large is computed."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import AssemblyError, assemble, evaluate

C_LEVELS = [["*", "/", "%"], ["+", "-"], ["<<", ">>"], ["<", "<=", ">", ">="], ["==", "!="], ["&"], ["^"], ["|"]]
C_LEVELS += [["&&"], ["||"]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("0x1F", 31),
        ("0X1f", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("0xFF_FF", 65535),
        ("007", 7),
        ("'c'", 99),
        (r"'\n'", 10),
        (r"'\xff'", 255),
        (r"'\''", 39),
        ("'\"'", 34),
        ("';'", 59),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("1 << 2 + 3", 32),
        ("7 & 3 == 3", 1),
        ("1 | 2 ^ 3 & 1", 3),
        ("1 || 0 && 0", 1),
        ("2 < 3 == 1", 1),
        ("-7 / 2", -4),
        ("-7 % 2", 1),
        ("7 / -2", -4),
        ("7 % -2", -1),
        ("- - 3", 3),
        ("!0 + !5", 1),
        ("~0", -1),
        ("-2 * -3", 6),
        ("!!7", 1),
        ("+3", 3),
        ("5 && 6", 1),
        ("0 || 7", 1),
        ("-1 >> 100", -1),
        ("5 >> (1 << 90)", 0),
        ("0 << (1 << 90)", 0),
        ("1 << 4095 >> 4095", 1),
        ("0 && 1 / 0", 0),
        ("1 || 1 / 0", 1),
        ("0 && 1 / 0 || 3", 1),
        (".", 0),
        ("3; a comment", 3),
        ("6 //2", 6),
    ],
)
def test_an_expression_has_the_value_c_would_give_it(text, value):
    assert evaluate(text) == value


class NoValue(Exception):
    """Division by zero, a negative shift, a value that is too large."""


def binary(sign, left, right):
    if sign in ("/", "%") and right == 0 or sign in ("<<", ">>") and right < 0:
        raise NoValue
    if sign == "<<" and left and left.bit_length() + right > 4096:
        raise NoValue
    value = int(eval(f"({left}) {'//' if sign == '/' else sign} ({right})"))
    if value.bit_length() > 4096:
        raise NoValue
    return value


def value_of(numbers, signs):
    """The value of numbers with signs between them: what is left of the last, loosest sign, and what is right of it."""
    if not signs:
        return numbers[0]
    levels = [next(level for level, of_level in enumerate(C_LEVELS) if sign in of_level) for sign in signs]
    split = max(range(len(signs)), key=lambda index: (levels[index], index))
    left = value_of(numbers[: split + 1], signs[:split])
    return binary(signs[split], left, value_of(numbers[split + 1 :], signs[split + 1 :]))


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.integers(-5, 50),
    st.lists(st.tuples(st.sampled_from(sum(C_LEVELS[:8], [])), st.integers(-5, 50)), max_size=8),
)
def test_any_expression_has_the_value_of_its_loosest_operator_applied_to_both_sides(first, rest):
    numbers, signs = [first, *(number for _, number in rest)], [sign for sign, _ in rest]
    text = f"{first} " + " ".join(f"{sign} {number}" for sign, number in rest)
    try:
        expected = value_of(numbers, signs)
    except NoValue:
        with pytest.raises(AssemblyError):
            evaluate(text)
    else:
        assert evaluate(text) == expected


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.integers(-(2**64), 2**64), st.integers(-(2**64), 2**64).filter(bool))
def test_division_and_remainder_are_those_of_python(left, right):
    assert evaluate("a / b", {"a": left, "b": right}) == left // right
    assert evaluate("a % b", {"a": left, "b": right}) == left % right


@pytest.mark.parametrize(
    "text", ["1 << (1 << 4000)", "(1 << 4095) * 2", "1 << 4096", "~(1 << 4095) * 2", "-(1 << 4095) - (1 << 4095) - 1"]
)
def test_a_value_beyond_4096_bits_is_refused_at_once(text):
    start = time.perf_counter()
    with pytest.raises(AssemblyError, match="4,096 bits"):
        evaluate(text)
    assert time.perf_counter() - start < 2


def test_values_of_4096_bits_are_exact():
    assert evaluate("((1 << 4095) - 1) * 2 + 1") == 2**4096 - 1


def test_a_literal_has_at_most_1000_digits():
    assert evaluate("9" * 1000) == 10**1000 - 1
    assert evaluate("0x" + "f" * 1000) == 16**1000 - 1
    with pytest.raises(AssemblyError, match="1,000 digits"):
        evaluate("9" * 1001)


@pytest.mark.parametrize("opened", ["(", "-", "~ ", "-(", "! - "])
def test_nesting_is_refused_beyond_200(opened):
    signs = opened.replace(" ", "")
    depth = 200 // len(signs)
    closed = ")" * signs.count("(")
    assert isinstance(evaluate(opened * depth + "1" + closed * depth), int)
    with pytest.raises(AssemblyError, match="nested more than 200 deep"):
        evaluate(opened * (depth + 1) + "1" + closed * (depth + 1))


def test_what_stands_side_by_side_is_not_nested():
    assert evaluate(" + ".join(["(-1)"] * 5000)) == -5000
    assert assemble(".word " + ", ".join(["-(1)"] * 5000)).words == (65535,) * 5000
    assert assemble('.ascii "' + "(" * 1000 + '" ; ' + "-" * 1000).words == (40,) * 1000


def test_names_may_be_used_above_their_definition():
    image = assemble(".word end - start, twice\nstart: .equ twice, once * 2\n.equ once, end\n.word 0\nend:")
    assert image.words == (1, 6, 0)


def test_a_point_in_a_constant_is_the_address_where_it_was_defined():
    assert assemble(".word 0, 0\n.equ here, .\n.word here, .").words == (0, 0, 2, 2)


def test_a_point_is_the_first_word_of_the_statement():
    assert assemble(".word 9\nsbn ., .+1, .+2\n.word 0, .").words == (9, 1, 2, 3, 0, 4)


def test_a_chain_of_constants_may_be_as_long_as_the_program():
    count = 5_000
    chain = "\n".join(f".equ c{index}, c{index + 1} + 1" for index in range(count))
    assert assemble(f".width 32\n.word c0\n{chain}\n.equ c{count}, 0").words == (count,)


def test_a_cycle_of_constants_of_any_length_is_an_error():
    chain = "\n".join(f".equ c{index}, c{(index + 1) % 5000}" for index in range(5000))
    with pytest.raises(AssemblyError, match="defined by itself"):
        assemble(chain)


def test_predefined_names_tell_about_the_machine():
    source = ".word __width, __isa, __memory - 1"
    assert assemble(source).words == (16, 0, 65_535)
    assert assemble(f".width 24\n.isa subleq\n.memory 100\n{source}").words == (24, 1, 99)
    assert assemble(source, word_bits=6, isa="subleq").words == (6, 1, 63)
    assert assemble(f".width 32\n{source}\n.space 70_000").words[:3] == (32, 0, 70_002)
