"""Template families over named fields of any shape: what a network that maps a whole state to the next one learns.

A *field* is an array of bits with a name; the fields of a network, one after the other, are its state. A *family* is
a schema over one or more axes (a cell, a bit of a word): at every index of its axes, when all of `when` hold, the
bits `then` are 1 in the next state. Each index is one template, and one template is one training example. Unlike
those of `circuits/templates.py`, many families may match at once, and a family may tie bits of different fields
together ("this row is flagged, and this bit of the cell in that row is 1").

The same families are read in two ways: expanded into templates (`requirements`, `labels`) for training, and matched
at all indices at once by elementwise products (`match`, `collect`) at run time. A bit outside its field reads as 0:
a template that needs it to be 1 never matches, and is trained like the others.

Where nothing repeats, a list names every template (`TemplateList`): a partial condition on bits one by one, and the
bits it asserts (arXiv 2502.16763, section 3). The paper's designs of the tasks are written so.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Axis:
    """Along this dimension of a field: index `shift` above that of the family's axis `number`."""

    number: int
    shift: int = 0


@dataclass(frozen=True)
class Bit:
    """A bit of a field at an index, which must be `value` (as a condition) or becomes 1 (as an assertion)."""

    field: str
    at: tuple[Axis | int, ...]
    value: int = 1


@dataclass(frozen=True)
class Word:
    """All bits of a field of one dimension, by the family's axis `axis`: one pattern for each index of it.

    A pattern has a character a bit, least significant first: as a condition "0", "1" or "-" (either), as an assertion
    "1" for the bits that become 1.
    """

    field: str
    axis: int
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class StateFamily:
    """When all of `when` hold at an index, the bits `then` are 1 in the next state."""

    axes: tuple[int, ...]  # lengths
    when: tuple[Bit | Word, ...]
    then: tuple[Bit | Word, ...]

    @property
    def size(self) -> int:
        """Number of templates."""
        return math.prod(self.axes)


