"""The listing: address, words and source line, side by side."""

from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import Image, Origin, SourceMap, SourceRun, assemble, format_listing, format_source

SOURCE = """\
; a program
start:  sbn one, zero, -1
text:   .asciz "hello"
        .org 14
one:    .word 1
zero:   .space 40
"""


def test_each_line_stands_beside_its_words():
    assert format_listing(assemble(SOURCE, "x.sbn")) == (
        "x.sbn:\n"
        "    0   14  15  -1          2  start:  sbn one, zero, -1\n"
        '    3  104 101 108 108      3  text:   .asciz "hello"\n'
        "    7  111   0\n"
        "    9    0   0   0   0  (no source)\n"
        "   13    0\n"
        "   14    1                  5  one:    .word 1\n"
        "   15    0   0   0   0      6  zero:   .space 40\n"
        "    …  36 more of it\n"
    )


def test_an_image_without_a_source_is_listed_as_the_statements_it_could_be():
    image = assemble(SOURCE)
    assert format_listing(Image(image.words, symbols=image.symbols)).startswith(
        "    0   14  15  -1      start: sbn     one, zero, -1\n"
        '    3  104 101 108 108  text: .asciz  "hello"\n'
        "    7  111   0\n"
    )


def test_the_calls_a_line_was_expanded_from_stand_above_it():
    calls = (Origin("lib.sbn", 7, "  outer a"), Origin("x.sbn", 3, "  deep a"))
    runs = (
        SourceRun(0, 1, Origin("x.sbn", 1, ".word 1")),
        SourceRun(1, 2, Origin("lib.sbn", 2, ".word 2", calls)),
        SourceRun(2, 3, Origin("lib.sbn", 3, ".word 3", calls)),
    )
    assert format_listing(Image([1, 2, 3], source_map=SourceMap(runs))) == (
        "x.sbn:\n"
        "    0  1            1  .word 1\n"
        "                    3    deep a\n"
        "                lib.sbn:7  | outer a\n"
        "    1  2        lib.sbn:2  | | .word 2\n"
        "    2  3        lib.sbn:3  | | .word 3\n"
    )


def test_the_listing_without_expansions_has_a_row_for_each_line_of_the_user():
    image = assemble("mov x, y\nhalt\nx: .word 7, 8\ny: .word 0\n.space 9, 1\nout x", "x.sbn", isa="sbn")
    assert format_source(image) == (
        "x.sbn:\n"
        "    0  30 30  3 15      1  mov x, y\n"
        "    …  8 more\n"
        "   12  12 14 -1         2  halt\n"
        "   15   7  8            3  x: .word 7, 8\n"
        "   17   0               4  y: .word 0\n"
        "   18   1  1  1  1      5  .space 9, 1\n"
        "    …  5 more\n"
        "   27  15 -1 30         6  out x\n"
        "   30   0               1  mov x, y\n"
    )


def test_what_has_no_source_is_listed_as_statements_either_way():
    image = Image([3, 4, 5, 6, 7])
    assert format_source(image) == format_listing(image)


def test_nothing_is_listed_as_nothing():
    assert format_listing(Image([])) == format_source(Image([])) == ""


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 15), max_size=16))
def test_every_word_of_a_small_image_is_listed(words):
    listing = format_listing(Image(words, 4))
    width = max((len(str(word - 16 * (word > 7))) for word in words), default=1)
    listed = [line[7 : 7 + 4 * (width + 1)].split() for line in listing.splitlines() if "more" not in line]
    assert [int(word) & 15 for row in listed for word in row] == words
