"""What the source map tells a debugger: which statement a word belongs to, at each level of macro expansion.

A word's path is the chain from the line the user wrote, over the macro calls in between, to the line that made the
word: its level is the number of calls. A statement "at level k" is all words whose paths agree up to that level.
"""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np

from assembler import Image, Origin

_CALL = re.compile(r"\s*(?:[A-Za-z_]\w*\s*:\s*)*call\b", re.IGNORECASE)

Path = tuple[Origin, ...]


class Source:
    """The source of one image. Words that were assembled later, by hand, have no place in it."""

    def __init__(self, image: Image, size: int) -> None:
        self.size = size
        self._map = image.source_map
        self._runs = tuple(self._map.runs) if self._map is not None else ()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def origin(self, address: int) -> Origin | None:
        """The line that made a word."""
        return self._map.at(address) if self._map is not None else None

    def is_within(self, address: int) -> bool:
        """Whether a word is made by a line that made the word before it, too."""
        return address not in self._starts and self.origin(address) is not None

    def path(self, address: int) -> Path:
        """From the line the user wrote to the line that made the word; empty where there is no source."""
        origin = self.origin(address)
        return () if origin is None else _path(origin)

    def outermost(self, address: int) -> int:
        """The outermost level at which a statement begins at this address."""
        path = self.path(address)
        before = self.path(address - 1) if address > 0 else ()
        for level in range(len(path)):
            if before[: level + 1] != path[: level + 1]:
                return level
        return max(len(path) - 1, 0)

    def other_statements(self, address: int, level: int) -> np.ndarray:
        """Where the next statement may begin, seen from the one at this address and level: bool [size].

        That is anywhere in another statement of that level or an outer one, and at the first word of another
        expansion. Words without source count, too: who gets there has left everything that is known.
        """
        here = self.path(address)[: level + 1]
        found = np.ones(self.size, np.bool_)
        before: Path = ()
        met: set[Path] = set()
        end = 0
        for run, path in zip(self._runs, self._paths, strict=True):
            if run.start != end:
                before = ()
            found[run.start : run.end] = False
            outer = path[: level + 1]
            if outer != here:
                if len(path) <= level + 1:
                    found[run.start : run.end] = True
                elif before[: level + 1] != outer:
                    # What a macro puts after the program carries the path of its first call: that is no statement.
                    found[run.start] = not (outer in met and run.start >= self._program_end)
            met.add(outer)
            before, end = path, run.end
        return found

    def outside(self, address: int, level: int) -> np.ndarray | None:
        """All addresses outside the macro call that holds this address at a level: bool [size]; None at level 0."""
        if level == 0:
            return None
        call = self.path(address)[:level]
        found = np.ones(self.size, np.bool_)
        for run, path in zip(self._runs, self._paths, strict=True):
            if path[:level] == call:
                found[run.start : run.end] = False
        return found

    def calls(self) -> list[tuple[int, int]]:
        """First address, and address after the last, of each expansion of the macro `call`."""
        found: list[tuple[int, int]] = []
        last: Path = ()
        met: set[Path] = set()
        end = 0
        for run, path in zip(self._runs, self._paths, strict=True):
            level = next((k for k, origin in enumerate(path[:-1]) if _CALL.match(origin.text)), None)
            call = () if level is None else path[: level + 1]
            if call and call == last and run.start == end:
                found[-1] = (found[-1][0], run.end)
            elif call in met and run.start >= self._program_end:
                call = ()  # what the first call puts after the program: its stack and the routines that serve it
            elif call:
                found.append((run.start, run.end))
                met.add(call)
            last, end = call, run.end
        return found

    def address_of_line(self, line: int, file: str | None) -> int | None:
        """The first address made by a line, or by the next one that made any; of the program's own file by default."""
        wanted = file if file is not None else self.main_file
        best: tuple[int, int] | None = None
        for run, path in zip(self._runs, self._paths, strict=True):
            for origin in path:
                if _same_file(origin.file, wanted) and origin.line >= line:
                    best = min(best or (origin.line, run.start), (origin.line, run.start))
        return None if best is None else best[1]

    @cached_property
    def main_file(self) -> str | None:
        """The file of the first line."""
        return self._paths[0][0].file if self._runs else None

    def lines(self, file: str) -> dict[int, str]:
        """The lines of a file that the image knows."""
        return {origin.line: origin.text for path in self._paths for origin in path if origin.file == file}

    @cached_property
    def _starts(self) -> frozenset[int]:
        return frozenset(run.start for run in self._runs)

    @cached_property
    def _paths(self) -> tuple[Path, ...]:
        return tuple(_path(run.origin) for run in self._runs)

    @cached_property
    def _program_end(self) -> int:
        """The address after the last word that no macro made."""
        return max((run.end for run in self._runs if not run.origin.calls), default=0)


def _path(origin: Origin) -> Path:
    inner = Origin(origin.file, origin.line, origin.text)
    return (*reversed(origin.calls), inner)


def _same_file(file: str, wanted: str | None) -> bool:
    return wanted is None or file == wanted or file.endswith("/" + wanted)
