"""The notations of other people's SUBLEQ programs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import AssemblyError, Image, assemble, format_listing, load_image, read_dialect, read_image


def words(source, **options):
    image = read_dialect(source, "t.sq", **options)
    return tuple(word - (1 << image.word_bits) if word >> image.word_bits - 1 else word for word in image.words)


def errors(source, **options):
    with pytest.raises(AssemblyError) as caught:
        read_dialect(source, "t.sq", **options)
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def test_it_is_for_subleq_and_32_bits_unless_told_otherwise():
    image = read_dialect("1 2 3")
    assert (image.isa, image.word_bits, image.entry, image.words) == ("subleq", 32, 0, (1, 2, 3))


def test_options_fill_in_what_the_notation_leaves_open():
    image = read_dialect("1 2 3\nx: 4", word_bits=16, isa="sbn", memory=50, entry="x", input_mode="add")
    assert (image.isa, image.word_bits, image.memory, image.entry, image.input_mode) == ("sbn", 16, 50, 3, "add")


def test_statements_end_at_semicolons_and_line_ends():
    assert words("1 2 3; 4 5 6\n7 8 9;;\n\n;1 1 1") == (1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1)


def test_a_third_operand_left_out_is_the_next_address():
    assert words("7 8; 9 8") == (7, 8, 3, 9, 8, 6)


def test_one_operand_is_used_twice_with_its_first_value():
    assert words("7; 8") == (7, 7, 3, 8, 8, 6)
    assert words("0 0 0; ?+11") == (0, 0, 0, 15, 15, 6)


def test_the_question_mark_is_the_address_of_the_next_cell():
    assert words("? ? ?; ?-1 ?+1 (?)") == (1, 2, 3, 3, 6, 6)
    assert words(". ? ? 'ab' ? [2] ?") == (1, 2, 97, 98, 5, 0, 0, 8)


def test_labels_stand_before_statements_and_operands():
    assert words("top: x:a y: 0 z:top; . x y z a:5 top") == (6, 0, 0, 0, 1, 2, 5, 0)
    assert read_dialect("a: b:\nc: 1").symbols == {"a": 0, "b": 0, "c": 0}


def test_labels_at_the_end_name_what_follows():
    assert read_dialect("1 2 end: ; . 5 last:").symbols == {"end": 3, "last": 4}


def test_the_label_of_a_single_operand_names_its_first_copy():
    assert words("x:7; . x") == (7, 7, 3, 0)
    assert words("0 0; 9 x:7; . x") == (0, 0, 3, 9, 7, 6, 4)


def test_operands_are_sums_of_integers_labels_and_the_next_cell():
    assert words(". -1 (-1) a+2-b -a ( 1 + 2 )-(b) 0x10 a:b: --3 -(-(4))") == (-1, -1, 2, -6, -3, 16, 3, 4)


def test_data_is_values_zeros_and_texts():
    assert words(". t1:0 t2:0 sp:-sp [3] 'Hi!' x:[1+1] y:'z' x y") == (
        *(0, 0, -2, 0, 0, 0, 72, 105, 33, 0, 0, 122, 9, 11),
    )
    assert words(".5; . ''; . \"a'b\"") == (5, 97, 39, 98)


def test_a_character_of_a_text_is_one_cell():
    assert words(". 'é日;#'") == (0xE9, 0x65E5, 59, 35)


def test_an_escape_is_one_cell():
    assert words(r""". 'a\n\t\r\0' "\"\\" x:'\'' x""") == (97, 10, 9, 13, 0, 34, 92, 39, 7)
    assert errors(r". 'ab\q'") == [
        "t.sq:1:6: error: `\\q` is not an escape\n  |\n1 | . 'ab\\q'\n  |      ^^\n"
        r"  = help: the escapes are \n \t \r \0 \\ \' and \""
    ]
    assert errors(r". 'abc\'")[0].startswith("t.sq:1:3: error: this text has no closing `'`")


def test_a_row_of_more_than_three_cells_is_these_cells():
    assert words("1 2 3 4; 5 6 7 8 9") == (1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert words("7 ? ? ? x:? ? ?; . x") == (7, 2, 3, 4, 5, 6, 7, 4)


def test_a_character_is_a_term():
    assert words("'A' b 'B'-1; . x:'0' '9'+1 -'a' \"z\" b:'it' \"!\"-x") == (
        *(65, 7, 65, 48, 58, -97, 122, 105, 116, 30),
    )


def test_in_and_out_are_the_console_unless_they_are_labels():
    assert words("IN x; x OUT; x:0") == (-1, 6, 3, 6, -1, 6, 0, 0, 9)
    assert words(". IN:7 IN OUT") == (7, 0, -1)


def test_a_text_goes_on_over_lines():
    assert words(". 'ab\ncd' x:5\n. \"\r\n\n\" 6\n. x") == (97, 98, 10, 99, 100, 5, 10, 10, 6, 5)
    assert errors(". 'ab\ncd' nowhere\n. 1 +")[0].startswith("t.sq:3:6: error: expected a value")
    undefined = "t.sq:2:5: error: undefined label `nowhere`\n  |\n2 | cd' nowhere\n  |     ^^^^^^^"
    assert errors(". 'ab\ncd' nowhere\n") == [undefined]
    format_listing(read_dialect(". 'ab\ncd'"))


def test_sections_of_other_assemblers_get_a_hint():
    assert errors("1 2 3\n.data\nx:5") == [
        "t.sq:2:1: error: `.data` is a directive of other assemblers\n  |\n2 | .data\n  | ^^^^^\n"
        "  = help: `.` begins data, such as `. 5 x:-1`; there are no sections, so this line can be left out"
    ]
    assert words(".data; data:7") == (1, 7, 7, 4)  # where there is such a label, it is data


def notes(source, dialect="sqasm"):
    return [str(note) for note in read_dialect(source, "t.sq", dialect).notes]


WIKI = """a a ?+1
m Z ?+1
Z a ?+1
H (-1) ?+1
Z Z (-1)
a:0 Z:0 m:5
H:72
"""


def test_in_the_notation_of_the_wiki_the_question_mark_is_this_cell():
    assert words(". ? ? 'ab' ?", dialect="esolangs") == (0, 1, 97, 98, 4)
    assert words(WIKI, dialect="esolangs")[:15] == (15, 15, 3, 17, 16, 6, 16, 15, 9, 18, -1, 12, 16, 16, -1)
    assert notes(WIKI, "esolangs") == []


def test_a_target_in_the_middle_of_a_statement_names_the_other_notation():
    astray, write = notes(WIKI)
    assert "a write never goes to its target" in write
    assert [astray] == [
        "t.sq:1:5: the target 4 is not where a statement begins; in the notation of esolangs.org `?` is this cell: "
        "`--dialect esolangs` reads it so (3 more like it)"
    ]
    assert notes("a a ?\na:b:0 b ?+3; 0", "esolangs") == [
        "t.sq:1:5: the target 2 is not where a statement begins; in the notation of the original assembler `?` is the "
        "next cell: `--dialect sqasm` reads it so (1 more like it)"
    ]
    assert notes("a a ?; a:0 0 ?+3; 1 ?; 2 2 7") == []


def test_a_target_of_a_read_or_a_write_is_noted_where_the_input_mode_never_branches():
    source = "IN x ?; IN x 0; x OUT 0; x:0"
    assert notes(source) == [
        "t.sq:1:9: a read never goes to its target; on a machine where it does, the input mode is set_branch_in "
        "(1 more like it)"
    ]
    modes = {"add_branch_in": 1, "set_zero_branch_io": 0, "sub_zero": 1}
    for mode, count in modes.items():
        assert len(read_dialect(source, input_mode=mode).notes) == count


def test_blanks_around_a_sign_join_and_a_blank_before_it_alone_is_noted():
    assert words("5 - 1 (-1) 2- 1 - 1; . - 3 + 1") == (4, -1, 0, -2)
    assert words(". 5 -1; 6 6 -1") == (5, -1, 6, 6, -1)
    assert notes(". 5 -1\n6 6 -1") == [
        "t.sq:1:5: `-` begins an operand here, and in the original assembler it joins two terms; write `(-1)` for an "
        "operand and `a-1` for a sum (1 more like it)"
    ]
    assert notes(". -1 (-1) 'ab' -1 [2] -3; x:-1 5-1 - 4") == []


def test_comments_end_with_the_line():
    assert words("# one; 1 2 3\n1 2 3 # 'x ; 4\n#") == (1, 2, 3)


def test_blanks_and_line_ends_of_all_kinds_are_taken():
    assert words("\ufeff\t1\t2  3 \r\n  4 5 6\r\n") == (1, 2, 3, 4, 5, 6)


def test_names_our_notation_keeps_for_itself_are_free():
    assert words(". __isa:5 sbn:__isa __width:1") == (5, 0, 1)
    assert "undefined label `__memory`" in errors(". __memory")[0]


HELLO = """
        # writes a text
