"""The trace of a run: one CSV row a step, from the rows that the machine itself recorded."""

from __future__ import annotations

import contextlib
from types import TracebackType

from assembler import Image
from learned_units.whole_file import naming, writing
from vm.chunk import Chunk
from vm.margin import format_margin

COLUMNS = "step,pc,a,b,c,address,old,new,next_pc,margin"
NONE = "-"  # old: the console holds no word


class TraceFile:
    """Writes the steps of a machine that records operands, from wherever it starts; the file is whole, or not there.

    Words are unsigned, 0 .. 2^word_bits - 1; an address of 2^word_bits - 1 is the console.
    """

    def __init__(self, path: str, image: Image) -> None:
        self._console = (1 << image.word_bits) - 1
        self._path = path
        self._opened = contextlib.ExitStack()
        self._file = self._opened.enter_context(writing(path))
        self._write([COLUMNS + "\n"])

    def add(self, chunk: Chunk) -> None:
        """Write the steps of a chunk. Raises ValueError for one without a record of its operands."""
        if chunk.record is None or chunk.operands is None:
            raise ValueError("a trace needs a machine that records operands")
        lines = []
        columns = zip(
            chunk.operands.tolist(),
            chunk.pcs,
            chunk.addresses,
            chunk.record.olds.tolist(),
            chunk.words,
            [*chunk.pcs[1:], chunk.next_pc],
            chunk.margins,
            strict=False,
        )
        for step, ((a, c), pc, address, old, new, next_pc, margin) in enumerate(columns, chunk.first_step):
            b, before = address, NONE if address == self._console else old
            shown = format_margin(margin, digits=6)
            lines.append(f"{step},{pc},{a},{b},{c},{address},{before},{new},{next_pc},{shown}\n")
        self._write(lines)

    def _write(self, lines: list[str]) -> None:
        with naming(self._path):
            self._file.write("".join(lines).encode("ascii"))

    def __enter__(self) -> TraceFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, traceback)
