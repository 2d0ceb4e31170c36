"""The loop leaves where it is told to, records what it takes to undo a step, and is compiled once for all stops."""

import dataclasses

import jax
import numpy as np
import pytest

from assembler import Image, assemble
from learned_units import load_unit
from vm import Halt, Machine, machine
from vm.chunk import Chunk
from vm.state import Stops, make_stops

SOURCE = """
        .memory 64
start:  sbn     -1, x
loop:   sbn     one, x
        sbn     x, -1
        sbn     one, count, -1
        sbn     zero, minus, loop
zero:   .word   0
one:    .word   1
minus:  .word   -1
x:      .word   0
count:  .word   3
"""


def stops(image: Image, breaks: tuple[str, ...] = (), watches: tuple[str, ...] = (), floor: float = -np.inf) -> Stops:
    mask = np.zeros(64, np.uint8)
    mask[[image.symbols[name] for name in breaks]] |= np.uint8(Stops.BREAK)
    mask[[image.symbols[name] for name in watches]] |= np.uint8(Stops.WATCH)
    return make_stops(64, mask, floor)


@pytest.mark.parametrize("unit", ["native", "ntk-limit"])
def test_the_loop_leaves_before_a_break_and_after_a_watched_write(unit: str) -> None:
    image = assemble(SOURCE)
    run = Machine(image, unit, input=b"d")
    outcome = run.run(stops=stops(image, breaks=("loop",)))
    assert (outcome.halt, run.pc, run.steps) == (Halt.STOP, image.symbols["loop"], 1)
    assert outcome.message == "stopped before pc 3 (<text>:4), as asked"
    assert run.run(stops=stops(image, breaks=("loop",))).steps == 4, "the step it stands before does not stop it again"
    assert run.run(stops=stops(image, watches=("x",))).steps == 1
    assert run.run(stops=stops(image, watches=("count",))).steps == 2
    assert run.run().halt is Halt.HALTED
    assert run.output == b"cba`"


def test_the_loop_leaves_after_a_low_margin() -> None:
    image = assemble(SOURCE)
    run = Machine(image, "ntk-limit", input=b"d")
    assert run.run(stops=stops(image, floor=0.5)).halt is Halt.HALTED
    run = Machine(image, "ntk-limit", input=b"d")
    outcome = run.run(stops=stops(image, floor=1e6))
    assert outcome.halt is Halt.STOP and run.steps == 2, "a console step has no margin"


def test_a_margin_that_is_no_number_is_below_every_floor() -> None:
    unit = load_unit("ntk-limit", 16)
    params = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), unit.params)
    image = assemble(SOURCE)
    run = Machine(image, dataclasses.replace(unit, params=params), input=b"d", check=False)
    outcome = run.run(stops=stops(image, floor=1e-6))
    assert outcome.halt is Halt.STOP and run.steps == 2 and np.isnan(outcome.margin)
    run = Machine(image, dataclasses.replace(unit, params=params), input=b"d", check=False)
    assert run.run(20, stops=stops(image)).halt is not Halt.STOP


def test_a_halting_step_halts_whatever_it_wrote() -> None:
    image = assemble(SOURCE)
    run = Machine(image, "native", input=b"d")
    while (outcome := run.run(stops=stops(image, watches=("count",)))).halt is Halt.STOP:
        pass
    assert outcome.halt is Halt.HALTED


def test_other_stops_compile_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = []
    step = machine.step
    monkeypatch.setattr(machine, "step", lambda *a, **k: (traced.append(1), step(*a, **k))[1])
    image = assemble(SOURCE.replace("64", "65"))
    for breaks, watches, floor in (((), (), 0.1), (("loop",), (), 0.2), (("x",), ("x", "count"), 5.0)):
        run = Machine(image, "native", input=b"d")
        mask = np.zeros(65, np.uint8)
        mask[[image.symbols[name] for name in breaks]] = Stops.BREAK
        mask[[image.symbols[name] for name in watches]] = Stops.WATCH
        for _ in range(5):
            run.run(stops=make_stops(65, mask, floor))
    assert len(traced) == 1


@pytest.mark.parametrize("word_bits", [8, 64])
def test_a_record_says_what_was_there_before_and_what_was_consumed(word_bits: int) -> None:
    image = assemble(SOURCE, word_bits=word_bits)
    run = Machine(image, "native", input=b"d")
    chunks: list[Chunk] = []
    run.run(on_chunk=chunks.append)
    records = [chunk.record for chunk in chunks]
    memory = [*image.words, *[0] * (64 - len(image.words))]
    consumed = 0
    for record in records:
        assert record is not None
        for address, word, old, read in zip(record.addresses, record.words, record.olds, record.consumed, strict=True):
            consumed += int(read)
            if address != (1 << word_bits) - 1:
                assert memory[int(address)] == int(old)
                memory[int(address)] = int(word)
    assert consumed == 1
    assert memory == run.memory.tolist()


def test_a_machine_put_back_goes_on_from_there_checked_against_a_fresh_reference() -> None:
    image = assemble(SOURCE)
    run = Machine(image, "native", input=b"d")
    run.run(7)
    memory, pc = run.memory, run.pc
    assert run.run().halt is Halt.HALTED
    run.put(memory, pc, 7, unread=b"", input_ended=True, check=True)
    outcome = run.run()
    assert outcome.halt is Halt.HALTED and run.steps == 16
    assert outcome.output == b"a`"


def test_a_unit_of_another_width_is_refused_mid_run() -> None:
    run = Machine(assemble(SOURCE), "native")
    with pytest.raises(ValueError, match="8-bit"):
        run.change_unit(load_unit("native", 8))
