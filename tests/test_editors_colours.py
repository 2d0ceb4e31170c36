"""The colours of source text: the lexer for Pygments, and where a terminal shows them."""

import re
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from marks import slow
from pygments.token import Token
from test_vm_debugger_shell import Terminal, terminal

import programs
import vm
from assembler import assemble
from learned_units import load_unit
from vm import cli
from vm.console import colours
from vm.debugger.commands import execute
from vm.debugger.session import Session
from vm.editors.pygments_lexer import SbnLexer

ROOT = Path(vm.__file__).resolve().parent.parent
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
EXAMPLE = """\
        .equ    BIG, 0x12C
        .macro  twice x
        add     x, x            ; again
        .endm
start:  twice   n
        while   n lt =BIG
        sbn     n, -1, start
"""


def first_kinds(source: str) -> dict[str, str]:
    """The kind of each word where it stands first."""
    found: dict[str, str] = {}
    for kind, text in SbnLexer().get_tokens(source):
        found.setdefault(text, str(kind))
    return found


def test_pygments_finds_the_lexer_by_the_entry_point_of_the_package() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pygments.lexers"]
    [(name, place)] = points.items()
    assert EntryPoint(name, place, "pygments.lexers").load() is SbnLexer
    assert "sbn" in SbnLexer.aliases and SbnLexer.filenames == ["*.sbn"]


def test_each_kind_of_word_has_a_colour_of_its_own() -> None:
    found = first_kinds(EXAMPLE)
    wanted = {
        ".equ": Token.Keyword.Pseudo,
        "BIG": Token.Name.Constant,
        "0x12C": Token.Literal.Number,
        "twice": Token.Name.Function,
        "; again": Token.Comment.Single,
        "start": Token.Name.Label,
        "n": Token.Name,
        "while": Token.Keyword,
        "lt": Token.Operator.Word,
        "sbn": Token.Name.Builtin,
        "1": Token.Literal.Number,
    }
    assert {text: found[text] for text in wanted} == {text: str(kind) for text, kind in wanted.items()}


@pytest.mark.parametrize("name", programs.names())
def test_the_tokens_of_a_program_are_its_whole_text(name: str) -> None:
    source = programs.source(name)
    at = 0
    for start, _, text in SbnLexer().get_tokens_unprocessed(source):
        assert start == at and text
        at += len(text)
    assert at == len(source)


@given(st.text(alphabet="ab.:;#/'\"\\ \t\n\r\N{ZERO WIDTH NO-BREAK SPACE}é1,-"))
@settings(max_examples=200, deadline=None)
def test_the_tokens_of_any_text_are_the_whole_of_it(source: str) -> None:
    assert "".join(text for _, _, text in SbnLexer().get_tokens_unprocessed(source)) == source


def listing_on(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], is_screen: bool) -> str:
    monkeypatch.setattr(colours.terminal, "is_screen", lambda stream: is_screen)
    assert cli.main(["list", "countdown"]) == 0
    return capfd.readouterr().out


def test_a_listing_has_colours_on_a_terminal_where_they_are_wanted_and_the_same_text(monkeypatch, capfd) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain = listing_on(monkeypatch, capfd, is_screen=False)
    assert not ESCAPE.search(plain)
    coloured = listing_on(monkeypatch, capfd, is_screen=True)
    assert ESCAPE.sub("", coloured) == plain != coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert listing_on(monkeypatch, capfd, is_screen=True) == plain


def test_a_session_shows_its_source_in_the_colours_that_it_is_given() -> None:
    session = Session(assemble(" inc n\n halt\nn: .word 0\n", "main.sbn"), load_unit("native"))
    session.painted = lambda line: f"<{line}>"
    assert execute(session, "list :1").splitlines()[1] == "=>     1  < inc n>"
    assert execute(session, "next").splitlines()[-1] == "=> 2  <halt>"


def colour_of(seen: Terminal, text: str) -> str:
    """The colour that the last place of a text has on the screen."""
    row = max(k for k, line in enumerate(seen.screen.display) if text in line)
    return seen.screen.buffer[row][seen.screen.display[row].index(text)].fg


def test_what_is_typed_in_the_repl_is_coloured_and_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with terminal(["repl", "--unit", "native"]) as seen:
        seen.shows("sbn>")
        seen.press("here: inc x ; note")
        seen.shows("; note")
        found = {text: colour_of(seen, text) for text in ("here", "inc", "; note")}
        assert len({"default", *found.values()}) == 4, found
        seen.press("\x03")
        seen.enter(":print 12", "sbn>")
        seen.shows("print 12")
        assert colour_of(seen, "print") == colour_of(seen, "12") == "default"
        seen.press("\x03\x04")
        assert seen.ends() == 0


@pytest.mark.parametrize("wanted", [True, *slow(False)])
def test_the_source_pane_is_coloured_unless_no_colours_are_wanted(wanted: bool, tmp_path, monkeypatch) -> None:
    (tmp_path / "main.sbn").write_text(" inc n\nend: halt ; done\nn: .word 0\n")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not wanted:
        monkeypatch.setenv("NO_COLOR", "1")
    with terminal(["debug", str(tmp_path / "main.sbn"), "--unit", "native", "--tui"]) as seen:
        seen.shows("; done")
        assert (colour_of(seen, "; done") != "default") == (colour_of(seen, "end:") != "default") == wanted
        seen.press("q")
        assert seen.ends() == 0
