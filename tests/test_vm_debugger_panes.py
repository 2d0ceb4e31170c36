"""The panes of the full screen: what stands out in them, what they follow, and that they keep their places."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from test_vm_debugger_session import session_on, wrong_unit
from test_vm_debugger_shell import terminal

from assembler import Image, assemble
from learned_units import load_unit
from vm.debugger import panes
from vm.debugger.commands import execute
from vm.debugger.errors import CommandError
from vm.debugger.screen import Screen
from vm.debugger.session import Session
from vm.debugger.shell import fitted

COUNTING = "loop: inc n\n inc m\n halt\nn: .word 0\nm: .word 0\n .space 90\nfar: .word 0\n"


def counting() -> Session:
    return Session(assemble(COUNTING, "main.sbn"), load_unit("native"))


def test_a_program_that_has_halted_keeps_its_source_at_the_line_that_halted() -> None:
    session = counting()
    execute(session, "continue")
    assert panes.source(session, 3)[1] == "■     3   halt"
    assert panes.painted(panes.source(session, 3)[1])[0][0] == "class:current"
    raw = Session(Image((3, 4, 65535, 0, 0), memory=8), load_unit("native"))
    execute(raw, "pc = -1")
    assert panes.source(raw, 3) == ["halted"], "no step was executed"


def test_words_that_changed_since_the_last_stop_stand_out_and_the_last_one_written_has_brackets() -> None:
    session = counting()
    before = session.present.memory.copy()
    for _ in range(2):
        execute(session, "next")
    n, m = session.symbols["n"], session.symbols["m"]
    pieces = [piece for line in panes.memory(session, n, 1, 2, before) for piece in line]
    assert [text.strip() for style, text in pieces if style == "class:changed"] == ["1", "[1]"]
    pieces = [piece for line in panes.memory(session, n, 1, 2, session.present.memory) for piece in line]
    assert m == n + 1 and not [text for style, text in pieces if style == "class:changed"]


def test_the_memory_pane_follows_the_word_that_is_written_or_a_place() -> None:
    session = counting()
    execute(session, "next")
    n = session.symbols["n"]
    assert panes.shown_from(session, 0, rows=2, columns=8) <= n < panes.shown_from(session, 0, 2, 8) + 16
    assert panes.shown_from(session, n, rows=2, columns=8) == n, "what shows the word stays"
    assert execute(session, "memory far").startswith(f"the memory pane begins at {session.symbols['far']} (far)")
    assert panes.shown_from(session, 0, rows=2, columns=8) == session.symbols["far"]
    with pytest.raises(CommandError):
        execute(session, "memory nowhere")
    assert session.memory_place == "far"
    assert "follows" in execute(session, "memory")
    assert panes.shown_from(session, n, rows=2, columns=8) == n


@pytest.mark.parametrize("word_bits", [4, 16, 32, 64])
def test_every_word_has_room_for_the_smallest_number(word_bits: int) -> None:
    smallest = 1 << word_bits - 1
    session = Session(Image([smallest] * 5, word_bits, memory=8), load_unit("native", word_bits))
    [line] = panes.memory(session, 0, 1, 4)
    assert "".join(text for _, text in line).split() == ["0", *[str(-smallest)] * 4]


def test_a_divergence_is_shown_with_both_results_in_the_columns_that_there_are() -> None:
    session = session_on(unit=wrong_unit())
    assert panes.divergence(session, 30) == []
    execute(session, "continue")
    said = panes.divergence(session, 30)
    assert all(len(line) <= 30 for line in said)
    assert "reference  [15] <- 66" in " ".join(said) and "machine    [15] <- 67" in " ".join(said)
    both = [line.split()[0] for line in panes.divergence(session, 38)[:5]]
    assert {"reference", "machine"} <= set(both), "on 24 rows there is room for five lines"


def test_on_the_screen_panes_keep_their_places_and_what_changed_is_reversed(tmp_path) -> None:
    (tmp_path / "main.sbn").write_text(COUNTING)
    with terminal(["debug", str(tmp_path / "main.sbn"), "--unit", "native", "--tui"], rows=24, columns=80) as seen:
        places = [line.find("│") for line in seen.shows("q quit").splitlines() if "│" in line]
        titles = [k for k, line in enumerate(seen.text.splitlines()) if "──" in line]
        seen.press("n")
        seen.shows("=>    2   inc m")
        row = next(k for k, line in enumerate(seen.screen.display) if "[1]" in line)
        column = seen.screen.display[row].index("[1]")
        assert seen.screen.buffer[row][column].reverse and not seen.screen.buffer[row][column - 2].reverse
        seen.press("c")
        seen.shows("■     3   halt")
        assert [line.find("│") for line in seen.text.splitlines() if "│" in line] == places
        assert [k for k, line in enumerate(seen.text.splitlines()) if "──" in line] == titles
        assert all(key in seen.text.splitlines()[-1] for key in ("s step", "n next", "c continue", "q quit"))
        seen.press("q")
        assert seen.ends() == 0


def test_a_toolbar_leaves_out_what_matters_least_where_it_does_not_fit() -> None:
    whole = "pc 3 (loop) · step 1 of 2 · ntk · main.sbn:3"
    assert fitted(whole, len(whole)) == whole
    assert fitted(whole, len(whole) - 1) == "pc 3 (loop) · step 1 of 2 · ntk"
    assert fitted(whole, 3) == "pc 3 (loop)"


@pytest.mark.parametrize("rows", [9, 10, 12, 24])
def test_the_line_where_the_machine_stands_is_in_view_however_few_the_rows(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(assemble(" sbn z\n" * 40 + "z: .word 0\n", "main.sbn"), load_unit("native"))
    screen = Screen(session)
    output = SimpleNamespace(get_size=lambda: SimpleNamespace(rows=rows, columns=40))
    monkeypatch.setattr(screen, "_app", SimpleNamespace(output=output, invalidate=lambda: None))
    for motion in ("goto 0", "step", "step 20", "step 18"):
        execute(session, motion)
        lines = "".join(text for _, text in screen.pane("source")).splitlines()
        assert len(lines) <= rows - 8, "the frame has six rows, output and result one each"
        assert [line.split()[1] for line in lines if line.startswith("=>")] == [str(session.present.step + 1)]


@pytest.mark.slow
def test_an_answer_that_a_small_screen_has_no_room_for_is_a_page_to_scroll(tmp_path: Path) -> None:
    path = tmp_path / "calls.sbn"
    path.write_text((Path(__file__).parent / "golden" / "debugger" / "calls.sbn").read_text())
    with terminal(["debug", str(path), "--unit", "native", "--tui"], rows=15, columns=60) as seen:
        seen.shows("── output")
        seen.press(":symbols\r")
        said = seen.shows("PageUp and PageDown scroll")
        assert "── answer" in said and "── source" not in said
        seen.press("\x1b")
        seen.shows("── source")
        seen.press("q")
        assert seen.ends() == 0
