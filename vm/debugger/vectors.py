"""An expression over many recorded steps at once: the same values as one by one, exactly.

Numbers that are sure to fit are numpy's, all others Python's own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assembler.expressions import MAX_VALUE_BITS
from assembler.parsing import parse_expression
from assembler.syntax import Binary, Name, Number, Unary
from vm.chunk import Record
from vm.debugger.expressions import PC, STEP, Parsed

FITS = 1 << 63


@dataclass(frozen=True)
class Values:
    """A value for each row. data: int64 or Python's ints [rows]; is_known: bool [rows], False where there is none."""

    data: np.ndarray
    is_known: np.ndarray
    bound: int  # no value is larger, in either direction


class Rows:
    """Steps that followed each other, and the memory before them. What is looked at is the machine after a step."""

    def __init__(self, record: Record, first: int, next_pc: int, memory: np.ndarray, word_bits: int) -> None:
        self.record = record
        self.first = first
        self.memory = memory
        self.word_bits = word_bits
        self.arrived = np.append(record.pcs[1:], np.array(next_pc).astype(record.pcs.dtype)).astype(np.int64)
        self.addresses = record.addresses.astype(np.int64)
        self._order: np.ndarray | None = None
        self._keys = np.array([], np.int64)

    def __len__(self) -> int:
        return len(self.record.pcs)

    def words(self, addresses: np.ndarray | int, rows: np.ndarray) -> np.ndarray:
        """The signed words at addresses of the memory after some of the steps: int64 [rows]. -1 stands for "before"."""
        if isinstance(addresses, int):
            written = np.flatnonzero(self.addresses == addresses)
            last = np.searchsorted(written, rows, side="right") - 1
            words = np.full(len(rows), self.memory[addresses], np.uint64)
            words[last >= 0] = self.record.words[written[last[last >= 0]]]
            return self._signed(words)
        if self._order is None:
            self._order = np.argsort(self.addresses, kind="stable")
            self._keys = self.addresses[self._order] * (len(self) + 1) + self._order
        words = self.memory[addresses].astype(np.uint64)
        last = np.searchsorted(self._keys, addresses * (len(self) + 1) + rows, side="right") - 1
        found = self._order[last]
        is_written = (last >= 0) & (self.addresses[found] == addresses)
        words[is_written] = self.record.words[found[is_written]]
        return self._signed(words)

    def _signed(self, words: np.ndarray) -> np.ndarray:
        shift = np.uint64(64 - self.word_bits)
        return (words << shift).view(np.int64) >> np.int64(shift)


def values(expression: Parsed, names: Mapping[str, int], rows: Rows, at: np.ndarray) -> Values:
    """The value of an expression after some of the steps; `at` are their rows, -1 for the state before them all."""
    parsed = parse_expression(expression.text, "<expression>")
    stack: list[Values] = []
    reads = {name: _read(values(inner, names, rows, at), rows, at) for name, inner in expression.reads.items()}
    for operation in parsed.operations:
        match operation:
            case Number(value):
                stack.append(_constant(value, len(at)))
            case Name(text) if text in reads:
                stack.append(reads[text])
            case Name(text) if text == PC or (text == "pc" and text not in names):
                pcs = np.where(at >= 0, rows.arrived[at], int(rows.record.pcs[0]))
                stack.append(Values(_as_signed(pcs, rows.word_bits), np.ones(len(at), np.bool_), FITS - 1))
            case Name(text) if text == STEP or (text == "step" and text not in names):
                stack.append(Values(at + rows.first + 1, np.ones(len(at), np.bool_), 1 << 62))
            case Name(text):
                stack.append(_constant(names[text], len(at)))
            case Unary(sign):
                stack.append(_unary(sign, stack.pop()))
            case Binary(sign):
                right, left = stack.pop(), stack.pop()
                stack.append(_binary(sign, left, right))
            case _:
                raise AssertionError("an expression outside of a program has no other operations")
    # A word that cannot be read is an error, whatever it is needed for.
    is_known = np.logical_and.reduce([stack[0].is_known, *(read.is_known for read in reads.values())])
    return Values(stack[0].data, is_known, stack[0].bound)


def is_true(found: Values) -> np.ndarray:
    """Where a condition holds, and where it has no value: bool [rows]."""
    return ~found.is_known | (found.data != 0).astype(np.bool_)


def _constant(value: int, count: int) -> Values:
    kind = np.int64 if abs(value) < FITS else object
    data = np.full(count, value, kind) if kind is np.int64 else np.array([value] * count, object)
    return Values(data, np.ones(count, np.bool_), abs(value))


