"""The table of programs rewritten with literals and blocks says what the programs are now."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

import programs
from assembler import assemble
from vm.reference import ReferenceMachine, Stop

CHAPTER = Path(__file__).resolve().parents[1] / "docs" / "programs.md"
SECTION = CHAPTER.read_text(encoding="utf-8").split("## What literals and blocks save\n")[1]
ROWS = re.findall(r"^\| `(\w+)` \| (.*) \|$", SECTION, re.MULTILINE)


def test_the_table_has_seven_programs() -> None:
    assert len(ROWS) == 7


@pytest.mark.parametrize(("name", "figures"), ROWS)
def test_lines_labels_and_steps_are_those_of_the_program(name: str, figures: str) -> None:
    _, lines, _, labels, _, steps = (int(each.replace(",", "")) for each in figures.split(" | "))
    source = programs.source(name)
    assert lines == source.count("\n")
    assert labels == len(re.findall(r"^\w*:", source, re.MULTILINE))
    image = assemble(source, name)
    sample = files("programs").joinpath("samples", f"{name}.in.txt")
    input = sample.read_bytes() if sample.is_file() else b""
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, input=input)
    assert machine.run(100_000).stop is Stop.HALTED
    assert machine.steps == steps
