"""Which calls have not returned, read off the recorded steps.

A `call` is entered where a step leaves its expansion for somewhere else, and has returned where the code of a `ret`
arrives at what follows it. Where several open calls lead there, the last one has returned; those above it have been
abandoned. A `ret` that goes where no open call came from is a jump, as after `push`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vm.debugger.history import History
from vm.debugger.source import Source

NO_CALL = -1


@dataclass(frozen=True, eq=False)
class Frame:
    """A call that has not returned."""

    call: int  # the first word of the expansion of `call`
    returns: int  # where its `ret` goes
    left: int  # the step at which the expansion had been left: the routine begins there or soon after
    depth: int  # 1 where the program itself called
    caller: Frame | None


class Calls:
    """Where a program calls and what its calls return to, as far as its source tells."""

    def __init__(self, source: Source) -> None:
        self._calls = source.calls()
        self._within = np.full(source.size + 1, NO_CALL, np.int64)  # the last entry stands for all addresses outside
        self._follows = np.zeros(source.size + 1, np.bool_)
        for index, (start, end) in enumerate(self._calls):
            self._within[start:end] = index
            self._follows[min(end, source.size)] = True
        self._follows[source.size] = False
        self._ends = np.array([end for _, end in self._calls] + [0])  # the last entry is that of NO_CALL
        self._returning = np.append(source.returning, False) if source.returning.any() else None

    def __bool__(self) -> bool:
        return bool(self._calls)

    def changes(
        self, top: Frame | None, pcs: np.ndarray, arrived: np.ndarray, first: int
    ) -> Iterator[tuple[int, Frame | None]]:
        """The steps after which another call is the innermost open one, as rows of some steps, and that call.

        top: the innermost open call before them. pcs, arrived: where each stood and where it led to, int [steps], at
        most the size of the source. first: the number of the first of them.
        """
        within = self._within[pcs]
        leaves = (within != NO_CALL) & (self._within[arrived] != within) & (arrived != self._ends[within])
        comes = self._follows[arrived]
        if self._returning is not None:
            comes &= self._returning[pcs]
        else:
            comes &= (within == NO_CALL) | (arrived != self._ends[within])
        for row in np.flatnonzero(leaves | comes).tolist():
            if leaves[row]:
                start, end = self._calls[int(within[row])]
                top = Frame(start, end, first + row + 1, top.depth + 1 if top is not None else 1, top)
            else:
                top = _returned(top, int(arrived[row]))
            yield row, top


class CallStack:
    """The open calls at any recorded step. What was found is kept at some steps, to be gone on from."""

    def __init__(self, source: Source, history: History) -> None:
        self._history = history
        self._calls = Calls(source)
        self._nowhere = source.size
        self._known: list[tuple[int, Frame | None]] = []

    def at(self, step: int) -> Frame | None:
        """The innermost open call at a step that is kept."""
        if not self._calls:
            return None
        index = bisect.bisect_right(self._known, step, key=lambda each: each[0])
        began, top = self._known[index - 1] if index else (self._history.first, None)
        if began < self._history.first:
            began, top = self._history.first, None
        for first, piece in self._history.slices(began, step):
            last = first + len(piece.pcs)
            arrived = np.append(piece.pcs[1:], np.array(self._history.pc_at(last)).astype(np.uint32))
            for _, changed in self._calls.changes(top, piece.pcs, np.minimum(arrived, self._nowhere), first):
                top = changed
            self._known.insert(index, (last, top))
            index += 1
        return top

    def forget(self, step: int) -> None:
        """What is recorded from this step on has changed."""
        self._known = [each for each in self._known if each[0] < step]


def _returned(top: Frame | None, to: int) -> Frame | None:
    """The innermost open call after a return; the same where no open call came from there."""
    frame = top
    while frame is not None and frame.returns != to:
        frame = frame.caller
    return top if frame is None else frame.caller
