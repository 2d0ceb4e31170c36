"""The trace of a run: one CSV row a step."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from assembler import Image
from vm.command.terminal import format_margin

if TYPE_CHECKING:
    from vm.execution import Chunk

COLUMNS = "step,pc,a,b,c,address,old,new,next_pc,margin"
NONE = "-"  # old: the console holds no word


class TraceFile:
    """Writes the steps of a machine that starts from an image.

    Words are unsigned, 0 .. 2^word_bits - 1; an address of 2^word_bits - 1 is the console. Instructions and old words
    are those of a memory that this class keeps itself, from the words the steps wrote.
    """

    def __init__(self, path: str, image: Image) -> None:
        self._memory = [*image.words, *[0] * (image.memory_size() - len(image.words))]
        self._console = (1 << image.word_bits) - 1
        self._file = open(path, "w", encoding="ascii", newline="\n")
        self._file.write(COLUMNS + "\n")

    def add(self, chunk: Chunk) -> None:
        """Write the steps of a chunk."""
        memory, console, lines = self._memory, self._console, []
        followed = [*chunk.pcs[1:], chunk.next_pc]
        steps = zip(chunk.pcs, chunk.addresses, chunk.words, chunk.margins, followed, strict=False)
        for step, (pc, address, word, margin, next_pc) in enumerate(steps, chunk.first_step):
            a, b, c = memory[pc : pc + 3]
            old: int | str = NONE
            if address != console:
                old, memory[address] = memory[address], word
            shown = format_margin(margin, digits=6)
            lines.append(f"{step},{pc},{a},{b},{c},{address},{old},{word},{next_pc},{shown}\n")
        self._file.writelines(lines)

    def __enter__(self) -> TraceFile:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._file.close()
