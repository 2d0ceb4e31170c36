"""Template lists: templates over named bits one by one, for tasks that are not the same at every position.

A template is a partial condition on bits and the bits it asserts (arXiv 2502.16763, section 3); one template is one
training example. Where `templates.TemplateSet` describes a network by families that repeat over the positions of a
group, a list names every template: the paper's designs, in which one network reads and writes the whole state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Bit = tuple[str, int]  # (field, index)


class Template(NamedTuple):
    """When every bit of `when` has its value, the bits `then` are 1."""

    when: tuple[tuple[Bit, int], ...]  # (bit, 0 or 1)
    then: tuple[Bit, ...]


@dataclass(frozen=True)
class TemplateList:
    """The templates one network learns.

    `padding` counts unused templates: training examples that assert nothing and never match (they make k' larger, which
    the sign readout may need). `most_matched` bounds how many templates a state that is ever reached matches at once.
    """

    name: str
    reads: tuple[tuple[str, int], ...]  # (field, number of bits)
    writes: tuple[tuple[str, int], ...]
    templates: tuple[Template, ...]
    most_matched: int
    padding: int = 0

    @property
    def size(self) -> int:
        """Number of training examples (k' in the formulas), padding included."""
        return len(self.templates) + self.padding

    @property
    def output_bits(self) -> int:
        """Number of outputs of the network."""
        return sum(length for _, length in self.writes)

    def labels(self) -> np.ndarray:
        """The training labels, float32 [size, output_bits]; the training inputs are the identity."""
        place = _places(self.writes)
        labels = np.zeros((self.size, self.output_bits), np.float32)
        for row, template in enumerate(self.templates):
            labels[row, [place[bit] for bit in template.then]] = 1
        return labels

    def label_counts(self) -> np.ndarray:
        """How many templates assert each output (c in the formulas): int [output_bits]."""
        return self.labels().sum(0).astype(int)

    def conditions(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights float32 [input bits, size] and counts float32 [size]: matched is where bits @ weights == counts.

        A bit that must be 1 has weight 1 and is counted, one that must be 0 has weight -1.
        """
        place = _places(self.reads)
        weights = np.zeros((len(place), self.size), np.float32)
        counts = np.zeros(self.size, np.float32)
        for column, template in enumerate(self.templates):
            for bit, wanted in template.when:
                weights[place[bit], column] = 1 if wanted else -1
                counts[column] += wanted
        counts[len(self.templates) :] = 1  # no bit has a weight there: padding never matches
        return weights, counts


def _places(fields: tuple[tuple[str, int], ...]) -> dict[Bit, int]:
    """Where each bit stands when the fields are laid end to end."""
    names = [(field, index) for field, length in fields for index in range(length)]
    return {bit: place for place, bit in enumerate(names)}
