"""A second unit beside the first: the same steps computed twice, up to the one where they differ."""

from __future__ import annotations

import numpy as np

from assembler import Image
from learned_units.unit import Unit
from vm.chunk import Chunk, Record
from vm.debugger.present import Present
from vm.execution import Machine
from vm.margin import format_margin


class Comparison:
    """Runs a second machine after each piece of the first one's steps. `report` says where they differed, if so."""

    def __init__(self, image: Image, unit: Unit, first_name: str) -> None:
        self.unit = unit
        self.steps = 0  # on which both agreed
        self.report: str | None = None
        self._first_name = first_name
        self._machine = Machine(image, unit, input=None, check=False)
        self._pieces: list[Chunk] = []

    def start(self, present: Present) -> None:
        """Put the second machine where the first one is."""
        self.report = None
        self._machine.put(present.memory, present.pc, present.step, present.unread, present.input_ended, check=False)

    def agreeing(self, record: Record, next_pc: int) -> int:
        """Compute the same number of steps on the second machine. Returns how many of the first ones are equal."""
        count = len(record.pcs)
        self._pieces.clear()
        self._machine.run(count, self._pieces.append)
        second = [piece.record for piece in self._pieces if piece.record is not None]
        other = Record(*(np.concatenate(columns) for columns in zip(*second, strict=True))) if second else None
        mine = np.append(record.pcs[1:], np.array(next_pc, record.pcs.dtype))
        done = 0 if other is None else len(other.pcs)
        theirs = np.array([], mine.dtype)
        equal = 0
        if other is not None and done:
            theirs = np.append(other.pcs[1:], np.array(self._machine.pc, mine.dtype))
            same = (mine[:done] == theirs) & (record.words[:done] == other.words)
            same &= record.addresses[:done] == other.addresses
            equal = done if same.all() else int(np.argmin(same))
        self.steps += equal
        if equal < count:
            step = self._machine.steps - done + equal
            lines = [f"step {step:,} at pc {int(record.pcs[equal])}: the units differ"]
            lines.append(_said(self._first_name, record, mine, equal))
            if other is None or equal >= done:
                lines.append(f"  {self.unit.name}: does not execute it")
            else:
                lines.append(_said(self.unit.name, other, theirs, equal))
            self.report = "\n".join(lines)
        return equal


def _said(name: str, record: Record, followed: np.ndarray, k: int) -> str:
    margin = "" if np.isinf(record.margins[k]) else f", margin {format_margin(record.margins[k], digits=3)}"
    return f"  {name}: [{record.addresses[k]}] <- {record.words[k]}, next pc {followed[k]}{margin}"
