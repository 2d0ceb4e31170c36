"""Whatever is in a program's file, it is refused with a diagnostic or it runs in lockstep: no traceback, no hang."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import programs
from assembler import AssemblyError, ImageError, assemble, image_bytes, read_image
from vm import Halt, Machine

STEPS = 10_000
MEMORIES = (1024, 65_536)  # two shapes, so that two loops are compiled for each width and instruction set
INPUT = b"12 -7 9\n"
FORMATS = ("img", "dec", "hex", "bin")
LARGE = 8_000  # bytes: what takes long to assemble is left out
SOURCES = [source for source in map(programs.source, programs.names()) if len(source) < LARGE]
IMAGES = [(format, image_bytes(assemble(source), format)) for source in (SOURCES[0], SOURCES[-1]) for format in FORMATS]
PIECES = ("-1", "sbn", ".word ", ".space 9", ".org 40", ".entry 3", ".isa subleq", ".input add", ",", ":", "\n", "0")


def cut(draw: st.DrawFn, length: int) -> tuple[int, int]:
    """Where a piece is taken out."""
    start = draw(st.integers(0, length))
    return start, draw(st.integers(start, min(length, start + 8)))


@st.composite
def mutated_sources(draw: st.DrawFn) -> tuple[str, bytes]:
    text = draw(st.sampled_from(SOURCES))
    for _ in range(draw(st.integers(1, 3))):
        start, end = cut(draw, len(text))
        text = text[:start] + draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=3))) + text[end:]
    return "sbn", text.encode("utf-8", "surrogatepass")


@st.composite
def mutated_images(draw: st.DrawFn) -> tuple[str, bytes]:
    format, data = draw(st.sampled_from(IMAGES))
    for _ in range(draw(st.integers(1, 3))):
        start, end = cut(draw, len(data))
        data = (
            data[:start]
            + draw(st.one_of(st.binary(max_size=4), st.sampled_from([b"-1 ", b"7,", b"ffff "])))
            + data[end:]
        )
    return format, data


def runs_or_is_refused(file: tuple[str, bytes], memory: int) -> Halt | None:
    """What running a file gives: a Halt, or None where it is refused."""
    format, data = file
    try:
        image = read_image(data, "program", format)
    except (AssemblyError, ImageError) as refusal:
        assert str(refusal)
        return None
    if image.memory is None and len(image.words) > memory:
        memory = MEMORIES[1]
    asked = memory if image.memory is None and memory <= 1 << image.word_bits else None
    machine = Machine(image, "native", input=INPUT, memory=asked)
    outcome = machine.run(STEPS)
    assert outcome.halt in (Halt.HALTED, Halt.BUDGET, Halt.BAD_ADDRESS, Halt.PC_OUTSIDE), outcome.message
    assert outcome.message and outcome.steps <= STEPS
    return outcome.halt


mutated_files = st.one_of(mutated_sources(), mutated_images())
memories = st.sampled_from(MEMORIES)


@pytest.mark.parametrize("count", [60, pytest.param(2_000, marks=pytest.mark.slow)])
def test_mutated_programs_run_in_lockstep_or_are_refused(count: int) -> None:
    @settings(derandomize=True, deadline=None, max_examples=count, database=None)
    @given(mutated_files, memories)
    def try_each(file: tuple[str, bytes], memory: int) -> None:
        runs_or_is_refused(file, memory)

    try_each()


def test_the_mutations_give_runs_and_refusals_alike() -> None:
    ends = set()

    @settings(derandomize=True, deadline=None, max_examples=40, database=None)
    @given(mutated_files)
    def collect(file: tuple[str, bytes]) -> None:
        ends.add(runs_or_is_refused(file, MEMORIES[0]))

    collect()
    assert {None, Halt.HALTED} <= ends and len(ends) >= 3