start:  p (-1)                  # a b c with c left out
        m1 start                # the next character
        Z; left; c left; dec c fin; Z Z start
fin:    Z Z (-1)
. m1:-1 Z:0 c:-3 left:0 dec:1
. p:'Hi!'
"""


def test_a_program_is_what_its_statements_in_our_notation_are():
    ours = """
        .isa subleq
        .width 32
start:  subleq p, -1
        subleq m1, start
        subleq Z
        subleq left
        subleq c, left
        subleq dec, c, fin
        subleq Z, Z, start
fin:    subleq Z, Z, -1
m1:     .word -1
Z:      .word 0
c:      .word -3
left:   .word 0
dec:    .word 1
p:      .ascii "Hi!"
"""
    image, expected = read_dialect(HELLO, "hello.sq"), assemble(ours)
    assert image == expected
    assert image.symbols == expected.symbols
    assert image.source_map is not None
    assert [run.origin.line for run in image.source_map][:4] == [3, 4, 5, 5]


def test_files_are_read_in_a_dialect(tmp_path):
    path = tmp_path / "hello.dec"
    path.write_text(HELLO)
    assert load_image(path, dialect="sqasm", word_bits=16) == read_image(HELLO.encode(), dialect="sqasm", word_bits=16)
    with pytest.raises(ValueError, match="dialect must be one of sqasm, esolangs"):
        read_image(b"", dialect="subleq")
    with pytest.raises(ValueError, match="the format is hex"):
        read_image(b"", format="hex", dialect="sqasm")


def test_errors_are_drawn_with_their_places():
    assert errors("1 [2]; 1\n  1,2\n'xy'\n. \"abc\n? +\n. 12ab 1\n(1") == [
        "t.sq:1:3: error: expected a value, found `[`\n  |\n1 | 1 [2]; 1\n  |   ^",
        "t.sq:2:4: error: `,` has no meaning here\n  |\n2 |   1,2\n  |    ^\n  = help: "
        "operands are separated by blanks",
        "t.sq:3:1: error: a character is needed here, not a text\n  |\n3 | 'xy'\n  | ^^^^\n"
        "  = help: several characters are data, which `.` begins: `. 'ab'`",
        't.sq:4:3: error: this text has no closing `"`\n  |\n4 | . "abc\n  |   ^^^^',
        "t.sq:5:4: error: expected a value, found end of statement\n  |\n5 | ? +\n  |    ^",
        "t.sq:6:3: error: `12ab` is not a number\n  |\n6 | . 12ab 1\n  |   ^^^^",
        "t.sq:7:3: error: expected `+`, `-` or `)`, found end of statement\n  |\n7 | (1\n  |   ^",
    ]


def test_semantic_errors_are_those_of_our_notation():
    messages = [error.split("\n")[0] for error in errors(". x:1 x:2 nowhere [-1] [n] 99999999999; . n:0")]
    assert messages == [
        "t.sq:1:7: error: duplicate label `x`",
        "t.sq:1:11: error: undefined label `nowhere`",
        "t.sq:1:20: error: `.space` cannot make -1 words",
        "t.sq:1:25: error: the layout depends on `n` here, which is defined below",
        "t.sq:1:28: error: 99999999999 is out of range for a word of 32 bits, -2,147,483,648 … 4,294,967,295",
    ]


@pytest.mark.parametrize(
    "source", [". " + "(" * 5_000, ". " + "-" * 5_000 + "1", ". " + "1" * 5_000, ". [1 << 9]", ". [99999999999]"]
)
def test_what_is_huge_or_deep_is_an_error(source):
    assert errors(source)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([*"a.?:;()[]+-' #\"", "12", "b:", ". ", "[3] ", "\n", "é", "0x"]), max_size=20).map(
        "".join
    )
)
def test_any_text_is_an_image_or_has_errors(source):
    try:
        image = read_dialect(source)
    except AssemblyError as error:
        assert str(error).startswith("<text>")
    else:
        assert isinstance(image, Image)
        format_listing(image)
