"""Every error message of the assembler, drawn, against the files in tests/golden/diagnostics.

Refresh them, and look at what changed, with:  SBN_REFRESH_GOLDEN=1 pytest tests/test_assembler_diagnostics.py
"""

import os
import pickle
from pathlib import Path

import pytest

from assembler import AssemblyError, Diagnostic, assemble, read_image
from assembler.diagnostics import MAX_DIAGNOSTICS, SourceLine, Span

GOLDEN = Path(__file__).parent / "golden" / "diagnostics"


@pytest.mark.parametrize("source", sorted(GOLDEN.glob("*.sbn")), ids=lambda path: path.stem)
def test_the_errors_of_a_bad_source_are_drawn_as_before(source):
    with pytest.raises(AssemblyError) as caught:
        read_image(source.read_bytes(), source.name)
    drawn = f"{caught.value}\n"
    expected = source.with_suffix(".txt")
    if os.environ.get("SBN_REFRESH_GOLDEN"):
        expected.write_bytes(drawn.encode())
    assert drawn == expected.read_bytes().decode()


def test_there_is_a_source_for_each_golden_drawing():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in GOLDEN.glob("*.sbn")}


def drawn_lines(text):
    with pytest.raises(AssemblyError) as caught:
        assemble(text, "t.sbn")
    return str(caught.value).split("\n")


def test_carets_cover_the_whole_span():
    assert drawn_lines("  sbn abc, def") == [
        "t.sbn:1:7: error: undefined label `abc`",
        "  |",
        "1 |   sbn abc, def",
        "  |       ^^^",
        "",
        "t.sbn:1:12: error: undefined label `def`",
        "  |",
        "1 |   sbn abc, def",
        "  |            ^^^",
    ]


def test_tabs_of_the_source_stay_tabs_in_the_padding():
    assert drawn_lines("\tsbn\tabc")[2:] == ["1 | \tsbn\tabc", "  | \t   \t^^^"]


def test_a_wide_character_takes_two_columns_of_padding_and_a_combining_one_none():
    assert drawn_lines('.ascii "日e\u0301", x')[3] == "  | " + " " * (7 + 1 + 2 + 1 + 1 + 2) + "^"


def test_a_caret_stands_behind_the_last_word_where_a_line_ends_too_early():
    assert drawn_lines("sbn a,   ; more")[:4] == [
        "t.sbn:1:7: error: expected an operand, found end of line",
        "  |",
        "1 | sbn a,   ; more",
        "  |       ^",
    ]


def test_of_a_very_long_line_only_the_part_around_the_caret_is_drawn():
    lines = drawn_lines(".word " + "1, " * 10_000 + "oops" + ", 1" * 10_000)
    assert all(len(line) < 200 for line in lines)
    assert lines[2][lines[3].index("^") :].startswith("oops")


def test_errors_come_in_the_order_of_the_source():
    lines = drawn_lines(".assert 0\n.word nowhere\n.org -1\n.word 99999\nx: x:")
    assert [line.split(":")[1] for line in lines if line.startswith("t.sbn")] == ["1", "2", "3", "4", "5"]


def test_the_same_error_is_told_once():
    assert len(drawn_lines("sbn nowhere")) == 4


def test_an_error_carries_its_diagnostics():
    with pytest.raises(AssemblyError) as caught:
        assemble("a: .word b")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "undefined label `b`"
    assert diagnostic.span == Span(SourceLine("<text>", 1, "a: .word b"), 10, 11)
    assert pickle.loads(pickle.dumps(caught.value)).diagnostics == (diagnostic,)


def test_a_diagnostic_without_a_place_names_the_file():
    assert str(Diagnostic("too large", file="x.sbn", help="cut it")) == "x.sbn: error: too large\n  = help: cut it"


def test_a_diagnostic_in_a_macro_shows_the_calls_around_it():
    call = Span(SourceLine("x.sbn", 9, "  twice a"), 3, 10)
    inner = Span(SourceLine("lib.sbn", 2, "  add a, a"), 7, 8, (call,))
    assert str(Diagnostic("wrong", inner)).split("\n")[4] == "  = in the expansion of `twice a` at x.sbn:9:3"


def test_after_very_many_errors_the_rest_is_not_looked_at():
    with pytest.raises(AssemblyError) as caught:
        assemble("nonsense\n" * 5_000)
    assert len(caught.value.diagnostics) == MAX_DIAGNOSTICS + 1
    assert "too many errors" in caught.value.diagnostics[-1].message
    assert str(caught.value).count("error: ") == 20 and str(caught.value).endswith("… and 981 more errors")


def test_a_suggestion_prefers_the_same_name_in_another_case():
    assert "did you mean `Done`?" in str(drawn_lines("Done: .word 1\n dane: .word done"))


def test_names_and_texts_of_any_size_are_shortened_in_messages():
    assert all(len(line) < 250 for line in drawn_lines(f".word {'x' * 10_000}\n.{'y' * 10_000}\n.word {'0z' * 1000}"))
