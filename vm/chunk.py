"""A chunk of steps: as the device leaves it, decoded, and as it is handed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from learned_units import bits
from vm.state import as_output


class Record(NamedTuple):
    """Steps as arrays with one entry for each: what it takes to undo them and to do them again."""

    pcs: np.ndarray
    addresses: np.ndarray  # written; 2^word_bits - 1 is the console
    words: np.ndarray  # written
    olds: np.ndarray  # the words that were there before; where the console was written, they say nothing
    margins: np.ndarray  # float32
    consumed: np.ndarray  # bool: whether a byte of input was consumed

    def __repr__(self) -> str:
        return f"<Record of {len(self.pcs):,} steps>"

    def first(self, count: int) -> Record:
        """The first steps of these."""
        return Record(*(column[:count] for column in self))


@dataclass(frozen=True)
class Chunk:
    """Steps that were executed and, where checking is on, agreed with the reference. Words are plain integers."""

    first_step: int  # since boot, from 0
    steps: int
    margin: float  # smallest of theirs; +inf where no network decided
    pcs: list[int]  # of each step, as what follows; empty where nobody looks at the steps
    addresses: list[int]  # written; 2^word_bits - 1 is the console
    words: list[int]  # written
    margins: list[float]
    next_pc: int
    output: bytes
    record: Record | None = None  # the same, and more; None where nobody looks at the steps
    operands: np.ndarray | None = None  # unsigned words [steps, 2]: A and C; None unless the machine records them

    @classmethod
    def unseen(cls, first_step: int, steps: int, margin: float, next_pc: int, output: bytes) -> Chunk:
        """Steps that nobody looked at."""
        return cls(first_step, steps, margin, [], [], [], [], next_pc, output)

    @classmethod
    def of(
        cls,
        first_step: int,
        margin: float,
        record: Record,
        next_pc: int,
        output: bytes,
        operands: np.ndarray | None = None,
    ) -> Chunk:
        """The steps of a record."""
        return cls(
            first_step,
            len(record.pcs),
            margin,
            record.pcs.tolist(),
            record.addresses.tolist(),
            record.words.tolist(),
            record.margins.tolist(),
            next_pc,
            output,
            record,
            operands,
        )

    def first(self, count: int, next_pc: int, output: bytes) -> Chunk:
        """The first steps of these. next_pc and output: those of them."""
        return Chunk(
            self.first_step,
            count,
            float(np.min(self.margins[:count], initial=np.inf)),  # a NaN stays
            self.pcs[:count],
            self.addresses[:count],
            self.words[:count],
            self.margins[:count],
            next_pc,
            output,
            None if self.record is None else self.record.first(count),
            None if self.operands is None else self.operands[:count],
        )

    def __repr__(self) -> str:
        return f"<Chunk of {self.steps:,} steps from step {self.first_step:,}, smallest margin {self.margin:.3f}>"


@dataclass(frozen=True)
class RawChunk:
    """A chunk as the device left it; `rows` is None where nobody looks at the steps."""

    first_step: int
    steps: int
    rows: np.ndarray | None
    next_pc: int
    output: bytes
    console_steps: int
    margin: float

    def decoded(self, input_mode: str, word_bits: int) -> Chunk:
        """Its steps, as they are handed out."""
        if self.rows is None:
            return Chunk.unseen(self.first_step, self.steps, self.margin, self.next_pc, self.output)
        record, operands = decode(self.rows, word_bits)
        # The bytes of the rows, which are what is compared, not those of the state's buffer.
        output = as_output(record.words[record.addresses == (1 << word_bits) - 1], input_mode, word_bits)
        return Chunk.of(self.first_step, self.margin, record, self.next_pc, output, operands)


def trace_columns(word_bits: int, operands: bool = False) -> int:
    """Columns of a trace row, without the operands A and C or with them."""
    return (6 if operands else 4) * bits.limb_count(word_bits) + 2


def decode(rows: np.ndarray, word_bits: int) -> tuple[Record, np.ndarray | None]:
    """Trace rows as columns of unsigned words, and the operands A and C, words [steps, 2], if the rows hold them."""
    limbs = bits.limb_count(word_bits)
    columns = rows[:, : 4 * limbs].reshape(-1, 4, limbs)
    pcs, addresses, words, olds = (bits.limbs_to_words(columns[:, k], word_bits) for k in range(4))
    margins = np.ascontiguousarray(rows[:, 4 * limbs]).view(np.float32)
    record = Record(pcs, addresses, words, olds, margins, rows[:, 4 * limbs + 1] != 0)
    if rows.shape[1] == trace_columns(word_bits):
        return record, None
    return record, bits.limbs_to_words(rows[:, 4 * limbs + 2 :].reshape(-1, 2, limbs), word_bits)


def steps_until_still(rows: np.ndarray, next_pc: np.ndarray, word_bits: int) -> int | None:
    """The steps up to the first one after which all are the same; None where the last one goes on, or changes a word.

    rows: trace rows of one step or more; next_pc: the pc after the last one, in limbs.
    """
    limbs = len(next_pc)
    pc, address, word, old = (rows[-1, k * limbs : (k + 1) * limbs] for k in range(4))
    if (pc != next_pc).any() or (word != old).any():
        return None
    if rows[-1, 4 * limbs + 1] or (address == bits.limb_masks(word_bits)).all():
        return None  # in some input modes a console instruction goes to itself, but a byte was moved
    same = [*range(4 * limbs), 4 * limbs + 1]  # all but the margin
    others = np.flatnonzero((rows[:, same] != rows[-1, same]).any(1))
    return int(others[-1]) + 2 if len(others) else 1
