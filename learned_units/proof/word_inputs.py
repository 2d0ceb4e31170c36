"""What each network of the paper's form, one network for the whole word, can receive, each network by itself.

Once the passes before it are right, a network sees only what right passes write. So its inputs are those of a run in
which every pass answers what its templates specify. They are found without any weights, for many pairs of words at
once: a line, or where a family matches, is one integer a pair, whose bit i belongs to position i.

An input is listed as the family matched at each position, or -1: int8 [positions].
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from learned_units.circuits import subtract_branch
from learned_units.circuits.passes import Read
from learned_units.circuits.templates import TemplateSet

MOST_LISTED_BITS = 8  # of a word for which the inputs of `first` are listed one by one
MOST_BITS = 16  # of a word for which they are listed at all
CHUNK = 1 << 20  # pairs of words run at once


class Halves(NamedTuple):
    """Inputs as every row of `low` with every row of `high`: int8 [rows, positions of the half]."""

    low: np.ndarray
    high: np.ndarray

    def listed(self) -> np.ndarray:
        """One by one: int8 [inputs, positions], the rows of `low` running fastest."""
        low, high = np.tile(self.low, (len(self.high), 1)), np.repeat(self.high, len(self.low), axis=0)
        return np.concatenate([low, high], axis=1)


def by_network(word_bits: int) -> dict[str, np.ndarray]:
    """The distinct inputs of each network, int8 [inputs, positions].

    Where a schedule has no pass `prefix`, it receives none. Raises ValueError for words whose pairs are too many.
    """
    if word_bits > MOST_LISTED_BITS:
        raise ValueError(
            f"all pairs of {word_bits}-bit words are too many to list; up to {MOST_LISTED_BITS} bits they are few"
        )
    first = np.concatenate([halves.listed() for halves in first_in_halves(word_bits)])
    return {"first": first, **after_first(word_bits)}


def first_in_halves(word_bits: int) -> list[Halves]:
    """The distinct inputs of `first`, each once.

    What the high half can be is decided by the topmost bits of the low half. Where the low half leaves these open, as
    equal bits above a 1 - 0 that match nothing, the high half can be what any of them make of it. Raises ValueError
    above MOST_BITS.
    """
    check(word_bits)
    template_set = subtract_branch.template_sets(word_bits)["first"]
    low_bits = word_bits // 2
    high_bits = word_bits - low_bits

    def codes(positions: int, below: int) -> tuple[np.ndarray, np.ndarray]:
        """What every pair of half words matches above the pair of bits `below`; and its own topmost pair."""
        every = np.arange(1 << (2 * positions), dtype=np.uint32)
        a, b = every >> np.uint32(positions), every & np.uint32((1 << positions) - 1)
        lines = {
            "a": a,
            "b": b,
            "a_below": a << np.uint32(1) | np.uint32(below >> 1),
            "b_below": b << np.uint32(1) | np.uint32(below & 1),
        }
        top = np.uint32(positions - 1)
        return _code(_families(template_set, lines, positions), positions), (a >> top) << np.uint32(1) | b >> top

    low, top = codes(low_bits, 0)
    distinct, place = np.unique(low, return_inverse=True)
    possible = np.zeros(len(distinct), np.uint32)  # which pairs can be topmost, one bit for each
    np.bitwise_or.at(possible, place.reshape(-1), np.uint32(1) << top)
    found = []
    for pairs in np.unique(possible):
        high = np.unique(np.concatenate([codes(high_bits, pair)[0] for pair in range(4) if pairs >> pair & 1]))
        found.append(Halves(_inputs(distinct[possible == pairs], low_bits), _inputs(high, high_bits)))
    return found


@functools.cache
def after_first(word_bits: int) -> dict[str, np.ndarray]:
    """The distinct inputs of the other networks.

    `first` writes of two ones what it writes of two zeros, so those of `prefix` and `difference` are reached by the
    pairs that have no 1 in common. `select` reads target and fall-through as well: for either flag, any set of
    positions. `any`, which only SUBLEQ needs: any set of positions. Raises ValueError above MOST_BITS.
    """
    check(word_bits)
    sets = subtract_branch.template_sets(word_bits)
    met: dict[str, list[np.ndarray]] = {"prefix": [], "difference": []}
    low_bits = word_bits // 2
    low_a, low_b = _without_common_ones(low_bits)
    high_a, high_b = (each << np.uint32(low_bits) for each in _without_common_ones(word_bits - low_bits))
    at_once = max(1, CHUNK // len(low_a))
    for start in range(0, len(high_a), at_once):
        part = slice(start, start + at_once)
        a, b = ((high[part, None] | low).reshape(-1) for high, low in ((high_a, low_a), (high_b, low_b)))
        for network, code in _run(sets, word_bits, a, b):
            if network in met:
                met[network].append(np.unique(code))
    none = np.empty(0, np.uint64)
    found = {name: _inputs(np.unique(np.concatenate([none, *codes])), word_bits) for name, codes in met.items()}
    every = np.arange(1 << word_bits)
    chosen = (every[:, None] >> np.arange(word_bits) & 1) > 0
    either = np.concatenate([np.where(chosen, flag, -1) for flag in (0, 1)])
    found["select"] = np.unique(either.astype(np.int8), axis=0)
    found["any"] = sets["any"].reachable_inputs()
    return found


def check(word_bits: int) -> None:
    """Raise ValueError for words that are too long to list what their networks receive."""
    if word_bits > MOST_BITS:
        raise ValueError(
            f"what one network receives for words of {word_bits} bits is too much to enumerate; up to {MOST_BITS} bits "
            "it can be done, beyond that a number of cases must be given"
        )


def _without_common_ones(word_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of words that have no 1 at the same position, uint32."""
    every = np.arange(1 << (2 * word_bits), dtype=np.uint32)
    a, b = every >> np.uint32(word_bits), every & np.uint32((1 << word_bits) - 1)
    kept = (a & b) == 0
    return a[kept], b[kept]


