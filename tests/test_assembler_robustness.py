"""No source whatever gives anything but an Image or an AssemblyError, in bounded time."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import AssemblyError, Image, assemble, disassemble, format_listing, parsing, read_image

GOLDEN = sorted((Path(__file__).parent / "golden" / "diagnostics").glob("*.sbn"))
GOOD = """\
        .isa   sbn
        .width 16
        .memory 500
        .entry start
start:  sbn    one, counter, done   ; a comment
        sbn    zero, x:zero
        .equ   N, (end - start) * 2 % 7 << 1
done:   sbn    one, zero, -1
one:    .word  1, 'c', 0x1F, ~N & 0xff
zero:   .space 2, N
counter:.asciz "text \\x41 \\n"
        .org   100
        .assert N > 0 && end, "none"
end:
"""
SOURCES = [GOOD, *(path.read_bytes().decode("utf-8", "replace") for path in GOLDEN)]
PIECES = ["(", ")", "'", '"', "\\", ":", ",", ".", "-", "1 << ", "1<<99999999999", ".org ", ".space ", "0x", "__", "\0"]
PIECES += [
    "\r",
    "\n",
    "\t",
    ";",
    "\ud800",
    "\ufeff",
    "é",
    "sbn ",
    "subleq ",
    ".equ a, a",
    ".order ",
    "=",
    "9" * 1001,
    "a:",
]
PIECES += [".macro m a, b=1", ".rept 3", ".if 1", ".endm", ".pool", '.include "x"', ".nostd", "\u2028", "\x1b[2J"]


def outcome(source, **options):
    """What assembling gives; whatever it is, it can be drawn."""
    try:
        image = assemble(source, **options)
    except AssemblyError as error:
        assert error.diagnostics and str(error).startswith(("<text>", "entry"))
        return error
    assert isinstance(image, Image)
    return image


@st.composite
def mutated(draw):
    source = draw(st.sampled_from(SOURCES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(source)))
        end = draw(st.integers(start, min(len(source), start + 12)))
        insert = draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=4), st.just(source[start:end] * 2)))
        source = source[:start] + insert + source[end:]
    return source


@settings(derandomize=True, deadline=None, max_examples=200)
@given(mutated())
def test_a_mutated_source_is_an_image_or_has_errors(source):
    result = outcome(source)
    if isinstance(result, Image) and len(result.words) < 10_000:
        assert assemble(disassemble(result)) == result
        format_listing(result)


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=10_000)
@given(mutated())
def test_very_many_mutated_sources_are_images_or_have_errors(source):
    outcome(source)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_an_image_or_has_errors(text):
    outcome(text)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from([*PIECES, "a", "b", "1", " ", "+", "*", "&&", ".word ", ".equ "]), max_size=25).map(
        "".join
    )
)
def test_any_words_of_the_language_are_an_image_or_have_errors(text):
    outcome(text)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary(max_size=80))
def test_any_bytes_are_an_image_or_have_errors(data):
    try:
        assert isinstance(read_image(data), Image)
    except AssemblyError as error:
        assert str(error).startswith("<input>")


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.text(max_size=12))
def test_any_entry_option_is_an_image_or_has_errors(entry):
    outcome("sbn 1", entry=entry)


HUGE = {
    "parentheses": ".word " + "(" * 500_000,
    "closing parentheses": ".word " + ")" * 500_000,
    "pairs of parentheses": ".word " + "(" * 100_000 + "1" + ")" * 100_000,
    "signs": ".word " + "- " * 500_000 + "1",
    "a long sum": ".word 0" + " + 0" * 30_000,
    "quotes": ".ascii " + '"' * 100_001,
    "backslashes": '.ascii "' + "\\" * 100_001,
    "a long name": f"{'a' * 500_000}: .word {'a' * 500_000}, {'b' * 500_000}",
    "a long number": ".word " + "1" * 500_000,
    "a number of underscores": ".word 1" + "_" * 500_000 + "x",
    "labels in a line": " ".join(f"a{index}:" for index in range(20_000)),
    "labels of an operand": ".word " + " ".join(f"a{index}:" for index in range(20_000)) + " 1",
    "undefined names": "\n".join(f".word name{index}, {index}" for index in range(3_000)),
    "undefined names beside many others": "\n".join(
        f"abcdefgh{index}: .word abcdefgz{index}" for index in range(3_000)
    ),
    "a long constant cycle": "\n".join(f".equ c{index}, c{(index + 1) % 3000} + c0" for index in range(3_000)),
    "space": ".space 1 << 40",
    "space of the whole image": ".width 32\n.space 1 << 25\n.space 1",
    "org": ".org 1 << 60\n.word 1",
    "the last address": ".width 32\n.org (1 << 25) - 1\n.word 1",
    "many overlaps": ".org 0\n.word 1\n" * 3_000,
    "powers": ".equ a, 1 << 4095\n.word a * a, a * a * a, a << a",
    "zero bytes": "\0" * 100_000,
    "control characters": "\x1b" * 100_000 + "\n" + "a \x1b\n" * 1_000,
    "commas": ".word " + "," * 100_000,
    "errors in one long line": ".word\t" + "x, " * 30_000 + "\x1b",
    "undefined names in one long line": ".word\t" + "x, " * 10_000 + "y",
    "form feeds and other blanks": "\f\v\t \u2028\u00a0" * 1_000,
}

LONG = {"the last address", "undefined names beside many others", "space of the whole image"}


@pytest.mark.parametrize(
    "source",
    [pytest.param(source, id=name, marks=pytest.mark.slow if name in LONG else ()) for name, source in HUGE.items()],
)
def test_what_is_huge_or_deep_is_answered_soon(source):
    start = time.process_time()
    outcome(source)
    assert time.process_time() - start < 60  # at most five, but a reader that takes quadratic time needs hours


@pytest.mark.slow
def test_an_image_of_60000_words_is_assembled_in_seconds():
    lines = [f"l{index}: sbn one, counter + {index % 7}, l{index} ; {index}" for index in range(20_000)]
    start = time.process_time()
    image = assemble("\n".join([*lines, "one: .word 1", "counter: .space 7"]))
    assert len(image.words) == 60_008
    assert time.process_time() - start < 60  # two on an idle machine


def test_the_number_of_statements_is_limited(monkeypatch):
    assert parsing.MAX_STATEMENTS == 1 << 20
    monkeypatch.setattr(parsing, "MAX_STATEMENTS", 10)
    assert len(assemble(".word 1\n" * 10).words) == 10
    with pytest.raises(AssemblyError, match="more than 10 statements"):
        assemble(".word 1\n" * 11)


@pytest.mark.slow
def test_a_source_of_two_to_the_20_statements_is_assembled():
    assert len(assemble(".word 1\n" * (1 << 20), word_bits=32).words) == 1 << 20
