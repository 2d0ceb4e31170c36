"""The compiled loop that is kept beside the weights does what the one does that is traced now, or is not used."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
import pytest
from marks import slow

from assembler import Image, assemble
from learned_units import Unit
from vm.execution import Machine
from vm.machine import run_chunk
from vm.reference import ReferenceMachine
from vm.state import Halt

# 9 - 2 - 2 - ... until it is negative; each remainder is written.
SOURCE = """
loop: sbn two, n, out
      sbn n, -1
      sbn zero, minus, loop
out:  sbn zero, minus, -1
two:  .word 2
n:    .word 9
zero: .word 0
minus: .word -1
"""
STEPS = 14


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    return tmp_path / "compiled"


def traced() -> int:
    """How many loops jax has traced and compiled."""
    return cast(Any, run_chunk)._cache_size()


def machine_of(unit: Unit, image: Image | None = None, memory: int = 64) -> Machine:
    machine = Machine(image or assemble(SOURCE), unit, memory=memory)
    machine.prepare_loop()
    return machine


@pytest.mark.parametrize("name", ["native", *slow("ntk", "ntk-limit")])
def test_a_loop_is_kept_and_taken_and_does_the_same(name, cache, unit_of):
    for _ in range(2):
        before = traced()
        machine = machine_of(unit_of(name))
        outcome = machine.run()
        assert (outcome.halt, outcome.steps, outcome.output) == (Halt.HALTED, STEPS, bytes([7, 5, 3, 1]))
        assert traced() == before
        reference = ReferenceMachine(machine.image.words, memory_size=64)
        reference.run(STEPS)
        assert machine.memory.tolist() == reference.memory
        assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("name", ["ntk-limit", *slow("ntk")])
def test_the_weights_are_no_part_of_it(name, cache, unit_of):
    unit = unit_of(name)
    machine_of(unit).run()
    rng = np.random.default_rng(0)
    noise = jax.tree.map(lambda leaf: rng.permutation(np.asarray(leaf).reshape(-1)).reshape(leaf.shape), unit.params)
    assert machine_of(replace(unit, params=noise)).run(100).halt is Halt.DIVERGED
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", ["cut", "emptied", "one bit", "something else"])
def test_a_damaged_file_is_compiled_again_and_replaced(damage, cache, unit_of):
    machine_of(unit_of("native"))
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "cut": whole[:middle],
            "emptied": b"",
            "one bit": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "something else": b"no loop" * 1000,
        }[damage]
    )
    assert machine_of(unit_of("native")).run().steps == STEPS
    assert len(file.read_bytes()) == len(whole)
    machine_of(unit_of("native"))
    assert list(cache.iterdir()) == [file]


def test_another_shape_instruction_set_or_version_is_another_loop(cache, unit_of, monkeypatch):
    machine_of(unit_of("native"))
    machine_of(unit_of("native"), memory=65)
    machine_of(unit_of("native", 16, "subleq"), assemble(".isa subleq\n subleq z, z, -1\nz: .word 0"))
    monkeypatch.setattr(jax, "__version__", "99.0")
    machine_of(unit_of("native"))
    assert len(list(cache.iterdir())) == 4


def test_where_nothing_can_be_kept_it_runs_all_the_same(tmp_path, monkeypatch, unit_of):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path / "file"))
    assert machine_of(unit_of("native")).run().steps == STEPS


def test_another_unit_or_wider_rows_need_another_loop(cache, unit_of):
    machine = machine_of(unit_of("native"))
    machine.change_unit(unit_of("ntk-limit"))
    machine.record_operands()
    chunks = []
    assert machine.run(None, chunks.append).steps == STEPS
    assert chunks[0].operands is not None
