"""Literal sets: networks that are given bits, each with its negation, and nothing that was computed from them.

A *literal* is a line with the bit it must hold. At every one of `group` positions a network reads its lines; of the two
literals of a line exactly one is on. So the number of literals on is the same for every input, and a readout need not
be told it: each output has one threshold.

A *family* is here a schema of training examples: only the literals of `when` are on, at one position, and the outputs
`then` are 1 there. What the network must answer on whole inputs, none of which is an example, is counted in the same
words: an output is 1 exactly if at least `least` of the examples that assert it are part of the input. Of single
literals, all of them makes a conjunction, one a disjunction, two of three a majority. An exclusive or is one of its two
pairs of literals; that of single literals it is no such count is why its examples are pairs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from learned_units.circuits.templates import Family

MOST_INPUTS = 1 << 22  # of a network that is to be enumerated


@dataclass(frozen=True)
class LiteralSet:
    """What one network learns, over `group` positions.

    `implies` names pairs of lines the first of which is 1 only where the second is (a fact of the wiring, checked in
    `proof/majorities.py`). `pooled` sets have one bit of each output for the whole group instead of one a position.
    """

    name: str
    families: tuple[Family, ...]
    outputs: tuple[str, ...]
    least: tuple[int, ...]  # of the examples that assert it, for each output
    group: int
    implies: tuple[tuple[str, str], ...] = ()
    pooled: bool = False

    @property
    def kind(self) -> str:
        """How messages call it."""
        return "literal set"

    @property
    def lines(self) -> tuple[str, ...]:
        """Names of the lines, in order of first use."""
        return tuple(dict.fromkeys(line for family in self.families for line, _ in family.when))

    @property
    def places(self) -> int:
        """Bits read, line by line and in each position by position: as many literals are on in every input."""
        return len(self.lines) * self.group

    @property
    def choices(self) -> int:
        """The literals of one bit."""
        return 2

    @property
    def input_bits(self) -> int:
        """Number of literals, which is the number of inputs of the network; those of zeros come first."""
        return self.choices * self.places

    @property
    def size(self) -> int:
        """Number of training examples."""
        return len(self.families) * self.group

    @property
    def output_bits(self) -> int:
        """Number of outputs of the network."""
        return len(self.outputs) * (1 if self.pooled else self.group)

    def examples(self) -> np.ndarray:
        """The training inputs, unit vectors float32 [size, input_bits]; families as in `labels`."""
        rows = np.zeros((self.size, self.input_bits), np.float32)
        for row, (family, position) in enumerate(itertools.product(self.families, range(self.group))):
            for line, bit in family.when:
                place = self.lines.index(line) * self.group + position
                rows[row, bit * self.places + place] = 1 / math.sqrt(len(family.when))
        return rows

    def labels(self) -> np.ndarray:
        """The training labels, float32 [size, output_bits]: rows family-major, columns output-major."""
        asserted = self._assertions().astype(np.float32)
        if self.pooled:
            return np.repeat(asserted, self.group, axis=0)
        return np.kron(asserted, np.eye(self.group, dtype=np.float32))

    def match(self, lines: Mapping[str, Any]) -> tuple[Any, ...]:
        """Lines, each float [groups, group, ...] of 0 and 1 -> the literals on: those of zeros, then those of ones,
        each [groups, places, ...]."""
        ones = jnp.concatenate([lines[line] for line in self.lines], axis=1)
        return 1 - ones, ones

    def allows(self, bit: Mapping[str, int]) -> bool:
        """Whether the lines of a position can hold these bits."""
        return all(bit[one] <= bit[other] for one, other in self.implies)

    def says(self, bit: Mapping[str, int]) -> dict[str, bool]:
        """What the lines of one position are to make of its outputs (pooled: of that position alone)."""
        return {
            output: sum(all(bit[line] == value for line, value in family.when) for family in asserting) >= least
            for output, least in zip(self.outputs, self.least, strict=True)
            for asserting in [[family for family in self.families if output in family.then]]
        }

    def assignments(self) -> np.ndarray:
        """What the lines of one position can hold: int8 [assignments, lines] of 0 and 1, zeros first."""
        every = itertools.product((0, 1), repeat=len(self.lines))
        kept = [values for values in every if self.allows(dict(zip(self.lines, values, strict=True)))]
        return np.array(kept, np.int8)

    def reachable_inputs(self) -> np.ndarray:
        """Every input the network can receive, or more: int8 [inputs, places], the bits read.

        The product over positions of what their lines can hold, which covers every wiring.
        """
        at_one = self.assignments()
        if len(at_one) ** self.group > MOST_INPUTS:
            raise ValueError(f"{len(at_one)}^{self.group} inputs of '{self.name}' are too many to enumerate")
        choice = np.indices((len(at_one),) * self.group).reshape(self.group, -1)
        lines = at_one[choice]  # [group, inputs, lines]
        return np.moveaxis(lines, 1, 0).swapaxes(1, 2).reshape(choice.shape[1], -1)

    def told(self, index: Sequence[int]) -> str:
        """An input in words: the bits read."""
        read = np.reshape(index, (len(self.lines), self.group))
        held = (f"{line} {''.join(map(str, bits))}" for line, bits in zip(self.lines, read.tolist(), strict=True))
        return f"the lines hold, lowest position first, {', '.join(held)}"

    def specify(self, index: np.ndarray) -> np.ndarray:
        """What the network must answer: int [..., places] of 0 and 1, the bits read -> bool [..., output_bits]."""
        lines = dict(zip(self.lines, np.moveaxis(index.reshape(*index.shape[:-1], -1, self.group), -2, 0), strict=True))
        holds = np.stack(
            [np.all([lines[line] == bit for line, bit in family.when], axis=0) for family in self.families], -2
        )  # [..., families, group]
        counts = np.swapaxes(self._assertions().T.astype(np.int64) @ holds.astype(np.int64), -1, -2)
        if self.pooled:
            return counts.sum(-2) >= np.array(self.least)
        return np.swapaxes(counts >= np.array(self.least), -1, -2).reshape(*index.shape[:-1], -1)

    def _assertions(self) -> np.ndarray:
        """Which family asserts which output: bool [families, outputs]."""
        return np.array([[output in family.then for output in self.outputs] for family in self.families])
