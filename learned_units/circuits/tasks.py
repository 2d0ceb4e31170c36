"""The tasks outside the machine, by name and form."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from learned_units.catalog import TASKS
from learned_units.circuits import addition, multiplication, permutation, subtraction
from learned_units.circuits.algorithm import Algorithm

GROUP = 8  # positions a network of the grouped designs serves
FORMS = ("grouped", "paper")


@dataclass(frozen=True)
class Task:
    """One of TASKS on operands of `bits` bits in one of FORMS; `places` is the permutation, for "permute" alone."""

    name: str
    form: str
    bits: int
    places: tuple[int, ...] = ()

    @functools.cached_property
    def algorithm(self) -> Algorithm:
        """Its networks and steps. Raises ValueError for a name that is none, or more bits than the design takes."""
        if self.name not in TASKS or self.form not in FORMS:
            raise ValueError(f"no task '{self.name}', '{self.form}' (tasks: {TASKS}, forms: {FORMS})")
        if self.bits < 1:
            raise ValueError(f"operands must have 1 bit or more, not {self.bits}")
        grouped = self.form == "grouped"
        if self.name == "permute":
            return permutation.grouped(self.places) if grouped else permutation.paper(self.places)
        if self.name == "subtract":
            if not grouped:
                raise ValueError("the paper subtracts in its SBN instruction; 'subtract' has only the grouped design")
            return subtraction.grouped(self.bits, GROUP)
        if self.name == "add":
            return addition.grouped(self.bits, GROUP) if grouped else addition.ripple(self.bits)
        return multiplication.grouped(self.bits, GROUP) if grouped else multiplication.ripple(self.bits)
