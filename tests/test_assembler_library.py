"""How the standard library is read, and what is told about its macros."""

import pytest

from assembler import AssemblyError, assemble, macro_reference, macros
from assembler.library import MacroReference, library_of, reference_of, standard_library

SOURCE = """\
; A library.

        .equ   SIZE, 3
        .equ   __TWICE, SIZE * 2

; Makes room for a table.
;
; Cost 0; pool: SIZE words.
        .macro table first=1, last = (first + SIZE)
        .if    SIZE > 0
        __words first, last
        .endif
        .pool
__table: .space SIZE, 9
        .endpool
        .endm

; A remark that belongs to nothing.

        .macro __words a, b
        .word  a, b, __TWICE, __table
        .endm
# Says
// two things.
        .macro Room
        .pool
__room: .space SIZE, 8
        .endpool
        .endm
"""


@pytest.fixture
def library(monkeypatch):
    made = library_of(SOURCE)
    monkeypatch.setattr(macros, "standard_library", lambda: made)


def words(source):
    return assemble(source, "t.sbn").words


def errors(source):
    with pytest.raises(AssemblyError) as caught:
        assemble(source, "t.sbn")
    return [diagnostic.message for diagnostic in caught.value.diagnostics]


def test_the_reference_has_names_parameters_and_comments_in_the_order_of_the_file():
    table, room = reference_of(library_of(SOURCE))
    assert table == MacroReference(
        "table",
        (("first", "1"), ("last", "(first + SIZE)")),
        "Makes room for a table.\n\nCost 0; pool: SIZE words.",
    )
    assert table.usage == "table first=1, last=(first + SIZE)"
    assert (room.name, room.usage, room.documentation) == ("Room", "Room", "Says\ntwo things.")


def test_the_standard_macros_are_documented():
    reference = macro_reference()
    assert [macro.name for macro in reference if not macro.documentation] == []
    assert len({macro.name.lower() for macro in reference}) == len(reference)


def test_every_line_of_the_standard_library_is_right():
    for macro in standard_library().macros.values():
        assert macro.definition.head.name.text == macro.name


@pytest.mark.usefixtures("library")
def test_a_library_macro_may_name_what_programs_may_not():
    assert words("table 5") == (5, 8, 6, 4, 9, 9, 9)
    assert errors("__table: .word 1") == ["`__table`: names that begin with `__` are the assembler's"]


@pytest.mark.usefixtures("library")
def test_a_constant_of_the_program_comes_before_the_one_of_the_library():
    assert words(".equ SIZE, 1\ntable 5") == (5, 6, 2, 4, 9)
    assert words("SIZE: room") == ()


@pytest.mark.usefixtures("library")
def test_a_constant_may_be_defined_until_something_depends_on_it():
    assert words("room\n.word 7\n.equ SIZE, 1") == (7, 8)
    assert errors("table\n.equ SIZE, 1") == ["`SIZE` must be defined above the macros that depend on it"]


@pytest.mark.usefixtures("library")
def test_constants_of_the_library_are_no_symbols_of_the_program():
    assert assemble("table").symbols == {"__table": 4}


@pytest.mark.usefixtures("library")
def test_macros_of_the_library_call_each_other_whatever_a_program_defines():
    assert words(".macro room\n.word 1\n.endm\nroom\ntable 5") == (1, 5, 8, 6, 5, 9, 9, 9)
    assert errors("__words2 1, 2") == ["unknown instruction `__words2`"]


@pytest.mark.usefixtures("library")
def test_errors_in_a_library_macro_show_the_call():
    with pytest.raises(AssemblyError) as caught:
        assemble("table nowhere\n table 99999", "t.sbn")
    first, second, *_ = map(str, caught.value.diagnostics)
    assert first.startswith("t.sbn:1:7: error: undefined label `nowhere`")
    assert second.startswith("std.sbn:21:16: error: 99999 is out of range")
    assert "in the expansion of `__words first, last` at std.sbn:11:9\n" in second
    assert "in the expansion of `table 99999` at t.sbn:2:2" in second