@dataclass(frozen=True)
class StateTemplates:
    """Fields and families of one network from a state to the next. Templates are numbered family by family."""

    fields: tuple[tuple[str, tuple[int, ...]], ...]  # (name, shape)
    families: tuple[StateFamily, ...]

    @functools.cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return dict(self.fields)

    @functools.cached_property
    def offsets(self) -> dict[str, int]:
        """Where each field begins in the state."""
        ends = np.cumsum([0, *(math.prod(shape) for _, shape in self.fields)])
        return {name: int(end) for (name, _), end in zip(self.fields, ends, strict=False)}

    @property
    def size(self) -> int:
        """Number of templates, which is the number of training examples (k' in the formulas)."""
        return sum(family.size for family in self.families)

    @property
    def state_bits(self) -> int:
        """Bits of a state, which is the number of outputs of the network."""
        return sum(math.prod(shape) for _, shape in self.fields)

    @property
    def input_bits(self) -> int:
        """Number of inputs of the network: a coordinate for each template."""
        return self.size

    @property
    def output_bits(self) -> int:
        """Number of outputs of the network: a whole state."""
        return self.state_bits

    @property
    def most_matched(self) -> int:
        """How many templates can match at once: all, for all that is known."""
        return self.size

    def split(self, state: Any) -> dict[str, Any]:
        """A state [state_bits] as its fields."""
        return {
            name: state[self.offsets[name] : self.offsets[name] + math.prod(shape)].reshape(shape)
            for name, shape in self.fields
        }

    def join(self, fields: Mapping[str, Any]) -> jax.Array:
        """Fields as a state, float32 [state_bits]; those left out are 0."""
        return jnp.concatenate(
            [
                jnp.asarray(fields[name], jnp.float32).reshape(-1)
                if name in fields
                else jnp.zeros(math.prod(shape), jnp.float32)
                for name, shape in self.fields
            ]
        )

    # --- the expanded form -------------------------------------------------------------------------------------------

    def requirements(self) -> np.ndarray:
        """What each template needs: int8 [size, state_bits]; 1 and -1 for a bit that must be 1 or 0, 0 for any.

        A template that needs a 1 outside its field, and so never matches, has 2 in its first column.
        """
        rows = np.zeros((self.size, self.state_bits), np.int8)
        for first, family in self._numbered():
            index = np.indices(family.axes).reshape(len(family.axes), -1)
            for condition in family.when:
                places, values = self._places(condition, index)
                for place, value in zip(places, values, strict=True):
                    inside = place >= 0
                    needed = np.nonzero(inside & (value != 0))[0]
                    rows[first + needed, place[needed]] = value[needed]
                    rows[first + np.nonzero(~inside & (value > 0))[0], 0] = 2
        return rows

    def labels(self) -> np.ndarray:
        """The training labels, float32 [size, state_bits]; the training inputs are the identity."""
        rows = np.zeros((self.size, self.state_bits), np.float32)
        for first, family in self._numbered():
            index = np.indices(family.axes).reshape(len(family.axes), -1)
            for assertion in family.then:
                places, values = self._places(assertion, index)
                for place, value in zip(places, values, strict=True):
                    asserted = np.nonzero((place >= 0) & (value > 0))[0]
                    rows[first + asserted, place[asserted]] = 1
        return rows

    def listed(self) -> Iterator[tuple[list[tuple[int, int]], list[int]]]:
        """Template by template: the state bits it needs, each with its value, and those it asserts.

        One that needs a 1 outside its field never matches, and is left out.
        """
        for family in self.families:
            index = np.indices(family.axes).reshape(len(family.axes), -1)
            needs = [self._places(condition, index) for condition in family.when]
            gives = [self._places(assertion, index) for assertion in family.then]
            for column in range(family.size):
                needed = [pair for each in needs for pair in _said(each, column)]
                if (-1, 1) not in needed:
                    asserted = [place for each in gives for place, value in _said(each, column) if value and place >= 0]
                    yield [pair for pair in needed if pair[0] >= 0], asserted

    def label_counts(self) -> np.ndarray:
        """How many templates assert each bit (c in the formulas): int [state_bits]."""
        counts = np.zeros(self.state_bits, int)
        for _, family in self._numbered():
            index = np.indices(family.axes).reshape(len(family.axes), -1)
            for assertion in family.then:
                places, values = self._places(assertion, index)
                np.add.at(counts, places[(places >= 0) & (values > 0)], 1)
        return counts

    def _numbered(self) -> list[tuple[int, StateFamily]]:
        firsts = np.cumsum([0, *(family.size for family in self.families)])
        return [(int(first), family) for first, family in zip(firsts, self.families, strict=False)]

    def _places(self, term: Bit | Word, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """State bits a term names and what it says of them (1, -1, 0 for nothing): two int arrays [bits, templates]."""
        shape, offset = self.shapes[term.field], self.offsets[term.field]
        if isinstance(term, Word):
            said = np.array([[{"1": 1, "0": -1, "-": 0}[each] for each in pattern] for pattern in term.patterns])
            values = said[index[term.axis]].T
            return np.broadcast_to(offset + np.arange(shape[0])[:, None], values.shape), values
        place, inside = np.zeros(index.shape[1], int), np.ones(index.shape[1], bool)
        for length, at in zip(shape, term.at, strict=True):
            along = index[at.number] + at.shift if isinstance(at, Axis) else np.full(index.shape[1], at % length)
            inside &= (along >= 0) & (along < length)
            place = place * length + along
        return np.where(inside, offset + place, -1)[None], np.full((1, index.shape[1]), 1 if term.value else -1)

    # --- the fast form -----------------------------------------------------------------------------------------------

    def match(self, fields: Mapping[str, jax.Array]) -> tuple[jax.Array, ...]:
        """Fields, float32 of 0 and 1 -> which templates match: for each family a float32 array of its axes."""
        return tuple(self._match(family, fields) for family in self.families)

    def collect(self, matched: Sequence[jax.Array]) -> jax.Array:
        """Matched templates -> how many of them assert each bit of the next state (m): float32 [state_bits]."""
        parts: dict[str, list[jax.Array]] = {name: [] for name, _ in self.fields}
        for family, found in zip(self.families, matched, strict=True):
            for assertion in family.then:
                parts[assertion.field].append(self._assert(assertion, family, found))
        return self.join({name: functools.reduce(operator.add, each) for name, each in parts.items() if each})

    def _match(self, family: StateFamily, fields: Mapping[str, jax.Array]) -> jax.Array:
        factors = [self._condition(term, family, fields[term.field]) for term in family.when]
        return jnp.broadcast_to(functools.reduce(operator.mul, factors), family.axes)

    def _condition(self, term: Bit | Word, family: StateFamily, field: jax.Array) -> jax.Array:
        """1 where a condition holds: float32, of length 1 along the axes it does not depend on."""
        shape = [1] * len(family.axes)
        if isinstance(term, Word):
            said = np.array([list(pattern) for pattern in term.patterns])
            shape[term.axis] = len(said)
            # Each bit contributes itself, its complement, or 1.
            slope = (said == "1").astype(np.float32) - (said == "0").astype(np.float32)
            return jnp.prod(field[None, :] * slope + (said != "1").astype(np.float32), axis=1).reshape(shape)
        order = []
        for dimension, at in reversed(list(enumerate(term.at))):
            if isinstance(at, Axis):
                length = family.axes[at.number]
                field = _window(field, dimension, at.shift, length)
                shape[at.number] = length
                order.insert(0, at.number)
            else:
                field = jax.lax.index_in_dim(field, at % field.shape[dimension], dimension, keepdims=False)
        field = jnp.transpose(field, [order.index(axis) for axis in sorted(order)]).reshape(shape)
        return field if term.value else 1 - field

    def _assert(self, term: Bit | Word, family: StateFamily, found: jax.Array) -> jax.Array:
        """How many matched templates of a family assert each bit of a field, by one assertion: of the field's shape."""
        kept = [term.axis] if isinstance(term, Word) else [at.number for at in term.at if isinstance(at, Axis)]
        counted = found.sum(tuple(axis for axis in range(len(family.axes)) if axis not in kept))
        if isinstance(term, Word):
            written = np.array([[each == "1" for each in pattern] for pattern in term.patterns], np.float32)
            return (counted[:, None] * written).sum(0)
        counted = jnp.transpose(counted, [sorted(kept).index(axis) for axis in kept])
        for dimension, (length, at) in enumerate(zip(self.shapes[term.field], term.at, strict=True)):
            if isinstance(at, Axis):
                counted = _window(counted, dimension, -at.shift, length)
            else:
                here = at % length
                counted = _window(jnp.expand_dims(counted, dimension), dimension, -here, length)
        return counted


def _said(term: tuple[np.ndarray, np.ndarray], column: int) -> list[tuple[int, int]]:
    """What a term says of state bits at one index: (bit, or -1 outside its field; 1 or 0)."""
    places, values = (each[:, column].tolist() for each in term)
    return [(place, int(value > 0)) for place, value in zip(places, values, strict=True) if value]


def _window(field: jax.Array, dimension: int, shift: int, length: int) -> jax.Array:
    """Indices shift .. shift + length - 1 of an array along a dimension, 0 where there is none."""
    low, high = max(shift, 0), min(shift + length, field.shape[dimension])
    inside = jax.lax.slice_in_dim(field, low, max(high, low), axis=dimension)
    padding = [(0, 0)] * field.ndim
    lead = min(max(-shift, 0), length)
    padding[dimension] = (lead, length - lead - inside.shape[dimension])
    return jnp.pad(inside, padding)


# --- lists of templates ----------------------------------------------------------------------------------------------

NamedBit = tuple[str, int]  # (field, index)


class Template(NamedTuple):
    """When every bit of `when` has its value, the bits `then` are 1."""

    when: tuple[tuple[NamedBit, int], ...]  # (bit, 0 or 1)
    then: tuple[NamedBit, ...]


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
    def input_bits(self) -> int:
        """Number of inputs of the network: a coordinate for each template."""
        return self.size

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


def _places(fields: tuple[tuple[str, int], ...]) -> dict[NamedBit, int]:
    """Where each bit stands when the fields are laid end to end."""
    names = [(field, index) for field, length in fields for index in range(length)]
    return {bit: place for place, bit in enumerate(names)}
