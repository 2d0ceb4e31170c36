"""Statements, labels and directives, and the image they make."""

import pytest

from assembler import AssemblyError, assemble


def errors(source, **options):
    with pytest.raises(AssemblyError) as caught:
        assemble(source, "t.sbn", **options)
    return [diagnostic.message for diagnostic in caught.value.diagnostics]


COUNTDOWN = """
        .isa   sbn                  ; or subleq
        .width 16
start:  sbn    one, counter, done   ; counter -= 1; if negative goto done
        sbn    zero, zero           # C omitted: the next instruction
        sbn    one, zero, start     // zero - 1 is negative: always
done:   sbn    zero, zero
        sbn    one, zero, -1        ; halt
one:    .word  1
zero:   .word  0
counter:.word  5
"""


def test_a_program_becomes_its_words():
    image = assemble(COUNTDOWN)
    assert image.words == (15, 17, 9, 16, 16, 6, 15, 16, 0, 16, 16, 12, 15, 16, 65535, 1, 0, 5)
    assert (image.isa, image.word_bits, image.entry, image.memory, image.input_mode) == ("sbn", 16, 0, None, "set")
    assert image.symbols == {"start": 0, "done": 9, "one": 15, "zero": 16, "counter": 17}


def test_nothing_makes_an_empty_image():
    assert assemble("").words == assemble("\n ; only words about it\n\n").words == ()


@pytest.mark.parametrize("text", ["sbn 7", "sbn 7, 7", "sbn 7, 7, .+3", "SBN 7", "sBn 7 , 7"])
def test_omitted_operands_are_the_first_one_and_the_next_address(text):
    assert assemble(text).words == (7, 7, 3)


def test_the_next_address_wraps_at_the_top_of_the_addresses():
    assert assemble(".width 4\n.org 13\nsbn 1, 2").words[13:] == (1, 2, 0)


def test_a_word_first_and_then_operands_is_never_a_subtraction():
    assert assemble("sbn -1").words == (65535, 65535, 3)
    assert errors("name -1\nname: .word 0") == ["unknown instruction `name`"]


def test_labels_are_case_sensitive_and_mnemonics_and_directives_are_not():
    image = assemble('A: .WORD a, A\na: .Word 2\n.EQU b, 3\n.eQu B, 4\n.ASCII "x"')
    assert image.words == (2, 0, 2, 120)
    assert (image.symbols["b"], image.symbols["B"]) == (3, 4)


def test_a_line_may_have_many_labels_and_nothing_else():
    image = assemble("a: b:\nc : d: .word 1\ne:f:g:")
    assert image.symbols == {"a": 0, "b": 0, "c": 0, "d": 0, "e": 1, "f": 1, "g": 1}


def test_a_label_may_have_the_name_of_an_instruction():
    assert assemble("sbn: sbn sbn, word\nword: .word sbn").words == (0, 3, 3, 0)


def test_operand_labels_name_the_addresses_of_operand_words():
    image = assemble(".word 9\nsbn src:0, dst:1, to:2\n.word x:5, y:6\n.word src, dst, to, x, y")
    assert image.words == (9, 0, 1, 2, 5, 6, 1, 2, 3, 4, 5)


def test_the_label_of_a_single_operand_names_its_first_copy():
    assert assemble("sbn x:7\n.word x").words == (7, 7, 3, 0)
    assert assemble(".order destination_first\nsbn x:7\n.word x").words == (7, 7, 3, 0)


def test_a_file_with_the_destination_first_makes_the_same_image():
    source_first = assemble("sbn a:1, b:2, c:3\nsbn 4, 5\nsbn 6\n.word a, b, c, 7, 8")
    assert assemble(".order source_first\nsbn a:1, b:2, c:3\nsbn 4, 5\nsbn 6\n.word a, b, c, 7, 8") == source_first
    assert assemble(".ORDER Destination_First\nsbn b:2, a:1, c:3\nsbn 5, 4\nsbn 6\n.word a, b, c, 7, 8") == source_first


def test_the_point_is_the_first_word_whatever_the_order_of_operands():
    assert assemble(".order destination_first\n.word 0\nsbn ., .+1").words == (0, 2, 1, 4)


def test_subleq_has_its_own_mnemonic():
    assert assemble(".isa subleq\nsubleq 1, 2").words == (1, 2, 3)
    assert assemble(".isa SUBLEQ\nSubleq 1, 2").isa == "subleq"
    assert errors("subleq 1") == ["`subleq` is not an instruction of the `.isa` in force, `sbn`"]


def test_strings_make_one_word_a_byte():
    assert assemble('.ascii "aé"').words == (97, 0xC3, 0xA9)
    assert assemble('.asciz "hi"').words == (104, 105, 0)
    assert assemble(r'.ascii "\n\t\r\0\\\'\"\x41\xfF"').words == (10, 9, 13, 0, 92, 39, 34, 65, 255)
    assert assemble('.ascii ""').words == ()
    assert assemble('.ascii "a;b#c//d"  ; e').words == tuple(b"a;b#c//d")
    assert assemble('.asciz "a", "b"').words == (97, 0, 98, 0)


def test_space_makes_words_of_one_value_which_may_look_forward():
    assert assemble(".space 3\n.space 2, end - 1\nend:").words == (0, 0, 0, 4, 4)
    assert assemble(".space 0").words == ()


