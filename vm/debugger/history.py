"""What happened, step by step: enough to go back to any step that is kept, and forward again, without a network.

A step takes 17 bytes at up to 16 bits a word, 21 at up to 32, 29 above. Positions are step numbers: the machine "at
step k" has executed the steps 0 … k-1 and has seen every change by hand that was made before step k was executed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vm.chunk import Record
from vm.debugger.present import Edit, Present

DEFAULT_STEPS = 10_000_000
BLOCK = 1 << 16


class StepAccount(NamedTuple):
    """One executed step, whole. Words are unsigned."""

    step: int
    pc: int
    a: int
    b: int
    c: int
    minuend: int  # mem[B] before; 0 where B is the console
    subtrahend: int  # mem[A]; 0 where A is the console
    address: int  # written; 2^word_bits - 1 is the console
    word: int  # written
    next_pc: int
    margin: float


class History:
    """The steps from `first` up to, not including, `end`, and the changes by hand between them.

    At least the last `limit` steps are kept; the oldest are dropped in blocks.
    """

    def __init__(self, word_bits: int, limit: int = DEFAULT_STEPS) -> None:
        self.limit = limit
        self.first = 0
        self.end = 0
        self.edits: list[Edit] = []
        self.console = (1 << word_bits) - 1
        self._end_pc = 0
        self._word = np.dtype(np.uint16 if word_bits <= 16 else np.uint32 if word_bits <= 32 else np.uint64)
        self._block = min(BLOCK, max(1, limit // 8))
        self._blocks: deque[Record] = deque()

    def append(self, record: Record, next_pc: int) -> None:
        """Take in steps that follow the last one, and where they led to."""
        count, taken = len(record.pcs), 0
        while taken < count:
            block, offset = divmod(self.end - self.first, self._block)
            if block == len(self._blocks):
                self._blocks.append(self._new_block())
            room = min(self._block - offset, count - taken)
            for column, values in zip(self._blocks[block], record, strict=True):
                column[offset : offset + room] = values[taken : taken + room].astype(column.dtype)
            taken += room
            self.end += room
        self._end_pc = next_pc
        while self.end - self.first - self._block >= self.limit:
            self._blocks.popleft()
            self.first += self._block
            self.edits = [edit for edit in self.edits if edit.step >= self.first]

    def add_edit(self, edit: Edit) -> None:
        """Take in a change that has been made at the end."""
        self.edits.append(edit)
        self._end_pc = edit.after.pc

    def truncate(self, present: Present) -> int:
        """Forget what was recorded after the present. Returns how many steps that were."""
        dropped = self.end - present.step
        self.end = present.step
        self.edits = [edit for edit in self.edits if edit.step <= present.step]
        self._end_pc = present.pc
        while (len(self._blocks) - 1) * self._block >= self.end - self.first and self._blocks:
            self._blocks.pop()
        return dropped

    def take_back(self, present: Present) -> Edit | None:
        """Undo the last change at or before the present, and forget all that came after. None if there is none kept."""
        made = sum(edit.step <= present.step for edit in self.edits)
        if made == 0:
            return None
        edit = self.edits[made - 1]
        self.go(present, edit.step)
        present.revert(edit)
        self.edits = self.edits[: made - 1]
        self.truncate(present)
        return edit

    def pc_at(self, step: int) -> int:
        """Where the machine stood at a step."""
        if step == self.end:
            return self._end_pc
        block, offset = divmod(step - self.first, self._block)
        return int(self._blocks[block].pcs[offset])

    def slices(self, first: int, last: int, backwards: bool = False) -> Iterator[tuple[int, Record]]:
        """The steps first … last-1 in pieces: the number of a piece's first step, and its columns."""
        if first >= last:
            return
        blocks = range((first - self.first) // self._block, (last - 1 - self.first) // self._block + 1)
        for index in reversed(blocks) if backwards else blocks:
            start = self.first + index * self._block
            low, high = max(first - start, 0), min(last - start, self._block)
            yield start + low, Record(*(column[low:high] for column in self._blocks[index]))

    def go(self, present: Present, step: int) -> None:
        """Bring the present to another step that is kept."""
        if step < present.step:
            for edit in reversed([edit for edit in self.edits if step < edit.step <= present.step]):
                self._undo(present, edit.step)
                present.revert(edit)
            self._undo(present, step)
        else:
            for edit in [edit for edit in self.edits if present.step < edit.step <= step]:
                self._redo(present, edit.step)
                present.apply(edit)
            self._redo(present, step)

    def accounts(self, present: Present, count: int) -> list[StepAccount]:
        """The last `count` steps before the present, as far as they are kept."""
        overlay: dict[int, int] = {}
        memory, size = present.memory, len(present.memory)

        def read(address: int) -> int:
            if address >= size or address == self.console:
                return 0
            found = overlay.get(address)
            return int(memory[address]) if found is None else found

        accounts: list[StepAccount] = []
        step, next_pc = present.step, present.pc
        edits = [edit for edit in self.edits if edit.step <= step]
        while step > max(self.first, present.step - count):
            while edits and edits[-1].step == step:
                edit = edits.pop()
                overlay.update(zip(edit.addresses.tolist(), edit.olds.tolist(), strict=True))
                next_pc = edit.before.pc
            step -= 1
            [(_, row)] = self.slices(step, step + 1)
            pc, written, word, old = (int(column[0]) for column in row[:4])
            address = self.console if written == self.console & 0xFFFFFFFF else written
            if address != self.console:
                overlay[address] = old
            a, b, c = read(pc), read(pc + 1), read(pc + 2)
            accounts.append(
                StepAccount(step, pc, a, b, c, read(b), read(a), address, word, next_pc, float(row.margins[0]))
            )
            next_pc = pc
        return accounts[::-1]

    def smallest_margin(self, last: int) -> float:
        """The smallest margin of the steps before `last`, as far as they are kept; +inf where no network decided."""
        margins = [piece.margins.min() for _, piece in self.slices(self.first, last)]
        return float(np.min(margins, initial=np.inf))  # a NaN stays

    def is_console(self, addresses: np.ndarray) -> np.ndarray:
        """Which of some written addresses are the console."""
        return addresses == np.uint32(self.console & 0xFFFFFFFF)

    def _new_block(self) -> Record:
        rows = self._block
        return Record(
            pcs=np.empty(rows, np.uint32),
            addresses=np.empty(rows, np.uint32),
            words=np.empty(rows, self._word),
            olds=np.empty(rows, self._word),
            margins=np.empty(rows, np.float32),
            consumed=np.empty(rows, np.bool_),
        )

    def _undo(self, present: Present, step: int) -> None:
        """Back over steps between which nothing was changed by hand."""
        if step == present.step:
            return
        for _, piece in self.slices(step, present.step, backwards=True):
            console = self.is_console(piece.addresses)
            # Where an address is written twice the last assignment stands: here that of the earliest step.
            present.memory[piece.addresses[~console][::-1]] = piece.olds[~console][::-1]
            present.unuse_console(piece.words[console], int(piece.consumed.sum()))
        present.pc, present.step = self.pc_at(step), step

    def _redo(self, present: Present, step: int) -> None:
        """Forward over steps between which nothing was changed by hand."""
        if step == present.step:
            return
        for _, piece in self.slices(present.step, step):
            console = self.is_console(piece.addresses)
            present.memory[piece.addresses[~console]] = piece.words[~console]
            present.use_console(piece.words[console], int(piece.consumed.sum()))
        present.pc, present.step = self.pc_at(step), step
