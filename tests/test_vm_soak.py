"""A long run in lockstep: every step agrees, and memory stays flat.

As a script it goes on for as long as it is told: python tests/test_vm_soak.py --unit ntk --seconds 3600
"""

import argparse
import itertools
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

import programs
from assembler import Image, assemble
from vm import Halt, Machine

# x and y are different in every round: each is subtracted from the other, and 40503 from x, modulo 2^16.
ENDLESS = """
loop:   sbn x, y, next
next:   sbn y, x, on
on:     sbn odd, x, again
again:  sbn zero, minus1, loop
x:      .word 12345
y:      .word 54321
odd:    .word 40503
zero:   .word 0
minus1: .word -1
"""
SLICE = 500_000  # steps of it between two bundled programs
PAGE = 4096
GROWTH_BYTES = 32 << 20  # that an hour may add to what the first tenth of it took
STATUS = Path("/proc/self/statm")


class Soak(NamedTuple):
    """What was executed, and how large the process was after a tenth of the time and at the end, bytes."""

    seconds: float
    steps: int
    machines: int
    smallest_margin: float
    early: int
    late: int


def soak(unit: str, seconds: float) -> Soak:
    """Run one endless machine and, in between, the bundled programs, each a machine of its own, for so long."""
    endless = Machine(assemble(ENDLESS), unit)
    images: dict[str, Image] = {}
    began, steps, machines, margin = time.monotonic(), 0, 0, float("inf")
    early = 0
    for name in itertools.cycle(programs.names()):
        outcome = endless.run(SLICE)
        assert outcome.halt is Halt.BUDGET, outcome.message
        image = images.setdefault(name, assemble(programs.source(name), f"{name}.sbn"))
        other = Machine(image, unit, input=programs.sample_input(name)).run()
        assert other.halt is Halt.HALTED and other.output == programs.sample_output(name), other.message
        steps, machines = steps + outcome.steps + other.steps, machines + 1
        margin = min(margin, outcome.margin, other.margin)
        spent = time.monotonic() - began
        if not early and spent > seconds / 10 and machines >= len(programs.names()):
            early = size()
        if early and spent > seconds:
            return Soak(spent, steps, machines, margin, early, size())
    raise AssertionError("a cycle has no end")


def size() -> int:
    """Resident bytes of this process."""
    return int(STATUS.read_text().split()[1]) * PAGE


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="the size of a process is read from /proc")
@pytest.mark.parametrize("unit", ["ntk", "ntk-limit"])
def test_minutes_in_lockstep_agree_and_memory_stays_flat(unit):
    found = soak(unit, 240.0)
    assert found.late - found.early < GROWTH_BYTES


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--unit", default="ntk")
    parser.add_argument("--seconds", type=float, default=3600.0)
    found = soak(**vars(parser.parse_args()))
    sys.stdout.write(
        f"{found.steps:,} steps of {found.machines:,} machines in {found.seconds:,.0f} s, all as the reference has "
        f"them, smallest margin {found.smallest_margin:.2f}; {found.early / 1e6:.0f} MB after a tenth of the time, "
        f"{found.late / 1e6:.0f} MB at the end\n"
    )
    sys.exit(found.late - found.early >= GROWTH_BYTES)
