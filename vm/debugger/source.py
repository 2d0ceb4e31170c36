"""What the source map tells a debugger: which statement a word belongs to, at each level of macro expansion.

A word's path is the chain from the line the user wrote, over the macro calls in between, to the line that made the
word: its level is the number of calls. A statement "at level k" is all words whose paths agree up to that level.
"""

from __future__ import annotations

import bisect
import os
import re
from functools import cached_property
from typing import NamedTuple

import numpy as np

from assembler import Image, Origin

_CALL, _RET = (re.compile(rf"\s*(?:[A-Za-z_]\w*\s*:\s*)*{name}\b", re.IGNORECASE) for name in ("call", "ret"))

Path = tuple[Origin, ...]


class Statements(NamedTuple):
    """The statements of one level of expansion."""

    ids: np.ndarray  # int32 [size]: which statement a word belongs to; 0 where no source line made it
    begins: np.ndarray  # bool [size]: where a statement may begin; who leaves the source has left every statement


class Source:
    """The source of one image. Words that were assembled later, by hand, have no place in it."""

    def __init__(self, image: Image, size: int) -> None:
        self.size = size
        self._map = image.source_map
        self._runs = tuple(self._map.runs) if self._map is not None else ()
        self._reserved = [at for name, at in image.labels.items() if name.startswith("__")]
        self._statements: dict[int, Statements] = {}

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

    def statements(self, level: int) -> Statements:
        """The statements of a level, as what moves by statement needs them."""
        if level not in self._statements:
            self._statements[level] = self._find_statements(level)
        return self._statements[level]

    def _find_statements(self, level: int) -> Statements:
        ids, begins = np.zeros(self.size, np.int32), np.ones(self.size, np.bool_)
        known: dict[Path, int] = {}
        before: Path = ()
        end = 0
        for run, path in zip(self._runs, self._paths, strict=True):
            if run.start != end:
                before = ()
            words = slice(run.start, run.end)
            outer = path[: level + 1]
            ids[words] = known.setdefault(outer, len(known) + 1)
            # A line of this level or an outer one may be entered anywhere; an expansion begins with its first word.
            begins[words] = len(path) <= level + 1
            begins[run.start] |= before[: level + 1] != outer
            before, end = path, run.end
        begins[self.shared] = False
        return Statements(ids, begins)

    def outside(self, address: int, level: int) -> np.ndarray:
        """All addresses outside the macro call, of level 1 or more, that holds this one: bool [size]."""
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
        end = 0
        for run, path in zip(self._runs, self._paths, strict=True):
            level = None if self.shared[run.start] else _level_of(path, _CALL)
            call = () if level is None else path[: level + 1]
            if call and call == last and run.start == end:
                found[-1] = (found[-1][0], run.end)
            elif call:
                found.append((run.start, run.end))
            last, end = call, run.end
        return found

    def statement_words(self, address: int) -> list[tuple[int, Path]]:
        """The lines of the expansion, or the instruction, that holds a word: where each begins, and its path."""
        outer = self.path(address)[:1]
        return [
            (run.start, path)
            for run, path in zip(self._runs, self._paths, strict=True)
            if path[:1] == outer and (self.shared[run.start] == self.shared[address])
        ]

    def first_word(self, line: Origin) -> int | None:
        """The first word that a line of the program made."""
        return next((run.start for run, path in zip(self._runs, self._paths, strict=True) if path[0] == line), None)

    def made_by(self, file: str, first: int, last: int) -> np.ndarray:
        """The words that some lines of the program made: bool [size]."""
        found = np.zeros(self.size, np.bool_)
        for run, path in zip(self._runs, self._paths, strict=True):
            if path[0].file == file and first <= path[0].line <= last:
                found[run.start : run.end] = True
        return found

    def call_level(self, address: int) -> int:
        """The level at which `call` stands in the path of one of its words."""
        level = _level_of(self.path(address), _CALL)
        assert level is not None, "the address is one of `calls`"
        return level

    @cached_property
    def returning(self) -> np.ndarray:
        """The words that the macro `ret` made, shared ones included: bool [size]."""
        found = np.zeros(self.size, np.bool_)
        for run, path in zip(self._runs, self._paths, strict=True):
            found[run.start : run.end] = _level_of(path, _RET) is not None
        return found

    @cached_property
    def shared(self) -> np.ndarray:
        """The words that macros put after the program, for all of their calls: bool [size].

        The path of such a word is that of the call which needed it first; that says nothing of who executes it.
        """
        found = np.zeros(self.size, np.bool_)
        # Names that begin so are the library's, and those of addresses stand in what its macros share.
        first = min((at for at in self._reserved if (made := self.origin(at)) is not None and made.calls), default=None)
        met: set[Path] = set()
        last: Path = ()
        for run, path in zip(self._runs, self._paths, strict=True):
            left = path[:1] in met and path[:1] != last and run.start >= self._program_end
            found[run.start : run.end] = len(path) > 1 and (left if first is None else run.start >= first)
            met.add(path[:1])
            last = path[:1]
        return found

    def shared_depth(self, address: int) -> int:
        """How many calls lead to the group of shared words that holds this one, up to the macro that put it there."""
        group = self._groups[bisect.bisect_right(self._groups, address, key=lambda each: each[0]) - 1]
        return group[1]

    @cached_property
    def _groups(self) -> list[tuple[int, int]]:
        """Of each group of shared words that one line of the user's needed first: where it begins, and its depth."""
        found: list[tuple[int, int]] = []
        chain: Path = ()
        for run, path in zip(self._runs, self._paths, strict=True):
            if not self.shared[run.start]:
                continue
            if found and chain[:1] == path[:1]:
                agreed = next((k for k, (a, b) in enumerate(zip(chain, path[:-1], strict=False)) if a != b), None)
                chain = chain[: min(len(chain), len(path) - 1) if agreed is None else agreed]
                found[-1] = (found[-1][0], len(chain))
            else:
                chain = path[:-1]
                found.append((run.start, len(chain)))
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
    def files(self) -> tuple[str, ...]:
        """The files that words come from, the one the program begins in first."""
        return tuple(dict.fromkeys(origin.file for path in self._paths for origin in path))

    @cached_property
    def main_file(self) -> str | None:
        """The file of the first line."""
        return self._paths[0][0].file if self._runs else None

    def lines(self, file: str) -> dict[int, str]:
        """The lines of a file that the image knows."""
        return {origin.line: origin.text for path in self._paths for origin in path if origin.file == file}

    @cached_property
    def is_expanded(self) -> bool:
        """Whether any word was made by a macro."""
        return any(run.origin.calls for run in self._runs)

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
    return wanted is None or file == wanted or file.endswith(("/" + wanted, os.sep + wanted))


def _level_of(path: Path, name: re.Pattern[str]) -> int | None:
    """The level of the first macro call of this name."""
    return next((level for level, origin in enumerate(path[:-1]) if name.match(origin.text)), None)
