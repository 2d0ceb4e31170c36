"""Template families: one description of both the training set and the fast match.

A network reads *lines* (named bits) at each of `group` positions. A *family* is a schema over the
position i: when these lines hold these bits at i, these outputs are 1 at i. Expanded over the positions,
a family is `group` *templates*, and one template is one training example: alone on the input, with the
outputs it asserts as its label. At run time the same families are matched at all positions at once by
elementwise products. The network's input is the 0/1 vector of matched templates over the square root
of their number (arXiv 2502.16763, section 3; the scale follows from its unit-norm inputs).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Family:
    """When every line of `when` holds its bit at a position, the outputs `then` are 1 there."""

    when: tuple[tuple[str, int], ...]  # (line, bit 0 or 1)
    then: tuple[str, ...]


@dataclass(frozen=True)
class TemplateSet:
    """The families one network learns, over `group` positions.

    `never` names pairs of lines that are never both 1 at a position (a fact of the wiring, checked in
    `proof/enumeration.py`); `below` names lines that repeat another line one position lower, `shared` those that
    are the same at every position. `pooled` sets have one bit of each output for the whole group instead of one a
    position.
    At most one family matches at a position: checked when the set is made.
    """

    name: str
    families: tuple[Family, ...]
    outputs: tuple[str, ...]
    group: int
    never: tuple[tuple[str, str], ...] = ()
    below: tuple[tuple[str, str], ...] = ()
    shared: tuple[str, ...] = ()
    pooled: bool = False

    def __post_init__(self) -> None:
        patterns = self.patterns()
        if (patterns.sum(1) > 1).any():
            raise ValueError(f"two families of the template set '{self.name}' can match at one position")

    @property
    def kind(self) -> str:
        """How messages call it."""
        return "template set"

    @property
    def lines(self) -> tuple[str, ...]:
        """Names of the lines, in order of first use."""
        return tuple(dict.fromkeys(line for family in self.families for line, _ in family.when))

    @property
    def size(self) -> int:
        """Number of templates, which is the number of training examples (k' in the formulas)."""
        return len(self.families) * self.group

    @property
    def input_bits(self) -> int:
        """Number of inputs of the network: a coordinate for each template."""
        return self.size

    @property
    def choices(self) -> int:
        """How many templates there are for a position."""
        return len(self.families)

    @property
    def most_matched(self) -> int:
        """How many templates can match at once: one a position."""
        return self.group

    @property
    def output_bits(self) -> int:
        """Number of outputs of the network."""
        return len(self.outputs) * (1 if self.pooled else self.group)

    def label_counts(self) -> np.ndarray:
        """How many templates assert each output (c in the formulas): int [outputs], the same at every position."""
        counts = [sum(output in family.then for family in self.families) for output in self.outputs]
        return np.array(counts) * (self.group if self.pooled else 1)

    def assertions(self) -> np.ndarray:
        """Which family asserts which output: float32 [families, outputs] of 0 and 1."""
        return np.array([[output in family.then for output in self.outputs] for family in self.families], np.float32)

    def labels(self) -> np.ndarray:
        """The training labels, float32 [size, output_bits]; the training inputs are the identity.

        Rows are family-major (family * group + position), columns output-major likewise.
        """
        asserted = self.assertions()
        if self.pooled:
            return np.repeat(asserted, self.group, axis=0)
        return np.kron(asserted, np.eye(self.group, dtype=np.float32))

    def match(self, lines: Mapping[str, Any]) -> tuple[Any, ...]:
        """Lines, each float [..., group] of 0 and 1 -> which templates match: per family an array of that shape."""
        negated = {line: 1 - value for line, value in lines.items()}
        return tuple(
            functools.reduce(operator.mul, ((lines if bit else negated)[line] for line, bit in family.when))
            for family in self.families
        )

    def specify(self, index: np.ndarray) -> np.ndarray:
        """What the network must answer: an output is 1 exactly when a matched template asserts it.

        index: int [..., group], the family matched at each position or -1 -> bool [..., output_bits].
        """
        none = np.zeros((1, len(self.outputs)), bool)
        asserted = np.concatenate([self.assertions() > 0, none])[index]  # [..., group, outputs]; -1 is the last row
        if self.pooled:
            return np.any(asserted, axis=-2)
        return np.moveaxis(asserted, -1, -2).reshape(*index.shape[:-1], -1)

    def allows(self, bit: Mapping[str, int]) -> bool:
        """Whether the lines of a position can hold these bits."""
        return not any(bit[one] and bit[other] for one, other in self.never)

    def says(self, bit: Mapping[str, int]) -> dict[str, bool]:
        """What the lines of one position are to make of its outputs (pooled: of that position alone)."""
        return {
            output: any(
                output in family.then and all(bit[line] == want for line, want in family.when)
                for family in self.families
            )
            for output in self.outputs
        }

    def assignments(self) -> np.ndarray:
        """What the lines of one position can say: bool [assignments, lines], all that keep `never`."""
        code = np.arange(1 << len(self.lines), dtype=np.uint32)
        values = (code[:, None] >> np.arange(len(self.lines), dtype=np.uint32) & 1).astype(bool)
        number = {line: k for k, line in enumerate(self.lines)}
        kept = np.ones(len(values), bool)
        for one, other in self.never:
            kept &= ~(values[:, number[one]] & values[:, number[other]])
        return values[kept]

    def matches(self, values: np.ndarray) -> np.ndarray:
        """Which families match at one position: bool [assignments, lines] -> bool [assignments, families]."""
        number = {line: k for k, line in enumerate(self.lines)}
        found = [
            np.all([values[:, number[line]] == bool(bit) for line, bit in family.when], axis=0)
            for family in self.families
        ]
        return np.stack(found, axis=1)

    def told(self, index: Sequence[int]) -> str:
        """An input in words: the family matched at each position, -1 for none."""
        matched = ", ".join("-" if family < 0 else str(family) for family in index)
        return f"the templates matched at the positions of the group are of the families {matched}"

    def patterns(self) -> np.ndarray:
        """What can match at one position, over all assignments that keep `never`: bool [patterns, families]."""
        return np.unique(self.matches(self.assignments()), axis=0)

    def reachable_inputs(self) -> np.ndarray:
        """Every input the network can receive (or a superset), as the family matched at each position.

        int8 [inputs, group]; -1 where none matches. Positions whose lines are tied by `below` are enumerated through
        their assignments, those tied by `shared` for each assignment of the shared lines; independent positions as
        the product of their patterns, which covers every wiring.
        """
        if self.below:
            return self._tied_inputs()
        values = self.assignments()
        matches = self.matches(values)
        index = np.where(matches.any(1), matches.argmax(1), -1).astype(np.int8)
        together = values[:, [line in self.shared for line in self.lines]]
        which = np.unique(together, axis=0, return_inverse=True)[1].reshape(-1)
        inputs = []
        for case in range(which.max(initial=0) + 1):
            grid = np.meshgrid(*[np.unique(index[which == case])] * self.group, indexing="ij")
            inputs.append(np.stack([axis.reshape(-1) for axis in grid], -1))
        return inputs[0] if len(inputs) == 1 else np.unique(np.concatenate(inputs), axis=0)

    def _tied_inputs(self) -> np.ndarray:
        own = [line for line in self.lines if line not in dict(self.below)]
        positions = self.group + 1  # and the neighbour below the group
        if len(own) * positions > 24:
            raise ValueError(f"2^{len(own) * positions} assignments of '{self.name}' are too many to enumerate")
        code = np.arange(1 << (len(own) * positions), dtype=np.uint32)
        value = {}
        for k, line in enumerate(own):
            shifts = np.arange(positions, dtype=np.uint32) * np.uint32(len(own)) + np.uint32(k)
            value[line] = ((code[:, None] >> shifts) & 1).astype(bool)
        lines = {line: value[line][:, 1:] for line in own}
        lines |= {line: value[source][:, :-1] for line, source in self.below}
        index = np.full((len(code), self.group), -1, np.int8)
        for k, family in enumerate(self.families):
            index[np.all([lines[line] == bool(bit) for line, bit in family.when], axis=0)] = k
        packed = np.zeros(len(code), np.uint64)
        for position in range(self.group):
            packed = packed * np.uint64(len(self.families) + 1) + (index[:, position] + 1).astype(np.uint64)
        return index[np.unique(packed, return_index=True)[1]]
