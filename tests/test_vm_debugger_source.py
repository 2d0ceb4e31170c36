"""Moving by source: statements at each level of macro expansion, and the recorded return of a `call`."""

import pytest

from assembler import Image, Origin, SourceMap, SourceRun, assemble
from learned_units import load_unit
from vm.debugger.commands import execute
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.debugger.source import Source

ZERO, ONE, MINUS = 60, 61, 62
SIZE = 64


def line(number: int, text: str, *calls: Origin, file: str = "main.sbn") -> Origin:
    return Origin(file, number, text, tuple(calls))


def expanded() -> tuple[Image, Source]:
    """Five statements, of which two are expanded, one of them two levels deep; and words shared by expansions.

     0  main:1            an instruction
     3  main:2 outer      lib:1
     6  main:2 outer      lib:2 inner -> lib:10
     9  main:2 outer      lib:2 inner -> lib:11
    12  main:2 outer      lib:3
    15  main:3            an instruction
    18  main:4 inner      lib:10
    21  main:4 inner      lib:11
    24  main:5            halts
    27  (main:4 inner)    lib:20, put after the program
    """
    outer, inner = line(2, "outer a, b"), line(4, "inner a")
    nested = line(2, "inner p", file="lib.sbn")
    origins = [
        line(1, "start: sbn a, b"),
        line(1, "sbn p, q", outer, file="lib.sbn"),
        line(10, "sbn x", nested, outer, file="lib.sbn"),
        line(11, "sbn y", nested, outer, file="lib.sbn"),
        line(3, "sbn q, p", outer, file="lib.sbn"),
        line(3, "sbn b, a"),
        line(10, "sbn x", inner, file="lib.sbn"),
        line(11, "sbn y", inner, file="lib.sbn"),
        line(5, "halt: sbn zero, minus, -1"),
        line(20, "shared: .word 1, 2, 3", inner, file="lib.sbn"),
    ]
    words = [0] * SIZE
    for k in range(9):
        words[3 * k : 3 * k + 3] = [ZERO, ONE, 3 * k + 3]
    words[24:27] = [ZERO, MINUS, -1]
    words[ONE], words[MINUS] = 1, -1
    runs = tuple(SourceRun(3 * k, 3 * k + 3, origin) for k, origin in enumerate(origins))
    image = Image(words, source_map=SourceMap(runs), memory=SIZE)
    return image, Source(image, SIZE)


def session_on(image: Image) -> Session:
    return Session(image, load_unit("native", image.word_bits, image.isa))


@pytest.mark.parametrize("command", ["step", "next"])
def test_an_expansion_is_one_statement_until_the_user_asks_to_go_into_it(command: str) -> None:
    session = session_on(expanded()[0])
    for pc in (3, 15, 18, 24):
        execute(session, command)
        assert session.present.pc == pc
    execute(session, "goto 1")
    assert "=> lib.sbn:1  sbn p, q" in execute(session, "step in")
    assert session.present.pc == 3 and session.present.step == 1, "to look deeper executes nothing"
    execute(session, command)
    assert session.present.pc == 6
    execute(session, "step in")
    execute(session, command)
    assert session.present.pc == 9
    execute(session, command)
    assert session.present.pc == 12, "the inner expansion is done, the outer one goes on"
    execute(session, "next")
    assert session.present.pc == 15


def test_next_inside_an_expansion_steps_over_the_ones_it_calls() -> None:
    session = session_on(expanded()[0])
    execute(session, "next")
    session.level = 1  # the user looks at lib:1
    execute(session, "next")
    assert session.present.pc == 6 and session.level == 1
    execute(session, "next")
    assert session.present.pc == 12


def test_finish_leaves_the_innermost_expansion_that_is_looked_at() -> None:
    session = session_on(expanded()[0])
    execute(session, "stepi 3")
    assert session.present.pc == 9
    assert "left the expansion of `inner p` (lib.sbn:2)" in execute(session, "finish")
    assert session.present.pc == 12
    assert "left the expansion of `outer a, b` (main.sbn:2)" in execute(session, "finish")
    assert session.present.pc == 15


def test_at_the_first_instruction_of_an_expansion_the_machine_stands_before_it() -> None:
    session = session_on(expanded()[0])
    execute(session, "stepi 2")
    assert session.present.pc == 6
    assert "left the expansion of `outer a, b`" in execute(session, "finish")
    execute(session, "goto 1")
    with pytest.raises(CommandError, match="pc is in no macro expansion"):
        execute(session, "finish")
    execute(session, "step in")
    assert "left the expansion of `outer a, b`" in execute(session, "finish")
    assert session.present.pc == 15


def test_a_stop_inside_ends_next_and_finish() -> None:
    session = session_on(expanded()[0])
    execute(session, "break 9")
    execute(session, "next")
    assert "break 2: 9" in execute(session, "next") and session.present.pc == 9


def test_where_names_every_call_of_the_expansion() -> None:
    session = session_on(expanded()[0])
    execute(session, "stepi 2")
    said = execute(session, "where").splitlines()
    assert said[0].endswith("; main.sbn:2, in lib.sbn:10")
    assert said[1:] == ["=> 2  outer a, b", "    lib.sbn:2: inner p", "      lib.sbn:10: sbn x"]


