"""A transcript for every command of the debugger, against the files in tests/golden/debugger.

Refresh them, and look at what changed, with:  SBN_REFRESH_GOLDEN=1 pytest tests/test_vm_debugger_commands.py
"""

import os
import re
import shutil
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from assembler import Image, load_image
from learned_units import load_unit
from vm.debugger import commands
from vm.debugger.errors import CommandError, Leave
from vm.debugger.session import Session
from vm.debugger.shell import Shell

GOLDEN = Path(__file__).parent / "golden" / "debugger"
PROGRAM = "count.sbn"
OF_MACROS = "calls.sbn"  # for the commands that are about macros and routines
ABOUT_MACROS = {"bt", "down", "finish", "frame", "stepi", "unfold", "up"}
PROMPT = "(sbn) "


def session_of(path: str, given: bytes | None) -> Session:
    """A session on the native unit, whose numbers are the same everywhere."""

    def unit(name: str):
        return load_unit(name, image.word_bits, image.isa)

    image = load_image(path)
    return Session(
        image,
        unit("native"),
        given,
        reload=lambda: load_image(path),
        load_unit=unit,
        read_source=lambda file: Path(file).read_text() if Path(file).exists() else None,
    )


def transcript(shell: Shell, written: bytearray, lines: list[str]) -> str:
    """What a terminal would show of these commands; seconds are left out."""
    shown = ""
    for line in lines:
        written.clear()
        try:
            shell.take(line)
        except Leave:
            written += b"(left)\n"
        said = written.decode()
        shown += f"{PROMPT}{line}\n{said}" + ("" if said.endswith("\n") or not said else "\n")
    return re.sub(r"\d+\.\d\d s\b", "# s", shown)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (PROGRAM, OF_MACROS):
        shutil.copy(GOLDEN / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    other = Session(Image((1, 2, 3), 8), load_unit("native", 8))
    commands.execute(other, "snapshot save other.snap")
    data = bytearray(Path("other.snap").read_bytes())
    data[-1] ^= 1
    Path("damaged.snap").write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("command", [command.name for command in commands.TABLE])
def test_a_command_says_what_its_transcript_shows(command: str, folder: Path) -> None:
    golden = GOLDEN / f"{command}.txt"
    expected = golden.read_text()
    lines = [line.removeprefix(PROMPT) for line in expected.splitlines() if line.startswith(PROMPT)]
    assert lines
    session = session_of(OF_MACROS if command in ABOUT_MACROS else PROGRAM, None if command == "input" else b"a")
    written = bytearray()
    shell = Shell(session, written.extend)
    shown = transcript(shell, written, lines)
    if os.environ.get("SBN_REFRESH_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()
    assert "should not happen" not in shown


def test_every_transcript_is_of_a_command() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {command.name for command in commands.TABLE}


@pytest.mark.parametrize("command", commands.TABLE, ids=lambda command: command.name)
def test_a_command_has_help_with_an_example_that_is_one_of_it(command: commands.Command, folder: Path) -> None:
    session = session_of(PROGRAM, b"a")
    said = commands.execute(session, f"help {command.name}")
    assert said.count("\n") == 2 and command.usage in said and command.example in said
    name = re.split(r"[ /]", command.example)[0]
    assert commands.find(name) is command
    for alias in command.aliases:
        assert commands.find(alias) is command


def test_names_are_unique_and_beginnings_are_understood_where_only_one_command_has_them() -> None:
    names = [name for command in commands.TABLE for name in (command.name, *command.aliases)]
    assert len(set(names)) == len(names)
    assert commands.find("disas").name == "disassemble"
    assert commands.find("REV").name == "reverse-continue"
    with pytest.raises(CommandError, match="`un` may be"):
        commands.find("un")
    with pytest.raises(CommandError, match="did you mean `where`"):
        commands.find("wehre")


def test_help_names_every_command() -> None:
    said = commands.execute(session_of(str(GOLDEN / PROGRAM), b""), "help")
    assert all(command.name in said for command in commands.TABLE)
    assert all(line.endswith(".") for line in said.splitlines())


def test_the_documentation_has_the_table() -> None:
    page = Path(__file__).parent.parent / "docs" / "debugger.md"
    head = page.read_text(encoding="utf-8").partition("| command |")[0]
    if os.environ.get("SBN_REFRESH_GOLDEN"):
        page.write_text(f"{head}{commands.reference()}\n", encoding="utf-8")
    assert page.read_text(encoding="utf-8").endswith(f"\n\n{commands.reference()}\n")


def test_a_colon_before_a_command_is_allowed_and_an_empty_one_says_nothing() -> None:
    session = session_of(str(GOLDEN / PROGRAM), b"")
    assert commands.execute(session, ":where") == commands.execute(session, " : where ")
    assert commands.execute(session, ":") == commands.execute(session, "") == ""
    with pytest.raises(CommandError, match="is not a command"):
        commands.execute(session, "= 5")


@pytest.fixture(scope="module")
def robust() -> Session:
    return session_of(str(GOLDEN / PROGRAM), b"a")


ARGUMENTS = st.lists(
    st.sampled_from(
        [
            "loop",
            "n",
            "[n]",
            "[",
            "]",
            "(",
            "=",
            "5",
            "-1",
            "70000",
            ":3",
            "if",
            "'",
            '"',
            "x:",
            ",",
            "<",
            "/",
            "margin",
        ]
        + ["ntk", "native", "save", "load", "/9i", "0x", "1/0", "sbn", ".word", "end", "all", ".", "🙂", "\\", "~" * 30]
    ),
    max_size=5,
).map(" ".join)
LONG = {
    "continue",
    "run",
    "next",
    "finish",
    "until",
    "goto",
    "step",
    "both",
    "unit",
    "snapshot",
    "save",
    "source",
    "commands",
}  # run on, or write files


@settings(deadline=None, max_examples=300)
@given(
    name=st.sampled_from([command.name for command in commands.TABLE if command.name not in LONG]), arguments=ARGUMENTS
)
def test_whatever_is_typed_is_answered_in_lines_and_never_with_a_traceback(
    robust: Session, name: str, arguments: str
) -> None:
    robust.points = robust.points[:5]
    robust.displays = robust.displays[:5]
    try:
        assert isinstance(commands.execute(robust, f"{name} {arguments}"), str)
    except CommandError as error:
        assert str(error) and "\n" not in str(error)
    except Leave:
        assert name == "quit"
