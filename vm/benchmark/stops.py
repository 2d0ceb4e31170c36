"""How fast the debugger runs with a conditional stop in its way: a loop in which every second step meets it."""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

from assembler import assemble
from learned_units.store import Progress
from learned_units.unit import Unit
from vm.debugger import travel
from vm.debugger.commands import execute
from vm.debugger.session import Session

STEPS_A_HIT = 2
_WARM_STEPS = 20_000
_LOOP = """
loop:   sbn     one, n
        sbn     zero, top, loop
one:    .word   1
zero:   .word   0
top:    .word   -1
n:      .word   -1
"""


class Met(NamedTuple):
    """Speeds of one unit in the debugger, medians: steps/s without a stop and with it, and hits/s in the history."""

    unit: str
    free: float
    stopped: float
    replayed: float

    @property
    def hits(self) -> float:
        """Hits a second on the unit: so often the condition was looked at, and did not hold."""
        return self.stopped / STEPS_A_HIT


def measure(unit: Unit, rounds: int, seconds: float, progress: Progress) -> Met:
    """Run without and with the stop for about `seconds` each, and the same steps from the history, in each round."""
    session = Session(assemble(f".width {unit.word_bits}\n.isa sbn\n{_LOOP}", "loop.sbn"), unit)
    free, stopped, replayed = [], [], []
    _timed(session, _WARM_STEPS)
    for turn in range(rounds):
        progress(f"measuring stops on {unit.name}", turn / rounds)
        session.restart()
        steps = int(seconds * _WARM_STEPS / _timed(session, _WARM_STEPS))
        steps = min(max(steps, _WARM_STEPS), session.limit // 2)  # the history is to hold them
        free.append(steps / _timed(session, steps))
        execute(session, f"break loop if [n] == {1 << unit.word_bits}")  # which no word is
        session.restart()
        stopped.append(steps / _timed(session, steps))
        travel.backward(session, steps)
        replayed.append(steps / STEPS_A_HIT / _timed(session, steps))
        execute(session, "delete $bpnum")
    return Met(unit.name, *(statistics.median(each) for each in (free, stopped, replayed)))


def _timed(session: Session, steps: int) -> float:
    """Seconds for steps that meet no stop."""
    began, first = time.perf_counter(), session.present.step
    reasons = travel.forward(session, steps)
    assert not reasons and session.present.step == first + steps, "the condition never holds, and the loop has no end"
    return time.perf_counter() - began
