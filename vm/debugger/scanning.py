"""Stops with a condition, found in many recorded steps at once: the loop need not be left at each of their hits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vm.debugger import points
from vm.debugger.expressions import Parsed, parsed
from vm.debugger.points import StopPoint
from vm.debugger.vectors import Rows, is_true, values


class Scanner:
    """The stops of a session that its loop does not know.

    `passed` are those that were ignored after the last of the steps looked at, and have been counted.
    """

    def __init__(self, stops: list[StopPoint], names: Mapping[str, int]) -> None:
        self._stops = [
            (point, parsed(point.condition) if point.condition else None)
            for point in stops
            if point.enabled and point.is_scanned
        ]
        self._names = names
        self.passed: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._stops)

    def first(self, rows: Rows, is_changed_after: bool = False) -> int | None:
        """The first row after which to stop; hits before it that are ignored are counted.

        is_changed_after: something was changed by hand after the last step, which may make a condition true.
        """
        last = len(rows) - 1
        hits = []
        for point, condition in self._stops:
            found = self._hits(point, condition, rows, self._after(point, rows), 0)
            if is_changed_after and point.kind == points.BREAK and rows.arrived[last] == point.address:
                found = np.union1d(found, [last])
            hits.append(found)
        reached = [int(found[point.ignored]) for (point, _), found in zip(self._stops, hits, strict=True)
                   if len(found) > point.ignored]  # fmt: skip
        stop = min(reached, default=None)
        self.passed.clear()
        for (point, _), found in zip(self._stops, hits, strict=True):
            passed = int(np.searchsorted(found, last + 1 if stop is None else stop))
            passed = min(passed, point.ignored)
            point.ignored -= passed
            point.hits += passed
            if passed and stop is None and found[-1] == last:
                self.passed.add(point.number)
        return stop

    def last(self, rows: Rows) -> int | None:
        """The last row before which a break stands, or that did what a watch waits for, going backwards."""
        found = []
        for point, condition in self._stops:
            if point.kind == points.BREAK:
                stood = np.flatnonzero(rows.record.pcs == point.address)
                hits = self._hits(point, condition, rows, stood, -1)
            else:
                hits = self._hits(point, condition, rows, self._after(point, rows), 0)
            if len(hits):
                found.append(int(hits[-1]))
        return max(found, default=None)

    def _hits(self, point: StopPoint, condition: Parsed | None, rows: Rows, found: np.ndarray, lag: int) -> np.ndarray:
        if condition is None or not len(found):
            return found
        return found[is_true(values(condition, self._names, rows, found + lag))]

    def _after(self, point: StopPoint, rows: Rows) -> np.ndarray:
        """The rows after which a stop applies, its condition aside."""
        if point.kind == points.BREAK:
            return np.flatnonzero(rows.arrived == point.address)
        if point.kind == points.VALUE:
            seen = values(parsed(point.text), self._names, rows, np.arange(-1, len(rows)))
            same = (seen.data[1:] == seen.data[:-1]) & (seen.is_known[1:] == seen.is_known[:-1])
            return np.flatnonzero(~same.astype(np.bool_))
        written = _between(rows.addresses, point)
        if point.kind == points.WATCH:
            return np.flatnonzero(written)
        read = rows.words(rows.record.pcs.astype(np.int64), np.arange(-1, len(rows) - 1))
        if rows.word_bits <= 32:
            read &= (1 << rows.word_bits) - 1
        return np.flatnonzero(_between(read, point) | written)


def _between(addresses: np.ndarray, point: StopPoint) -> np.ndarray:
    return (addresses >= point.address) & (addresses <= point.last)
