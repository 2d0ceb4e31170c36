"""Macros, pools, conditionals, repetitions: what they expand to, and that they end."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import (
    AssemblyError,
    Image,
    assemble,
    disassemble,
    format_listing,
    image_bytes,
    parsing,
    read_image,
)


def words(source, **options):
    return assemble(source, "t.sbn", **options).words


def errors(source, **options):
    with pytest.raises(AssemblyError) as caught:
        assemble(source, "t.sbn", **options)
    return [diagnostic.message for diagnostic in caught.value.diagnostics]


# Macros


def test_a_call_is_the_statements_of_the_body_with_its_operands():
    assert words(".macro pair a, b\n.word a, b\n.endm\npair 1, 2\npair 3 + 4, x\nx:") == (1, 2, 7, 4)


def test_macros_and_their_directives_are_known_in_any_case():
    assert words(".MACRO One\n.Word 1\n.ENDM\nONE\none") == (1, 1)


def test_a_macro_and_a_label_may_have_the_same_name():
    assert words(".macro x a\n.word a\n.endm\nx: x x") == (0,)


def test_labels_and_constants_of_a_body_are_new_in_each_expansion():
    source = ".macro m n\nk: .word k, c, n\n.equ c, n * 2\n.endm\nm 1\nm 2\nk: .word k"
    image = assemble(source)
    assert image.words == (0, 2, 1, 3, 4, 2, 6)
    assert image.symbols == {"k": 6}


def test_arguments_are_evaluated_in_the_scope_of_the_call():
    source = ".macro m p\nx: .word p, x\n.endm\nm x\nx: .word 9"
    assert words(source) == (2, 0, 9)


def test_arguments_are_values_and_never_texts():
    assert words(".macro m p\n.word p * 2\n.endm\nm 1 + 2") == (6,)


def test_a_parameter_comes_before_a_local_name_and_that_before_a_global_one():
    source = "a: b: c: .word 7\n.macro m a\n.word a, b, c\nb: .word 8\n.endm\nm 5"
    assert words(source) == (7, 5, 4, 0, 8)


def test_a_body_does_not_see_the_names_of_its_caller():
    inner = ".macro inner\n.word local\n.endm\n"
    assert errors(inner + ".macro outer\nlocal: inner\n.endm\nouter") == ["undefined label `local`"]
    assert words(inner + ".macro outer\nlocal: inner\n.endm\nouter\nlocal:") == (1,)


def test_names_of_a_body_are_not_seen_outside():
    assert errors(".macro m\nx: .word 1\n.endm\nm\n.word x") == ["undefined label `x`"]


def test_arguments_are_passed_on():
    source = ".macro inner a, b\n.word a, b\n.endm\n.macro outer b, a\nx: inner b + 1, a\n.endm\nouter 1, x\nx:"
    assert words(source) == (2, 2)


def test_defaults_may_name_earlier_parameters_and_globals():
    source = ".macro m a, b=a+g, c=a*b\n.word a, b, c\n.endm\nm 2\nm 2, 5\nm 2, 5, 6\ng:"
    assert words(source) == (2, 11, 22, 2, 5, 10, 2, 5, 6)


def test_a_default_does_not_see_later_parameters_or_locals():
    assert errors(".macro m a=b, b=1\n.word a, b\n.endm\nm") == ["undefined label `b`"]
    assert errors(".macro m a=x\nx: .word a\n.endm\nm") == ["undefined label `x`"]


def test_the_point_is_the_call_in_an_argument_and_the_statement_in_a_body():
    assert words(".word 0\n.macro m a=.\n.word 0\n.word a, .\n.endm\nm .\nm . + 10\nm") == (
        *(0, 0, 1, 2, 0, 14, 5, 0, 7, 8),
    )


def test_a_label_in_front_of_a_call_is_its_first_address():
    assert words(".macro two\n.word 1, x\n.endm\n.word 0\nx: two") == (0, 1, 1)


def test_an_argument_may_carry_a_label_which_names_the_word_it_makes():
    source = ".macro m a, b\n.word 5\nsbn a, b\n.endm\nm x:1, y:2\n.word x, y"
    assert words(source) == (5, 1, 2, 4, 1, 2)


def test_a_labelled_argument_is_passed_on_and_takes_a_default_along():
    source = ".macro inner a\n.word 0, a\n.endm\n.macro outer b, c=3\ninner b\n.word c\n.endm\nouter x:7\n.word x"
    assert words(source) == (0, 7, 3, 1)
    assert words(".macro m a, b=a\n.word b\n.endm\nm x:7\n.word x") == (7, 0)


def test_the_label_of_an_argument_belongs_to_the_scope_of_the_call():
    source = ".macro inner a\n.word a\n.endm\n.macro outer\ninner x:1\n.word x\n.endm\nouter\nouter"
    assert words(source) == (1, 0, 1, 2)


def test_an_argument_may_be_a_string():
    assert words('.macro say s, e=0\n.ascii s\n.word e\n.endm\n.macro twice s\nsay s\nsay s, 1\n.endm\ntwice "hi"') == (
        *b"hi\0hi\x01",
    )


def test_recursion_ends_by_a_condition():
    source = ".macro count n\n.if n > 0\n.word n\ncount n - 1\n.endif\n.endm\ncount 5"
    assert words(source) == (5, 4, 3, 2, 1)


def test_recursion_may_be_200_calls_deep_and_no_deeper():
    source = ".macro m n\n.if n > 1\nm n - 1\n.else\n.word 7\n.endif\n.endm\nm "
    assert words(source + "200") == (7,)
    (message,) = errors(source + "201")
    assert message.startswith("macros are expanded more than 200 deep")


def test_macros_that_call_each_other_are_found_when_they_are_called():
    source = ".macro even n\n.if n\nodd n - 1\n.endif\n.endm\n.macro odd n\n.if n\n.word n\neven n - 1\n.endif\n.endm\n"
    assert words(source + "even 4") == (3, 1)


def test_a_macro_with_wrong_parameters_may_be_called():
    assert len(errors(".macro m a=1, b\n.word a, b\n.endm\nm 1\nm 1, 2\n.macro n a, a\n.endm\nn 1\nn 1, 2")) == 4


def test_a_macro_may_be_defined_under_a_condition():
    source = ".equ big, 1\n.if big\n.macro m\n.word 9\n.endm\n.else\n.macro m\n.word 1\n.endm\n.endif\nm"
    assert words(source) == (9,)


def test_instructions_in_macros_are_in_the_order_of_the_machine():
    macro = ".macro m a, b\nsbn a, b\n.pool\nsbn 8, 9\n.endpool\n.endm\n"
    assert words(f".order destination_first\n{macro}m 1, 2\nsbn 1, 2") == (1, 2, 3, 2, 1, 6, 8, 9, 9)
    assert words(f"{macro}m 1, 2\n.order destination_first\nsbn 1, 2") == (1, 2, 3, 2, 1, 6, 8, 9, 9)


def test_instructions_in_a_repetition_have_the_order_of_their_file():
    assert words(".order destination_first\n.rept 1\nsbn 1, 2\n.endr") == (2, 1, 3)


def test_a_header_may_be_in_a_macro():
    assert assemble(".macro header bits\n.width bits\n.isa subleq\n.endm\nheader 8\nsubleq 1").word_bits == 8


# Pools


POOLED = ".macro inc a\nsbn minus, a\n.pool\nminus: .word -1\n.endpool\n.endm\n"


def test_a_pool_is_emitted_once_after_the_last_word():
    image = assemble(POOLED + "inc x\ninc x\nx: .word 5")
    assert image.words == (7, 6, 3, 7, 6, 6, 5, 65535)
    assert image.symbols == {"x": 6, "minus": 7}


def test_the_pool_of_a_macro_that_is_not_expanded_costs_nothing():
    assert words(POOLED + "x: .word 5") == (5,)


def test_pools_come_in_the_order_their_macros_were_first_expanded():
    source = ".macro a\n.pool\n.word 1\n.endpool\n.endm\n.macro b\na\n.pool\n.word 2\n.endpool\n.endm\n"
    assert words(source + "b\na") == (1, 2)
    assert words(source + "a\nb") == (1, 2)


def test_a_pool_may_call_macros_with_pools():
    inner = ".macro inner\n.word 8\n.pool\n.word 9\n.endpool\n.endm\n"
    assert words(inner + ".macro outer\n.pool\ninner\n.word x\n.endpool\n.endm\nouter\nx: .word 1") == (1, 8, 0, 9)


def test_a_pool_stands_behind_the_highest_word():
    assert words(POOLED + ".org 4\nx: .word 7\n.org 0\ninc x") == (5, 4, 3, 0, 7, 65535)


def test_a_pool_under_a_condition_is_emitted_if_the_condition_ever_held():
    source = ".macro m n\n.if n\n.pool\n.word n_, 2\n.endpool\n.endif\n.endm\n.equ n_, 1\n"
    assert words(source + "m 0") == ()
    assert words(source + "m 0\nm 1\nm 1") == (1, 2)


def test_a_pool_does_not_see_parameters():
    assert errors(".macro m a\n.pool\n.word a\n.endpool\n.endm\nm 1") == ["undefined label `a`"]


# Conditionals


@pytest.mark.parametrize(("value", "expected"), [(0, 10), (1, 11), (2, 12), (3, 12), (-5, 12)])
def test_the_first_branch_that_holds_is_assembled(value, expected):
    source = f".equ v, {value}\n.if v == 0\n.word 10\n.elif v == 1\n.word 11\n.else\n.word 12\n.endif"
    assert words(source) == (expected,)


def test_without_a_branch_that_holds_nothing_is_assembled():
    assert words(".if 0\n.word 1\n.elif 0\n.word 2\n.endif") == ()


def test_branches_not_taken_are_not_assembled():
    assert words('.if 0\nnonsense 1, nowhere\n.include "nothing"\n.word 1 / 0\n.elif 1\n.else\n.elf\n.endif') == ()


def test_one_source_may_serve_both_instruction_sets():
    source = ".if __isa == 0\nsbn 1\n.else\nsubleq 1\n.endif"
    assert words(source) == words(source, isa="subleq") == (1, 1, 3)
    assert words(".isa subleq\n" + source) == (1, 1, 3)


def test_a_condition_on_a_name_that_is_defined_nowhere_is_an_error():
    assert errors(".if nowhere\nx: .word 1\n.endif\n.word x\n.if other\n.endif") == ["undefined label `nowhere`"]
    assert errors(".if below\nx: .word 1\n.endif\n.word x\nbelow:") == [
        "the layout depends on `below` here, which is defined below"
    ]


def test_labels_of_a_branch_are_those_of_the_place_it_stands_in():
    assert words(".if 1\nx: .word 5\n.endif\n.word x") == (5, 0)
    assert words(".if 1\n.word 5\nx: .endif\n.word x\ny: .if 0\nz: .else\n.endif\n.word y") == (5, 1, 2)


def test_conditions_may_nest_200_deep():
    assert words(".if 1\n" * 200 + ".word 1\n" + ".endif\n" * 200) == (1,)


# Repetitions


def test_a_repetition_counts_from_0():
    assert words(".rept 3, i\n.word i, i * i\n.endr") == (0, 0, 1, 1, 2, 4)
    assert words(".rept 2\n.word 7\n.endr\n.rept 0\n.word 8\n.endr") == (7, 7)


def test_names_in_a_repetition_are_new_in_each_round():
    assert words(".rept 2, i\nx: .word x, y\n.equ y, i\n.endr") == (0, 0, 2, 1)


def test_repetitions_nest():
    assert words(".rept 2, i\n.rept i + 1, j\n.word i * 10 + j\n.endr\n.endr") == (0, 10, 11)


def test_a_repetition_in_a_macro_sees_its_parameters_and_locals():
    assert words(".macro m n\nx: .rept n, i\n.word x, n - i\n.endr\n.endm\n.word 0\nm 2") == (0, 1, 2, 1, 1)


def test_a_repetition_may_call_macros_with_its_index():
    assert words(".macro m a\n.word a\n.endm\n.rept 3, i\nm i + 1\n.endr") == (1, 2, 3)


# The standard library


def test_a_macro_of_the_program_replaces_the_standard_one():
    assert words(".macro nop a\n.word a\n.endm\nnop 4") == (4,)


def test_a_program_without_the_library_has_no_standard_macros():
    assert errors(".nostd\nhalt") == ["unknown instruction `halt`"]


def test_the_library_may_not_be_refused_after_it_was_used():
    (message,) = errors(".if 1\nhalt\n.endif\n.nostd")
    assert message == "`.nostd` must stand above the first word"


def test_a_program_that_uses_no_macro_is_not_charged_for_the_library():
    source = "start: sbn one, zero, -1\none: .word 1\nzero: .word 0"
    assert words(source) == (3, 4, 65535, 1, 0)
    start = time.perf_counter()
    for _ in range(10):
        assemble(source)
    assert time.perf_counter() - start < 1


# What is kept of an expansion


CHAIN = ".macro inner a\n.word a\n.endm\n.macro outer a\ninner a\n.endm\nouter 5\n.word 6"


def test_the_source_map_has_the_calls_of_each_word():
    source_map = assemble(CHAIN, "t.sbn").source_map
    assert source_map is not None
    (origin, plain) = (source_map.at(address) for address in (0, 1))
    assert origin is not None and plain is not None
    assert (origin.line, origin.text) == (2, ".word a")
    assert [(call.line, call.text) for call in origin.calls] == [(5, "inner a"), (7, "outer 5")]
    assert (plain.line, plain.calls) == (8, ())


def test_the_calls_of_each_word_are_in_the_image_file():
    image = assemble(CHAIN, "t.sbn")
    assert read_image(image_bytes(image, "img"), format="img").source_map == image.source_map


def test_the_listing_shows_each_call_above_what_it_was_expanded_to():
    assert format_listing(assemble(CHAIN, "t.sbn")) == (
        "t.sbn:\n"
        "                    7  outer 5\n"
        "                    5  | inner a\n"
        "    0  5            2  | | .word a\n"
        "    1  6            8  .word 6\n"
    )


def test_an_expanded_program_can_be_disassembled():
    image = assemble(CHAIN + "\nhalt")
    assert assemble(disassemble(image)) == image


# Limits


def test_the_statements_a_program_expands_to_are_limited(monkeypatch):
    monkeypatch.setattr(parsing, "MAX_STATEMENTS", 1000)
    assert len(words(".rept 999\n.word 1\n.endr")) == 999
    (message,) = errors(".rept 1000\n.word 1\n.endr")
    assert message == "the program expands to more than 1,000 statements"


ENDLESS = {
    "a repetition": ".rept 1 << 40\n.word 1\n.endr",
    "a repetition of more than any number": ".rept 1 << 4000\n.word 1\n.endr",
    "repetitions of nothing": ".rept 1 << 40\n.rept 1 << 40\n.rept 0\n.word 1\n.endr\n.endr\n.endr",
    "repetitions of a condition": ".rept 1 << 40\n.if 0\n.endif\n.endr",
    "repetitions of an empty macro": ".macro m\n.endm\n.rept 1 << 40\nm\n.endr",
    "macros that double": ".macro m n\n.if n\nm n - 1\nm n - 1\n.endif\n.endm\nm 100",
    "macros with growing arguments": ".macro m n, k=n*n\n.if k\nm k, n + k\nm k\n.endif\n.endm\nm 3",
    "errors in a repetition": ".rept 1 << 40\nnonsense\n.word nowhere\n.endr",
    "definitions in a repetition": ".rept 1 << 40\n.macro m\n.endm\n.endr",
    "a pool that calls its own macro": ".macro m\n.pool\n.rept 1 << 40\nm\n.endr\n.endpool\n.endm\nm",
    "labels in a repetition": ".rept 1 << 40, i\nx: .equ y, x + i\n.endr",
    "words and addresses": ".rept 1 << 40\n.org 1 << 20\n.word 1\n.endr",
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_would_go_on_without_end_is_an_error(source, monkeypatch):
    monkeypatch.setattr(parsing, "MAX_STATEMENTS", 20_000)
    start = time.perf_counter()
    assert errors(source)
    assert time.perf_counter() - start < 10


def test_an_empty_repetition_takes_no_time():
    assert words(".rept 1 << 60\n.endr") == ()


@pytest.mark.slow
@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS.keys())
def test_the_limit_is_reached_in_seconds(source):
    start = time.perf_counter()
    assert errors(source)
    assert time.perf_counter() - start < 60


# No source whatever


MACROS = """\
        .width 16
        .equ   STEP, 2
        .macro put value, times=STEP, last=value
