"""What is measured: one endless program on the reference executor, on the units and on whole machines."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

from assembler import Image, assemble
from learned_units.unit import Unit
from learned_units.whole.machine import WholeMachine
from vm.batch import CHECKED, run_batch
from vm.execution import Machine
from vm.reference import ReferenceMachine
from vm.whole import WholeRun

BATCH_MEMORY = 4_096  # words of each machine of a batch
WHOLE_CELLS, WHOLE_BITS = 32, 8

# Never ends, at any width: 13 words, the last address of a 4-bit machine being the console. Each round takes two steps
# on words that look random (a linear recurrence modulo 2^W) and one that always branches.
SOURCE = """
        .isa   sbn
loop:   sbn    a, b, .+3
        sbn    b, a, .+3
        sbn    zero, minus1, loop
a:      .word  1
b:      .word  {b}
zero:   .word  0
minus1: .word  -1
"""


@dataclass(frozen=True)
class Contender:
    """One way to run the program: `run` executes about that many steps more, and says how many."""

    name: str
    machines: int
    lockstep: bool | None  # None where there is nothing to compare
    run: Callable[[int], int]
    evaluations: int = 0  # of networks, a step
    compile_seconds: float | None = None  # tracing, and compiling or reading what was compiled before


def program(width: int) -> Image:
    """The program in words of `width` bits. Raises ValueError for a width no machine has."""
    return assemble(SOURCE.format(b=12345 % (1 << (width - 1))), "bench.sbn", word_bits=width)


def reference(image: Image) -> Contender:
    """The executor in plain Python."""
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry)
    return Contender("reference", 1, None, lambda steps: len(machine.run(steps).pcs))


def single(unit: Unit, image: Image, memory: int | None, lockstep: bool) -> Contender:
    """One machine of `memory` words (None: the image's)."""
    machine = Machine(image, unit, memory=memory, check=lockstep, progress=False)
    compiled = _seconds(functools.partial(machine.run, 0))
    return Contender(unit.name, 1, lockstep, lambda steps: machine.run(steps).steps, unit.spec.evaluations, compiled)


def batch(unit: Unit, image: Image, machines: int, lockstep: bool) -> Contender:
    """Many machines; in lockstep those that `run_batch` replays by default."""
    memory = min(BATCH_MEMORY, image.memory_size())
    check = CHECKED if lockstep else 0
    started = functools.partial(run_batch, image, unit, [b""] * machines, memory=memory, check=check, progress=False)
    compiled = _seconds(functools.partial(started, max_steps=1))

    def run(steps: int) -> int:
        return sum(outcome.steps for outcome in started(max_steps=max(1, steps // machines)))

    return Contender(unit.name, machines, lockstep, run, unit.spec.evaluations, compiled)


def whole(machine: WholeMachine, lockstep: bool) -> Contender:
    """A whole machine; its steps are instructions of which networks compute everything."""
    started = WholeRun(program(WHOLE_BITS), machine, check=lockstep)
    compiled = _seconds(functools.partial(started.run, 1))
    return Contender(
        f"{machine.unit} whole machine",
        1,
        lockstep,
        lambda steps: started.run(steps).steps,
        machine.spec.evaluations,
        compiled,
    )


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
