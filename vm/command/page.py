"""`sbn page`: a program's run page, or a folder with one for each bundled program."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import programs
from assembler import format_of
from learned_units.whole_file import write_whole
from vm.console import jax_setup, outputs, program_files, terminal
from vm.console.launch import UsageError, stated_by_user
from vm.console.program_files import STDIN
from vm.console.terminal import Talk

if TYPE_CHECKING:
    from assembler import Image
    from vm.page.document import Page


def run(options: argparse.Namespace) -> int:
    """Write the page, or all of them. Exit code 0."""
    if options.all:
        return _write_all(options)
    if options.program is None:
        raise UsageError("name a program, or give --all -o FOLDER for a page for each bundled program")
    target = options.output or f"{_name(options)}.html"
    given = _input(options)
    image = program_files.load(options)
    outputs.check({"-o": target}, program_files.named(options) | {"its input": options.input}, image)
    talk = Talk(options.quiet)
    page = _page(options, image, _name(options), given, talk)
    if target == outputs.STDOUT:
        terminal.write(page)
    else:
        _write(target, page, talk)
    return 0


def _write_all(options: argparse.Namespace) -> int:
    """A page for each bundled program on its sample input, and an index of them."""
    if options.program is not None or options.output in (None, outputs.STDOUT):
        raise UsageError("--all writes all bundled programs into a folder: sbn page --all -o FOLDER")
    if options.input is not None or options.input_text is not None:
        raise UsageError("with --all every program is given its sample input; --input is for one program")
    folder = Path(options.output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; --all writes into a folder")
    folder.mkdir(parents=True, exist_ok=True)
    from vm.page.gallery import make_index

    talk = Talk(options.quiet)
    for name in programs.names():
        options.program = name
        image = program_files.load(options)
        page = _page(options, image, name, programs.sample_input(name), talk)
        _write(str(folder / f"{name}.html"), page, talk)
    index = make_index((name, programs.description(name)) for name in programs.names())
    _write(str(folder / "index.html"), index, talk)
    return 0


def _page(options: argparse.Namespace, image: Image, name: str, given: bytes | None, talk: Talk) -> Page:
    jax_setup.prepare()
    from vm.console import chosen_unit
    from vm.page.document import program_page

    unit = chosen_unit.load(options, image.word_bits, image.isa, talk)
    with stated_by_user():
        return program_page(image, unit, name, given, _source(options))


def _name(options: argparse.Namespace) -> str:
    return "program" if options.program == STDIN else Path(options.program).stem


def _source(options: argparse.Namespace) -> str | None:
    """The text of the program's own file, None where it has none that can be shown."""
    if options.program == STDIN:
        return None
    if not program_files.is_file(options.program):
        return programs.source(options.program)
    known = options.format or (format_of(options.program) if program_files.has_known_suffix(options.program) else "sbn")
    return Path(options.program).read_bytes().decode("utf-8-sig", "replace") if known == "sbn" else None


def _input(options: argparse.Namespace) -> bytes | None:
    """The input that was given, None if the reader of the page is to type it."""
    if options.input is not None:
        return program_files.read_whole(options.input)
    if options.input_text is not None:
        return os.fsencode(options.input_text)
    return None


def _write(target: str, text: str, talk: Talk) -> None:
    data = text.encode()
    write_whole(target, data)
    talk.say(f"{target}: {len(data):,} bytes")
