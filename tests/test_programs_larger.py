"""The larger bundled programs, compared with what Python says."""

import functools
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import programs
from assembler import assemble
from vm.reference import ReferenceMachine, Stop

ample = settings(deadline=None, max_examples=40)


@functools.cache
def image_of(name, old="", new=""):
    source = programs.source(name)
    assert old in source
    return assemble(source.replace(old, new), name=f"{name}.sbn")


def run(name: str, input: bytes = b"", max_steps: int = 1_000_000, image=None) -> bytes:
    """The output of one bundled program, which must halt."""
    image = image or image_of(name)
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, input=input)
    assert machine.run(max_steps).stop is Stop.HALTED
    return bytes(machine.output)


# --- rule110 ----------------------------------------------------------------------------------------------------------


def automaton(row: bytes, rule: int = 110) -> bytes:
    cells = [byte not in b". " and byte > 32 for byte in row.partition(b"\n")[0][:200]]
    rows = []
    for _ in cells:
        rows.append(bytes(b".#"[cell] for cell in cells) + b"\n")
        around = [0, *cells, 0]
        cells = [rule >> (4 * a + 2 * b + c) & 1 for a, b, c in zip(around, around[1:], around[2:], strict=False)]
    return b"".join(rows)


@ample
@given(st.text(".# x", max_size=40).map(str.encode))
@example(b"")
@example(b"#")
@example(b".")
@example(b" .\t-/\xff\n##")
@example(b"." * 63 + b"#")
def test_rule110_draws_as_many_rows_as_there_are_cells(row):
    assert run("rule110", row) == run("rule110", row + b"\nleft alone") == automaton(row)


def test_rule110_takes_200_cells():
    row = b"." * 150 + b"#" * 49 + b"#" + b"." * 7
    assert run("rule110", row, max_steps=2_000_000) == automaton(row)


@pytest.mark.parametrize("rule", [0, 1, 30, 90, 184, 255])
def test_rule110_follows_any_rule(rule):
    image = image_of("rule110", "RULE, 110", f"RULE, {rule}")
    assert run("rule110", b"...#.##.....", image=image) == automaton(b"...#.##.....", rule)
