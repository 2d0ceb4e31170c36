"""Lockstep: the steps a machine recorded, compared one by one with the reference executor.

Knows the reference and plain sequences only; nothing of units or of the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vm.reference import ReferenceMachine, Stop

BLOCK = 1 << 16  # steps replayed at a time: what a replay records is thrown away


class Mismatch(NamedTuple):
    """The first step at which machine and reference differ."""

    offset: int  # of the step in the chunk that was compared
    pc: int
    address: int | None  # where the reference wrote, None where it did not execute the step
    word: int | None
    next_pc: int | None


class Checker:
    """Replays a machine's steps on the reference."""

    def __init__(self, start: ReferenceMachine, first_step: int = 0) -> None:
        """`start` is the reference in the state the machine starts from, `first_step` the number of its next step.

        It is given up to the checker.
        """
        self._first_words = list(start.memory)
        self._first_pc = start.pc
        self._first_step = first_step
        self._reference = start

    def append_input(self, data: bytes) -> None:
        """Bytes the machine is given to read."""
        self._reference.input += data

    def advance(
        self, pcs: Sequence[int], addresses: Sequence[int], words: Sequence[int], next_pc: int
    ) -> Mismatch | None:
        """Compare one chunk: where each step stood, where and what it wrote, and the pc after the last one."""
        run = self._reference.run(len(pcs))  # from where the last chunk ended
        followed = [*pcs[1:], next_pc] if len(pcs) else []
        expected = [*run.pcs[1:], self._reference.pc] if run.pcs else []
        if run.pcs == pcs and run.addresses == addresses and run.words == words and expected == followed:
            return None
        for k, pc in enumerate(pcs):
            if k >= len(run.pcs) or run.pcs[k] != pc:
                return Mismatch(k, pc, None, None, None)
            if (run.addresses[k], run.words[k], expected[k]) != (addresses[k], words[k], followed[k]):
                return Mismatch(k, pc, run.addresses[k], run.words[k], expected[k])
        raise AssertionError("unequal sequences differ somewhere")

    def agrees_to_stop(self, stop: Stop) -> bool:
        """Whether the reference, after the same steps, stops for the same reason."""
        return self._reference.run(0).stop is stop

    def differing_address(self, memory: Sequence[int]) -> int | None:
        """The first address at which whole memories differ, or None."""
        expected = self._reference.memory
        if expected == memory:
            return None
        return next(k for k, (one, other) in enumerate(zip(expected, memory, strict=True)) if one != other)

    def before(self, step: int) -> ReferenceMachine:
        """A fresh reference brought from the start to just before a step: what the machine's state must have been."""
        now = self._reference
        fresh = ReferenceMachine(
            self._first_words, now.word_bits, now.isa, self._first_pc, len(now.memory), now.input_mode, bytes(now.input)
        )
        steps = step - self._first_step
        while fresh.steps < steps and fresh.run(min(steps - fresh.steps, BLOCK)).pcs:
            pass
        return fresh