def _run(
    sets: Mapping[str, TemplateSet], word_bits: int, a: np.ndarray, b: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """The passes up to the difference, each answering what its templates specify: its network, and what it received."""
    fields = {"a": a, "b": b}
    for step in subtract_branch.schedule(word_bits, "sbn", word_bits):
        if step.network == "select":
            return
        template_set = sets[step.network]
        lines = {}
        for line, source in step.reads:
            assert isinstance(source, Read)
            lines[line] = fields[source.field] << np.uint32(source.shift)
        families = _families(template_set, lines, word_bits)
        yield step.network, _code(families, word_bits)
        written = dict(step.writes)
        for output in template_set.outputs:
            asserting = [
                each for each, family in zip(families, template_set.families, strict=True) if output in family.then
            ]
            fields[written[output]] = functools.reduce(np.bitwise_or, asserting)


def _families(template_set: TemplateSet, lines: Mapping[str, np.ndarray], positions: int) -> list[np.ndarray]:
    """Where each family matches: uint32 [pairs], bit i for position i."""
    mask = np.uint32((1 << positions) - 1)
    found = []
    for family in template_set.families:
        holding = [lines[line] if bit else ~lines[line] for line, bit in family.when]
        found.append(functools.reduce(np.bitwise_and, holding) & mask)
    return found


def _code(families: list[np.ndarray], positions: int) -> np.ndarray:
    """Inputs as integers, uint64: one more than the family at each position, in planes of bits."""
    planes = []
    for plane in range(len(families).bit_length()):
        parts = [each for number, each in enumerate(families, 1) if number >> plane & 1]
        planes.append(functools.reduce(np.bitwise_or, parts).astype(np.uint64) << np.uint64(plane * positions))
    return functools.reduce(np.bitwise_or, planes)


def _inputs(codes: np.ndarray, positions: int) -> np.ndarray:
    """Integers as inputs, int8 [inputs, positions]."""
    found = np.full((len(codes), positions), -1, np.int8)
    for plane in range(64 // positions):
        part = codes >> np.uint64(plane * positions)
        for position in range(positions):
            found[:, position] += (part >> np.uint64(position) & np.uint64(1)).astype(np.int8) << plane
    return found
