"""The macro calls and routines of a run as nested slices of time, in the trace format of Chrome.

Perfetto and speedscope open such a file; a microsecond is a step. The slices of a step are, from the outside: the
program; for each call that has not returned, the macro calls that lead to it, that of `call` last, and the routine; the
macro calls that the instruction was expanded from. What macros share belongs to the line that led there, as it does in
the debugger. What is the same in two steps that follow each other is one slice.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from assembler import Image, Origin
from learned_units.whole_file import naming, writing
from vm.chunk import Chunk
from vm.debugger.rendering import statement
from vm.debugger.source import Source
from vm.debugger.stack import Calls, Frame

TRACK = '"pid":1,"tid":1'
PROGRAM = -1
Key = int | Frame  # PROGRAM, the number of a macro call, or a routine that was called


@contextlib.contextmanager
def slices_file(path: str, image: Image) -> Iterator[Slices]:
    """Slices that are written to a file, which is whole, or not there. Raises as `Slices` does."""
    with writing(path) as file:

        def write(text: str) -> None:
            with naming(path):
                file.write(text.encode("ascii"))

        made = Slices(image, write)
        yield made
        made.finish()


class Slices:
    """The slices of a run, from wherever it starts: what was called before that is not known.

    Held in memory are the open slices and those of one chunk. write: takes pieces of the text. Raises ValueError for
    an image without source.
    """

    def __init__(self, image: Image, write: Callable[[str], None]) -> None:
        self._source = source = Source(image, len(image.words))
        if not source:
            raise ValueError("this image has no source, so its macro calls and routines are not known")
        self._calls = Calls(source)
        self._labels = {address: name for name, address in reversed(image.labels.items())}
        self._said: list[str] = []  # of each macro call: its name, place and operands
        self._numbers: dict[Origin, int] = {}
        self._chains: list[tuple[int, ...]] = [()]
        self._tabulate()
        self._top: Frame | None = None  # the innermost open call
        self._is_arriving = False  # whether the machine is still on its way to the routine of that call
        self._entered = source.size  # the last instruction that is not shared
        self._open: list[Key] = []
        self._routines: list[tuple[Frame, int]] = []  # those that are open, each with how many slices are up to it
        self._end = 0
        self._write = write
        self._events: list[str] = []
        heads = [
            f'{{"ph":"M",{TRACK},"name":"process_name","args":{{"name":{json.dumps(source.main_file)}}}}}',
            f'{{"ph":"M",{TRACK},"name":"thread_name","args":{{"name":"steps, 1 us each"}}}}',
        ]
        write('{"traceEvents":[\n' + ",\n".join(heads))

    def _tabulate(self) -> None:
        """Number the chains of macro calls that words are expanded from: of each address, int64 [size + 1]."""
        source = self._source
        known: dict[tuple[int, ...], int] = {(): 0}
        self._alone = np.zeros(source.size + 1, np.int64)  # of a shared word, the calls below the line that led to it
        self._above = np.zeros(source.size + 1, np.int64)  # what a line is, to the shared words that it leads to
        self._shared = np.append(source.shared, False)

        def number(path: Sequence[Origin]) -> int:
            chain = tuple(self._number(origin) for origin in path)
            if chain not in known:
                known[chain] = len(self._chains)
                self._chains.append(chain)
            return known[chain]

        for address in range(source.size):
            path = source.path(address)
            if path and self._shared[address]:
                self._alone[address] = number(path[source.shared_depth(address) : -1])
            elif path:
                self._alone[address] = number(path[:-1])
                self._above[address] = number(path[:-1] or path)

    def _number(self, origin: Origin) -> int:
        if origin not in self._numbers:
            self._numbers[origin] = len(self._said)
            said = statement(origin.text)
            name, _, operands = said.partition(" ")
            given = {"statement": said, "operands": operands, "line": f"{origin.file}:{origin.line}"}
            self._said.append(_named(name, "macro", given))
        return self._numbers[origin]

    def add(self, chunk: Chunk) -> None:
        """Write the slices of a chunk. Raises ValueError for one whose steps nobody looked at."""
        if len(chunk.pcs) != chunk.steps:
            raise ValueError("a trace needs a machine that records its steps")
        if not chunk.steps:
            return
        nowhere = self._source.size
        pcs = np.minimum(np.array(chunk.pcs, np.int64), nowhere)
        arrived = np.append(pcs[1:], min(chunk.next_pc, nowhere))
        shared = self._shared[pcs]
        own = np.maximum.accumulate(np.where(shared, -1, np.arange(len(pcs))))
        entered = np.where(own >= 0, pcs[own], self._entered)
        calls = {row + 1: top for row, top in self._calls.changes(self._top, pcs, arrived, chunk.first_step)}
        above = np.where(shared, self._above[entered], 0)
        alone = self._alone[pcs]
        differs = (above[1:] != above[:-1]) | (alone[1:] != alone[:-1]) | (shared[1:] != shared[:-1])
        for row in sorted({0, *(np.flatnonzero(differs) + 1).tolist(), *calls}):
            if row in calls:
                self._top = calls[row]
                self._is_arriving = self._top is not None and self._top.left == chunk.first_step + row
            if row < len(pcs):
                self._is_arriving = self._is_arriving and bool(shared[row])
                chain = (*self._chains[above[row]], *self._chains[alone[row]])
                self._show(chunk.first_step + row, chain, int(pcs[row]))
        self._entered = int(entered[-1])
        self._end = chunk.first_step + chunk.steps
        self._hand_over()

    def _show(self, step: int, chain: tuple[int, ...], pc: int) -> None:
        """From this step on, let these macro calls be open in the innermost routine, and nothing else."""
        frame = self._top.caller if self._top is not None and self._is_arriving else self._top
        new: list[Frame] = []
        while frame is not None and (frame.depth > len(self._routines) or self._routines[frame.depth - 1][0] != frame):
            new.append(frame)
            frame = frame.caller
        del self._routines[0 if frame is None else frame.depth :]
        if not self._open:
            self._begin(step, PROGRAM, pc)
        up_to = self._routines[-1][1] if self._routines else 1
        for each in reversed(new):
            path = self._source.path(each.call)[: self._source.call_level(each.call) + 1]
            self._change(step, up_to, (*(self._number(origin) for origin in path), each), pc)
            up_to = len(self._open)
            self._routines.append((each, up_to))
        self._change(step, up_to, chain, pc)

    def _change(self, step: int, kept: int, wanted: Sequence[Key], pc: int) -> None:
        """End and begin slices, so that beyond the first ones, which are kept, these are open."""
        same = 0
        for now, then in zip(self._open[kept:], wanted, strict=False):
            if now != then:
                break
            same += 1
        self._end_slices(step, kept + same)
        for key in wanted[same:]:
            self._begin(step, key, pc)

    def _begin(self, step: int, key: Key, pc: int) -> None:
        if key == PROGRAM:
            said = _named("program", "program", {"file": self._source.main_file})
        elif isinstance(key, Frame):
            call = self._source.path(key.call)[0]
            name = self._labels.get(pc, f"the routine at {pc}")
            said = _named(name, "routine", {"address": pc, "called at": f"{call.file}:{call.line}"})
        else:
            said = self._said[key]
        self._open.append(key)
        self._events.append(f'{{"ph":"B",{TRACK},"ts":{step},{said}}}')

    def _end_slices(self, step: int, kept: int) -> None:
        self._events += [f'{{"ph":"E",{TRACK},"ts":{step}}}'] * (len(self._open) - kept)
        del self._open[kept:]

    def finish(self) -> None:
        """End all slices, and the text."""
        self._end_slices(self._end, 0)
        self._hand_over()
        self._write("\n]}\n")

    def _hand_over(self) -> None:
        self._write("".join(f",\n{event}" for event in self._events))
        self._events.clear()


def _named(name: str, kind: str, given: Mapping[str, object]) -> str:
    return f'"name":{json.dumps(name)},"cat":"{kind}","args":{json.dumps(given)}'