def _as_signed(words: np.ndarray, word_bits: int) -> np.ndarray:
    if word_bits >= 33:  # rows keep the lower half of a pc: beyond it the machine has halted
        return words
    sign = 1 << word_bits - 1
    return np.where(words & sign, words - 2 * sign, words)


def _read(where: Values, rows: Rows, at: np.ndarray) -> Values:
    console, size = (1 << rows.word_bits) - 1, len(rows.memory)
    # Words that are no addresses have no value; address 0 stands in for them.
    inside = (where.data >= -size) & (where.data < size)
    if console < 2 * size:  # a negative word may be an address
        inside = (where.data >= -(console + 1) // 2) & (where.data < console)
    addresses = np.where(inside, where.data, 0).astype(np.int64)
    if console < 2 * size:
        addresses = np.where(addresses < 0, addresses + (console + 1), addresses)
    is_known = where.is_known & inside & (addresses >= 0) & (addresses < size) & (addresses != min(console, 1 << 62))
    is_known = is_known.astype(np.bool_)
    addresses = np.where(is_known, addresses, 0)
    same = len(addresses) > 0 and bool((addresses == addresses[0]).all())
    data = rows.words(int(addresses[0]) if same else addresses, at)
    return Values(data, is_known, 1 << rows.word_bits - 1)


_UNARY: dict[str, Callable[[Any], Any]] = {"+": operator.pos, "-": operator.neg, "~": operator.invert}
_EXACT: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
_BOUND: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.add,
    "*": operator.mul,
    "&": lambda a, b: 2 * max(a, b) + 1,
    "|": lambda a, b: 2 * max(a, b) + 1,
    "^": lambda a, b: 2 * max(a, b) + 1,
}
_COMPARED = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _unary(sign: str, value: Values) -> Values:
    if sign == "!":
        return Values((value.data == 0).astype(np.int64), value.is_known, 1)
    bound = value.bound + 1
    data = value.data if bound < FITS else value.data.astype(object)
    return _limited(_UNARY[sign](data), value.is_known, bound)


def _binary(sign: str, left: Values, right: Values) -> Values:
    both = left.is_known & right.is_known
    if sign in ("&&", "||"):
        true_left, true_right = (left.data != 0).astype(np.bool_), (right.data != 0).astype(np.bool_)
        # As in C, the right side does not matter where the left one decides.
        decided = left.is_known & (~true_left if sign == "&&" else true_left)
        result = true_left & true_right if sign == "&&" else true_left | true_right
        return Values(result.astype(np.int64), both | decided, 1)
    if sign in _COMPARED:
        return Values(_COMPARED[sign](left.data, right.data).astype(np.int64), both, 1)
    if sign in _EXACT:
        bound = _BOUND[sign](left.bound, right.bound)
        a, b = (left.data, right.data) if bound < FITS else (left.data.astype(object), right.data.astype(object))
        return _limited(_EXACT[sign](a, b), both, bound)
    return _one_by_one(sign, left, right, both)


def _limited(data: np.ndarray, is_known: np.ndarray, bound: int) -> Values:
    """Values with those of too many bits left out."""
    if bound.bit_length() > MAX_VALUE_BITS:
        fits = np.array([value.bit_length() <= MAX_VALUE_BITS for value in data.tolist()], np.bool_)
        data, is_known, bound = np.where(fits, data, 0), is_known & fits, (1 << MAX_VALUE_BITS) - 1
    return Values(data, is_known, bound)


def _one_by_one(sign: str, left: Values, right: Values, both: np.ndarray) -> Values:
    """Divisions and shifts, as the assembler does them."""
    data, is_known, bound = np.zeros(len(both), object), both.copy(), 0
    for row, (a, b) in enumerate(zip(left.data.tolist(), right.data.tolist(), strict=True)):
        value = _divided_or_shifted(sign, a, b) if both[row] else None
        is_known[row] = value is not None
        data[row] = value or 0
        bound = max(bound, abs(value or 0))
    return Values(data.astype(np.int64) if bound < FITS else data, is_known, bound)


def _divided_or_shifted(sign: str, a: int, b: int) -> int | None:
    if sign in ("/", "%"):
        return None if b == 0 else a // b if sign == "/" else a % b
    if b < 0:
        return None
    if sign == ">>":
        return a >> min(b, MAX_VALUE_BITS)
    if a and a.bit_length() + b > MAX_VALUE_BITS:
        return None
    return a << b if a else 0
