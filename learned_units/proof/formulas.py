"""Formulas over bits that may be 0 or 1, for proofs that run a circuit on symbols.

Two formulas are compared as they stand, which is enough where both are made here: what is simplified is in the
constructors `opposite`, `all_of`, `some_of` and `choice`, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bit:
    """A bit of a field, which may be 0 or 1."""

    field: str
    index: int


@dataclass(frozen=True)
class Not:
    """The other value."""

    of: Formula


@dataclass(frozen=True)
class All:
    """Whether all are 1."""

    of: frozenset[Formula]


@dataclass(frozen=True)
class Some:
    """Whether one at least is 1."""

    of: frozenset[Formula]


@dataclass(frozen=True)
class Choice:
    """One of two, as the flag says."""

    flag: Formula
    yes: Formula
    no: Formula


Formula = int | Bit | Not | All | Some | Choice  # 0 and 1 are themselves


def opposite(formula: Formula) -> Formula:
    """Its negation."""
    if isinstance(formula, int):
        return 1 - formula
    return formula.of if isinstance(formula, Not) else Not(formula)


def all_of(formulas: Iterable[Formula]) -> Formula:
    """Their conjunction: 1 says nothing; 0, or a formula and its negation, make it 0."""
    parts: set[Formula] = set()
    for each in formulas:
        parts |= each.of if isinstance(each, All) else {each}
    parts.discard(1)
    if 0 in parts or any(each.of in parts for each in parts if isinstance(each, Not)):
        return 0
    return _joined(All, parts, 1)


def some_of(formulas: Iterable[Formula]) -> Formula:
    """Their disjunction: 0 says nothing; 1 makes it 1."""
    parts: set[Formula] = set()
    for each in formulas:
        parts |= each.of if isinstance(each, Some) else {each}
    parts.discard(0)
    return 1 if 1 in parts else _joined(Some, parts, 0)


def choice(flag: Formula, yes: Formula, no: Formula) -> Formula:
    """flag ? yes : no, as a conjunction or a disjunction where one of the three is known."""
    if isinstance(flag, int):
        return yes if flag else no
    if yes == no:
        return yes
    if no == 0:
        return all_of((flag, yes))
    if yes == 0:
        return all_of((opposite(flag), no))
    if yes == 1:
        return some_of((flag, no))
    if no == 1:
        return some_of((opposite(flag), yes))
    return Choice(flag, yes, no)


def symbols(field: str, length: int) -> list[Formula]:
    """The bits of a field of which nothing is known."""
    return [Bit(field, index) for index in range(length)]


def equals(word: Sequence[Formula], value: int) -> Formula:
    """Whether a word, least significant bit first, is a number."""
    return all_of(bit if value >> i & 1 else opposite(bit) for i, bit in enumerate(word))


def _joined(kind: type[All] | type[Some], parts: set[Formula], neutral: int) -> Formula:
    if len(parts) > 1:
        return kind(frozenset(parts))
    return parts.pop() if parts else neutral
