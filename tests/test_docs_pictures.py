"""The pictures in the chapters: each is there, small, and made by a command that its chapter names."""

import re
import shlex
from pathlib import Path

import pytest

from vm.cli import main

pytest.importorskip("matplotlib")

DOCS = Path(__file__).parent.parent / "docs"
CHAPTERS = {page.name: page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md"))}
SHOWN = sorted(
    {(name, found) for name, text in CHAPTERS.items() for found in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)}
)
COMMANDS = sorted(
    {found for text in CHAPTERS.values() for found in re.findall(r"`sbn ([^`]* docs/pictures/[^`]+)`", text)}
)
QUICK = "picture step"  # the others compile the loop, measure, or prove everything


def path_of(command: str) -> str:
    return next(word for word in shlex.split(command) if word.startswith("docs/pictures/"))


@pytest.mark.parametrize("chapter, picture", SHOWN)
def test_a_picture_in_a_chapter_is_small_and_named_with_what_makes_it(chapter, picture):
    data = (DOCS / picture).read_bytes()
    assert len(data) < 200_000
    made = [command for command in COMMANDS if path_of(command) == f"docs/{picture}" and command in CHAPTERS[chapter]]
    assert made or f"`python docs/{Path(picture).with_suffix('.py')}`" in CHAPTERS[chapter]


def test_every_picture_that_is_kept_is_shown():
    kept = {f"pictures/{path.name}" for path in (DOCS / "pictures").iterdir() if path.suffix in (".png", ".svg")}
    assert kept == {picture for _, picture in SHOWN} and len(COMMANDS) == len(kept) - 1  # the page has a script


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, marks=() if each.startswith(QUICK) else pytest.mark.slow) for each in COMMANDS],
)
def test_the_command_of_a_picture_makes_it(command, tmp_path, capsys):
    kept = DOCS.parent / path_of(command)
    made = tmp_path / kept.name
    words = [str(made) if word == path_of(command) else word for word in shlex.split(command)]
    assert main([*words, "-q"]) == 0
    assert made.read_bytes()[:5] == kept.read_bytes()[:5]
    assert 0.5 < made.stat().st_size / kept.stat().st_size < 2
