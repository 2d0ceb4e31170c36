"""The library runs a machine as fast as the command does: both compile the same loop.

As a program (`python tests/test_vm_one_speed.py [UNIT ...]`) it measures both side by side, in processes of their own,
and prints a row of docs/speed.md for each unit.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

UNITS = ("ntk-limit", "ntk", "native")
PAIRS = (
    5  # of processes: where the system happens to place one in memory is worth some per cent, for as long as it lives
)
ROUNDS = 7  # of a pair
SECONDS = 0.1  # of processor time, about, in each round
# Runs as many steps as each line of its input says, and tells the seconds of processor time that they took.
WORKER = """
import sys, time
if sys.argv[1] == "command":
    from vm.console import jax_setup
    jax_setup.prepare()
from learned_units import load_unit
from vm.benchmark import contenders
if sys.argv[2] == "whole":
    from learned_units.whole.machine import load_whole
    whole = load_whole(contenders.WHOLE_CELLS, contenders.WHOLE_BITS, unit=sys.argv[3], progress=False)
    contender = contenders.whole(whole, lockstep=False)
else:
    unit = load_unit(sys.argv[3], 16, "sbn", progress=False)
    contender = contenders.single(unit, contenders.program(16), None, lockstep=False)
for line in sys.stdin:
    began = time.process_time()
    steps = contender.run(int(line))
    print(steps, time.process_time() - began, flush=True)
"""
# Prints the compiled loop of a machine.
COMPILED = """
import sys
if sys.argv[1] == "command":
    from vm.console import jax_setup
    jax_setup.prepare()
from learned_units import load_unit
from vm.benchmark import contenders
from vm.execution import Machine
from vm.kept_loop import compiled_loop
from vm.machine import run_chunk
machine = Machine(contenders.program(16), load_unit(sys.argv[2], 16, "sbn", progress=False))
arguments, spec, input_mode = machine._chunk(0), machine.unit.spec, machine.input_mode
if sys.argv[1] == "command":
    compiled = compiled_loop(*arguments, spec, input_mode).func
else:
    compiled = run_chunk.lower(*arguments, spec=spec, input_mode=input_mode, stops=None).compile()
print(compiled.as_text())
"""


class Speeds(NamedTuple):
    """Of one unit, in steps for each second of processor time: medians, and that of the ratios within a pair."""

    unit: str
    library: float
    command: float
    ratio: float


class Side:
    """One of the two processes."""

    def __init__(self, side: str, unit: str, compiled: str) -> None:
        """compiled: a folder of this side's own for what it compiles, so that only its first process has to."""
        kind, _, name = unit.rpartition(":")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WORKER, side, kind or "unit", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "JAX_COMPILATION_CACHE_DIR": compiled},
        )

    def speed(self, steps: int) -> float:
        """Steps for each second of processor time, over that many steps."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(steps, file=self.process.stdin, flush=True)
        done, seconds = self.process.stdout.readline().split()
        return int(done) / max(float(seconds), 1e-9)

    def end(self) -> None:
        """End the process."""
        self.process.communicate(timeout=60)


def of_a_pair(unit: str, compiled: Path) -> tuple[float, float]:
    """Medians of both sides, measured in turn, a round after the other, which of them first in turn too."""
    library, command = (Side(side, unit, str(compiled / side)) for side in ("library", "command"))
    try:
        steps = 1000
        for _ in range(4):  # of which the first compiles
            steps = int(SECONDS * min(library.speed(steps), command.speed(steps))) + 1
        rounds = []
        for turn in range(ROUNDS):
            if turn % 2:
                theirs, mine = command.speed(steps), library.speed(steps)
            else:
                mine, theirs = library.speed(steps), command.speed(steps)
            rounds.append((mine, theirs))
    finally:
        library.end()
        command.end()
    mine, theirs = zip(*rounds, strict=True)
    return statistics.median(mine), statistics.median(theirs)


def measured(unit: str) -> Speeds:
    """Both sides in pairs of processes, a pair after the other. unit: a name, or whole:NAME."""
    with tempfile.TemporaryDirectory() as compiled:
        pairs = [of_a_pair(unit, Path(compiled)) for _ in range(PAIRS)]
    mine, theirs = zip(*pairs, strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    return Speeds(unit, statistics.median(mine), statistics.median(theirs), ratio)


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_library_and_command_run_the_same_instructions(unit):
    library, command = (instructions(side, unit) for side in ("library", "command"))
    assert len(library) > 100 and library == command


def instructions(side: str, unit: str) -> list[str]:
    """What XLA made of the loop, an instruction a line, without the lines of source that they come from."""
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED, side, unit], capture_output=True, text=True, check=True
    )
    lines = re.sub(r", metadata=\{[^}]*\}", "", told.stdout).splitlines()
    return [line for line in lines if " = " in line]


def main(units: list[str]) -> None:
    """Print a row for each unit."""
    import jax

    python = ".".join(map(str, sys.version_info[:2]))
    for found in map(measured, units or UNITS):
        speeds = f"{found.library:,.0f} | {found.command:,.0f} | {found.ratio:.2f}"
        sys.stdout.write(f"| {jax.__version__} | {python} | `{found.unit}` | {speeds} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
