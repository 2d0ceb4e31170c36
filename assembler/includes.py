"""The files a source includes: where they are, and their blocks."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assembler.blocks import structured
from assembler.comments import note_hidden
from assembler.diagnostics import AssemblyError, printable, shown
from assembler.image import MAX_IMAGE_WORDS
from assembler.parsing import MAX_SOURCE_BYTES, decode_source, parse
from assembler.syntax import Block, Instruction, Statement

if TYPE_CHECKING:
    from assembler.expansion import Expansion
    from assembler.layout import Layout

MAX_DEPTH = 32


class IncludeError(Exception):
    """Why a file cannot be included, in words."""


class Files:
    """The files of one program. Each is read and parsed once, however often it is included."""

    def __init__(
        self,
        name: str,
        folder: str | os.PathLike[str] | None = None,
        further: Sequence[str | os.PathLike[str]] = (),
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """name: what the source is called. folder: where it is; further: where files are looked for besides.

        texts: what counts in place of the text of some files on the disk, by their real paths.
        """
        start = Path() if folder is None else Path(folder)
        self._folders = {name: start}  # by the name that messages call a file
        self._further = [Path(each) for each in further]
        self._texts = texts or {}
        self._blocks: dict[str, Block] = {}  # by path
        self.source = _identity(start / os.path.basename(name)) if "\0" not in name else name

    def find(self, file: str, including: str) -> Path:
        """The path of a file that is named in the file `including`. Raises IncludeError where there is none."""
        if "\0" in file:  # of which versions of Python say different things
            raise IncludeError("this is not the name of a file")
        beside = self._folders.get(including, Path()) / file
        paths = [beside, *(folder / file for folder in self._further)]
        try:
            path = next((path for path in paths if path.exists() or _identity(path) in self._texts), None)
            is_file = path is not None and (path.is_file() or _identity(path) in self._texts)
        except (OSError, ValueError) as error:
            raise IncludeError(getattr(error, "strerror", None) or "this is not the name of a file") from None
        if path is None:
            elsewhere = " or in the other folders" if self._further else ""
            raise IncludeError(f"there is no file `{beside}`{elsewhere}")
        if not is_file:
            raise IncludeError("it is not a regular file")
        return path

    def data(self, path: Path) -> bytes:
        """The bytes of a file. Raises IncludeError where it cannot be read, or has more than an image."""
        try:
            with path.open("rb") as file:
                data = file.read(MAX_IMAGE_WORDS + 1)
        except OSError as error:
            raise IncludeError(error.strerror or "it cannot be read") from None
        if len(data) > MAX_IMAGE_WORDS:
            raise IncludeError(f"it has more than {MAX_IMAGE_WORDS:,} bytes")
        return data

    def block(self, path: Path, layout: "Layout") -> Block:
        """What is in a file, of which `layout` takes the notes.

        Raises IncludeError where it cannot be read, AssemblyError for the errors in it.
        """
        key = _identity(path)
        if key not in self._blocks:
            name = printable(os.fspath(path))
            self._folders.setdefault(name, path.parent)
            read = self._texts.get(key)
            data = b"" if read is not None else _source_data(path)
            self._blocks[key] = ()  # what a file with errors counts as from then on: they are told once
            text = decode_source(data, name) if read is None else read
            self._blocks[key] = structured(parse(text, name), name)
            note_hidden(layout, text, name)
        return self._blocks[key]

    def blocks(self) -> tuple[Block, ...]:
        """The blocks of all files included so far."""
        return tuple(self._blocks.values())

    def chained(self, chain: tuple[str, ...], path: Path) -> tuple[str, ...]:
        """The included files that are open while one is expanded, that one too. Raises IncludeError where it cannot."""
        key = _identity(path)
        if key in (self.source, *chain):
            raise IncludeError("it is already being included, and would include itself endlessly")
        if len(chain) >= MAX_DEPTH:
            raise IncludeError(f"includes are nested more than {MAX_DEPTH} deep")
        return (*chain, key)


def _source_data(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        raise IncludeError(error.strerror or "it cannot be read") from None


def _identity(path: Path) -> str:
    return os.path.realpath(path)


def include(expansion: "Expansion", statement: Statement, body: Instruction) -> None:
    """Carries out an `.include` or an `.incbin`."""
    layout, files = expansion.layout, expansion.files
    text = layout.text(body.operands[0]) if expansion.is_given(statement, 1, 1) else None
    if text is None:
        return
    file = os.fsdecode(text.data)
    try:
        path = files.find(file, statement.line.file)
        if statement.word == ".incbin":
            data = files.data(path)
            layout.add(statement, len(data), data)
            return
        opened = files.chained(expansion.opened[-1].files, path)
        block = files.block(path, layout)
    except IncludeError as error:
        expansion.lose()
        layout.error(f"cannot include `{shown(file)}`: {error}", body.operands[0].span)
    except AssemblyError as error:
        expansion.lose()
        layout.report.diagnostics += error.diagnostics
    else:
        expansion.open(block, layout.scope, opened)
