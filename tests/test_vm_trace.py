"""`sbn run --trace`: every row is what the step did, wherever the run begins and whether it is checked or not."""

import io
from pathlib import Path

import numpy as np
import pytest
from marks import slow

import programs
from assembler import Image, assemble
from learned_units import Unit
from vm import Halt, Machine
from vm.cli import main
from vm.trace import COLUMNS, TraceFile

STEPS = 20_000
LARGE = ("basic", "lisp", "mandelbrot", "maze", "queens")
BUNDLED = [*(name for name in programs.names() if name not in LARGE), *slow(*LARGE)]


def native(word_bits: int, isa: str) -> Unit:
    from learned_units import load_unit

    return load_unit("native", word_bits, isa)


def rows_of(machine: Machine, path: Path, steps: int | None = STEPS) -> list[str]:
    """The rows of a run, without the heading."""
    machine.record_operands()
    with TraceFile(str(path), machine.image) as trace:
        machine.run(steps, trace.add)
    heading, *rows = path.read_text().splitlines()
    assert heading == COLUMNS
    return rows


def expected(image: Image, given: bytes, input_mode: str, steps: int = STEPS) -> list[str]:
    """The rows of a run on exact arithmetic, in plain Python with a memory of its own; no networks, so no margins."""
    modulus = 1 << image.word_bits
    console, negative = modulus - 1, modulus >> 1
    memory = [*image.words, *[0] * (image.memory_size() - len(image.words))]
    source, pc, rows = io.BytesIO(given), image.entry, []
    while pc < negative and len(rows) < steps:
        a, b, c = memory[pc : pc + 3]
        old, following = "-" if b == console else str(memory[b]), pc + 3
        if console in (a, b):
            byte = source.read(1)[0:1] if a == console else b""
            value = (byte[0] if byte else console) if a == console else memory[a]
            if b == console:
                new = value & 255
            else:
                new = {"set": value, "add": memory[b] + value, "sub": memory[b] - value}[input_mode] % modulus
        else:
            minuend, subtrahend = memory[b], memory[a]
            new = (minuend - subtrahend) % modulus
            following = c if branches(image.isa, minuend, subtrahend, modulus) else following
        if b != console:
            memory[b] = new
        rows.append(f"{len(rows)},{pc},{a},{b},{c},{b},{old},{new},{following},-")
        pc = following
    return rows


def branches(isa: str, minuend: int, subtrahend: int, modulus: int) -> bool:
    """Whether an instruction jumps: subleq where the difference is 0 or less, sbn where it is negative."""
    difference = (minuend - subtrahend) % modulus
    return difference >= modulus >> 1 or (isa == "subleq" and difference == 0)


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("check", [True, False])
def test_the_rows_are_those_of_exact_arithmetic(name, check, tmp_path):
    image = assemble(programs.source(name), f"{name}.sbn")
    given = programs.sample_input(name)
    machine = Machine(image, native(image.word_bits, image.isa), given, check=check)
    assert rows_of(machine, tmp_path / "trace") == expected(image, given, machine.input_mode)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_resumed_trace_is_the_tail_of_the_whole_one(name, tmp_path):
    image = assemble(programs.source(name), f"{name}.sbn")
    unit, given = native(image.word_bits, image.isa), programs.sample_input(name)
    whole = rows_of(Machine(image, unit, given), tmp_path / "whole")
    for cut in (1, len(whole) // 2, len(whole) - 1):
        begun = Machine(image, unit, given)
        assert begun.run(cut).halt is Halt.BUDGET
        resumed = Machine(image, unit)
        resumed.restore(begun.snapshot())
        assert rows_of(resumed, tmp_path / "tail", STEPS - cut) == whole[cut:]


@pytest.mark.parametrize("more", [(), ("--no-check",)])
def test_the_command_traces_a_resumed_run_of_code_that_changes_itself(more, tmp_path, capfdbinary):
    state, trace = str(tmp_path / "state"), tmp_path / "trace"
    assert main(["run", "quine", "--unit", "native", "--save-state", state, "--max-steps", "4000", *more]) == 1
    assert main(["run", "quine", "--resume", state, "--trace", str(trace), *more]) == 0
    image = assemble(programs.source("quine"), "quine.sbn")
    assert trace.read_text().splitlines()[1:] == expected(image, b"", image.input_mode)[4000:]


def test_without_a_record_of_the_operands_there_is_no_trace(tmp_path):
    image = assemble(programs.source("hello"), "hello.sbn")
    machine = Machine(image, native(image.word_bits, image.isa))
    with TraceFile(str(tmp_path / "trace"), image) as trace, pytest.raises(ValueError, match="records operands"):
        machine.run(10, trace.add)


def test_words_of_two_limbs_have_their_operands_too(tmp_path):
    image = Image([3, 4, (1 << 64) - 1, (1 << 40) + 5, 1], word_bits=64, memory=8)
    machine = Machine(image, native(64, "sbn"))
    assert rows_of(machine, tmp_path / "trace") == expected(image, b"", machine.input_mode)
    assert machine.memory.dtype == np.uint64