def test_org_moves_on_and_into_gaps():
    image = assemble(".org 5\n.word 5\n.org 0\n.word 0, 1\n.org 3\nlast: .word 3, 4")
    assert image.words == (0, 1, 0, 3, 4, 5)
    assert image.symbols["last"] == 3
    assert assemble(".word 1\n.org 100").words == (1,)


def test_the_layout_may_use_what_stands_above_it():
    assert assemble(".equ n, m + 1\n.equ m, 2\n.space n\n.word .").words == (0, 0, 0, 3)
    assert assemble("a: .space 2\nb: .space b - a\n.org b * 2\n.word 7").words == (0, 0, 0, 0, 7)


def test_an_assertion_may_look_forward_and_is_silent_where_it_holds():
    assert assemble('.assert end == 1, "no"\n.word 0\nend:').words == (0,)


def test_the_entry_is_a_word_and_may_look_forward():
    assert assemble(".entry main\n.word 0\nmain: sbn 0").entry == 1
    assert assemble(".entry -1").entry == 65535


def test_a_value_fits_from_the_least_signed_to_the_largest_unsigned_word():
    assert assemble(".width 8\n.word -128, 255, -1").words == (128, 255, 255)
    assert assemble(".width 64\n.word -1, 1 << 63").words == (2**64 - 1, 2**63)
    assert len(errors(".width 8\n.word -129, 256")) == 2


def test_all_semantic_errors_are_told_in_one_go():
    source = "x: .word 70000, nowhere\nx: snb\n.assert 1 == 2\n.org -3\n.equ c, c\n.word 1/0\n.isa sbn"
    assert len(errors(source)) == 9


def test_an_error_that_moves_what_follows_causes_no_others():
    assert len(errors(".space nowhere\n.assert . == 10\n.org 3\n.word 0, 0\n.org 4\n.word 0")) == 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_of_both_kinds_and_a_byte_order_mark_are_taken(end):
    lines = ["\ufeffa: .word 1", "", '.ascii "x" ; y', "sbn a"]
    assert assemble(end.join(lines)).words == (1, 120, 0, 0, 5)


def test_options_fill_in_what_the_source_leaves_open():
    image = assemble("subleq 1\nmain:", isa="subleq", word_bits=8, memory=99, entry="main + 1", input_mode="add")
    assert (image.isa, image.word_bits, image.memory, image.entry, image.input_mode) == ("subleq", 8, 99, 4, "add")
    assert assemble("sbn 1", entry=-1).entry == 65535


STATED = ".isa sbn\n.width 8\n.memory 100\n.entry 3\n.input sub\n"


def test_options_may_state_what_the_source_states():
    image = assemble(STATED, isa="sbn", word_bits=8, memory=100, entry=3, input_mode="sub")
    assert image == assemble(STATED)


@pytest.mark.parametrize(
    "option",
    [{"isa": "subleq"}, {"word_bits": 16}, {"memory": 101}, {"entry": 4}, {"entry": "4"}, {"input_mode": "set"}],
)
def test_an_option_that_contradicts_the_source_is_an_error(option):
    (message,) = errors(STATED, **option)
    assert "contradicts" in message


@pytest.mark.parametrize(
    "option", [{"isa": "risc"}, {"word_bits": 3}, {"word_bits": 65}, {"memory": 0}, {"input_mode": "x"}]
)
def test_an_option_no_program_can_have_is_a_value_error(option):
    with pytest.raises(ValueError):
        assemble("", **option)


def test_a_memory_option_less_than_the_image_is_an_error():
    assert errors(".space 5", memory=4) == ["memory of 4 words is less than the image's 5"]


def test_an_entry_option_that_is_no_expression_is_an_error():
    assert errors("", entry="nowhere") == ["undefined label `nowhere`"]
    assert errors("", entry="1 +") == ["expected a value, found end of line"]
    assert errors("", entry="a: 1")
    assert len(errors(".word nowhere", entry="1 +")) == 2
    assert errors("", entry="1\n2") == ["an expression is one line"]


def test_the_memory_is_known_early_only_where_the_image_cannot_change_it():
    assert assemble(".width 20\n.memory 80_000\n.org __memory - 1\n.word 1").words[79_999] == 1
    (message,) = errors(".width 20\n.org __memory - 1\n.word 1, 2")
    assert message.startswith("`__memory` is not known here")


def test_the_source_map_tells_the_line_of_each_word():
    image = assemble("; head\nstart: sbn 0, 0\n\n.org 5\n.word 1, 2", "x.sbn")
    assert image.source_map is not None
    origins = [image.source_map.at(address) for address in range(9)]
    assert [origin and (origin.file, origin.line) for origin in origins] == [
        *[("x.sbn", 2)] * 3,
        None,
        None,
        *[("x.sbn", 5)] * 2,
        None,
        None,
    ]
    assert image.source_map.runs[0].origin.text == "start: sbn 0, 0"


def test_constants_are_symbols_but_no_labels():
    image = assemble("a: .word 1\n.equ N, -5\n.equ M, 1 << 100")
    assert image.symbols == {"a": 0, "N": -5, "M": 1 << 100}
    assert image.labels == {"a": 0}


def test_a_source_is_text():
    with pytest.raises(TypeError, match="decode_source"):
        assemble(b"sbn 1")  # pyright: ignore[reportArgumentType]