own:    .rept  times, i
        .word  value + i, own
        .endr
        .if    last > 0
        sbn    last, shared
        .elif  last == 0
        .word  x:0, x
        .else
        .word  'e'
        .endif
        .pool
shared: .word  -1
        .endpool
        .endm
        .macro down n
        .if    n
        put    n, 1
        down   n - 1
        .endif
        .endm
start:  put    5
        put    k:6, 1, 0
        down   3
        set    5, start
end:    halt
"""
PIECES = [".macro m a, b=1", ".endm", ".rept 3, i", ".rept 1 << 99", ".endr", ".if 1", ".else", ".elif n", ".endif"]
PIECES += [".pool", ".endpool", ".nostd", '.include "x"', '.include "."', "down 300", "put start", "put x:1", 'put "s"']
PIECES += ["\n", "n", "value", "own:", "times", ", ", "put ", "down ", "- 1", "+ 1", ".equ n, ", "__isa", "-9", "<< 9"]


@st.composite
def mutated(draw):
    lines = MACROS.split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            del lines[at : at + draw(st.integers(1, 3))]
            lines = lines or [""]
        elif kind == 1:
            lines.insert(at, draw(st.one_of(st.sampled_from(PIECES), st.sampled_from(lines))))
        else:
            line = lines[at]
            start = draw(st.integers(0, len(line)))
            end = draw(st.integers(start, min(len(line), start + 8)))
            lines[at] = line[:start] + draw(st.sampled_from(PIECES)) + line[end:]
    return "\n".join(lines)


def check(source):
    start = time.perf_counter()
    try:
        image = assemble(source)
    except AssemblyError as error:
        assert error.diagnostics and str(error)
    else:
        assert isinstance(image, Image)
        assert assemble(disassemble(image)) == image
        format_listing(image)
        assert read_image(image_bytes(image, "img"), format="img") == image
    assert time.perf_counter() - start < 10


@settings(derandomize=True, deadline=None, max_examples=300)
@given(mutated())
def test_a_mutated_source_with_macros_is_an_image_or_has_errors(source):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "MAX_STATEMENTS", 3_000)
        check(source)


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=5_000)
@given(mutated())
def test_very_many_mutated_sources_with_macros_are_images_or_have_errors(source):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "MAX_STATEMENTS", 3_000)
        check(source)