def test_words_that_expansions_share_are_no_next_statement() -> None:
    _, source = expanded()
    _, begins = source.statements(0)
    assert [at for at in range(30) if begins[at]] == [0, 1, 2, 3, 15, 16, 17, 18, 24, 25, 26]
    assert begins[30:].all(), "who gets where no source is has left everything known"


def test_a_line_is_found_by_its_number_or_the_next_that_made_words() -> None:
    _, source = expanded()
    assert source.address_of_line(3, None) == 15
    assert source.address_of_line(2, None) == 3
    assert source.address_of_line(12, "lib.sbn") == 27
    assert source.address_of_line(99, None) is None
    session = session_on(expanded()[0])
    assert execute(session, "break lib.sbn:3") == "2: break lib.sbn:3 at 12"
    with pytest.raises(CommandError, match="no word was made by :99"):
        execute(session, "break :99")


def test_a_raw_image_has_next_but_no_finish() -> None:
    session = session_on(Image((ZERO, ONE, 3, ZERO, MINUS, -1), memory=SIZE))
    execute(session, "next")
    assert session.present.pc == 3
    with pytest.raises(CommandError, match="no source"):
        execute(session, "finish")


STANDARD = """
        mov     a, b
        mul     a, b
        jlt     a, b, more
        halt
more:   mul     b, a
        call    twice
        putn    b
        halt
twice:  dbl     b
        ret
a:      .word   6
b:      .word   0
"""


def test_standard_macros_are_stepped_over_with_what_they_share_and_calls_by_next_alone() -> None:
    session = session_on(assemble(STANDARD, "main.sbn"))
    for command, within in (("step", ["dbl", "ret"]), ("next", [])):
        execute(session, "goto 0")
        names = []
        while not session.has_halted:
            names.append(session.source.path(session.present.pc)[0].text.split(":")[-1].split()[0])
            execute(session, command)
        assert names == ["mov", "mul", "jlt", "mul", "call", *within, "putn", "halt"]
        assert bytes(session.present.output) == b"72"


def test_finish_leaves_a_shared_routine_and_returns_from_a_call() -> None:
    session = session_on(assemble(STANDARD, "main.sbn"))
    execute(session, "next")
    execute(session, "stepi 12")
    assert session.source.shared[session.present.pc]
    while "left the expansion of `mul a, b` (main.sbn:3)" not in execute(session, "finish"):
        pass
    assert session.source.path(session.present.pc)[0].text.split()[0] == "jlt"
    execute(session, "until twice")
    execute(session, "finish")
    assert session.source.path(session.present.pc)[0].text.split()[0] == "putn"


def test_what_a_call_puts_after_the_program_is_no_call() -> None:
    source = "again: call show\n dec n\n jpos n, again\n halt\nshow: out n\n ret\nn: .word 3\n"
    session = session_on(assemble(source, "main.sbn"))
    assert [start for start, _ in session.source.calls()] == [0]
    for place in ("show", "ret"):
        execute(session, "until show")
        if place == "ret":
            execute(session, "next")
        execute(session, "finish")
        assert session.source.path(session.present.pc)[0].text.strip() == "dec n"


RECURSION = """
; f(n): if n > 0, f(n - 1). `call` is one jump here, and the return is one, too.
start:  sbn     zero, minus, f
back:   sbn     zero, minus, -1
f:      sbn     one, n, f_end
        sbn     zero, minus, f
f_back: sbn     zero, zero
f_end:  sbn     one, depth, back
        sbn     zero, minus, f_back
zero:   .word   0
one:    .word   1
minus:  .word   -1
n:      .word   2
depth:  .word   2
"""


def recursive() -> Image:
    """A program whose two calls are expansions of `call`; it calls itself twice before it returns three times."""
    image = assemble(RECURSION, "main.sbn")
    runs = []
    for run in image.source_map or ():
        origin = run.origin
        if run.start in (0, 9):
            origin = Origin("std.sbn", 1, "sbn z, m, L", (Origin("main.sbn", origin.line, "  again: Call f"),))
        runs.append(SourceRun(run.start, run.end, origin))
    return Image(image.words, symbols=image.symbols, source_map=SourceMap(tuple(runs)), memory=SIZE)


def test_finish_runs_to_the_recorded_return_of_the_call() -> None:
    session = session_on(recursive())
    execute(session, "until f")
    execute(session, "finish")
    assert session.present.pc == session.symbols["back"] and session.read(session.symbols["depth"]) == -1


def test_finish_in_a_recursion_returns_from_the_inner_call_only() -> None:
    session = session_on(recursive())
    execute(session, "break f")
    for _ in range(3):
        execute(session, "continue")
    execute(session, "delete all")
    execute(session, "finish")
    assert session.present.pc == session.symbols["f_back"] and session.read(session.symbols["depth"]) == 1
    execute(session, "finish")
    assert session.present.pc == session.symbols["f_back"] and session.read(session.symbols["depth"]) == 0
    execute(session, "finish")
    assert session.present.pc == session.symbols["back"]
    with pytest.raises(CommandError, match="no `call` was recorded"):
        execute(session, "finish")


def test_finish_counts_calls_of_the_same_place_in_between() -> None:
    session = session_on(recursive())
    execute(session, "break f")
    execute(session, "continue")
    execute(session, "continue")
    execute(session, "delete all")
    execute(session, "finish")
    assert session.present.pc == session.symbols["f_back"] and session.read(session.symbols["depth"]) == 0
