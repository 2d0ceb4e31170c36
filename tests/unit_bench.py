"""A unit as the tests of a step and of the loop use it: machines of a few words on it, and what they leave."""

from typing import NamedTuple

import pytest

from assembler import Image
from learned_units import Unit
from vm import Machine

SIZE = 16  # words of memory: every width has them, and one compiled loop a unit serves all these tests


class Bench(NamedTuple):
    """A unit, and its words."""

    unit: Unit

    @property
    def word_bits(self) -> int:
        return self.unit.word_bits

    @property
    def console(self) -> int:
        return 2**self.word_bits - 1

    @property
    def least(self) -> int:
        return 1 << (self.word_bits - 1)

    @property
    def zero_branches(self) -> bool:
        return self.unit.isa == "subleq"

    def machine(self, words: list[int], input: bytes | None = b"", memory: int = SIZE, entry: int = 0) -> Machine:
        return Machine(Image(words, self.word_bits, self.unit.isa, entry), self.unit, input=input, memory=memory)

    def after(self, words: list[int], steps: int = 1, input: bytes = b"") -> Machine:
        """A machine that has executed exactly that many instructions, in agreement with the reference."""
        machine = self.machine(words, input)
        outcome = machine.run(steps)
        assert outcome.steps == machine.steps == steps
        assert outcome.divergence is None
        return machine

    def subtract(self, minuend: int, subtrahend: int) -> tuple[int, bool]:
        """The difference one instruction leaves, and whether it branched."""
        machine = self.after([3, 4, 6, subtrahend, minuend])
        assert machine.pc in (3, 6)
        return int(machine.memory[4]), machine.pc == 6


DEFAULT = {("native", 4, "subleq"), ("native", 64, "sbn"), ("ntk", 16, "sbn")}
FORMS = [
    pytest.param(form, id="-".join(map(str, form)), marks=() if form in DEFAULT else pytest.mark.slow)
    for form in (
        (name, word_bits, isa)
        for name in ("native", "ntk-limit", "ntk")
        for word_bits in (4, 8, 16, 33, 64)
        for isa in ("sbn", "subleq")
    )
]
every_unit = pytest.mark.parametrize("bench", FORMS, indirect=True)
