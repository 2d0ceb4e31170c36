"""From FILE, NAME or - on the command line to an image."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterable

import programs
from assembler import Image, load_image, load_images, read_image
from assembler.diagnostics import printable
from assembler.files import FORMATS
from vm.console import terminal
from vm.console.launch import UsageError, stated_by_user
from vm.console.terminal import Talk

STDIN = "-"
MOST_BYTES = 1 << 30  # of what is read at once, and held in memory
PIECE_BYTES = 1 << 20


def load(options: argparse.Namespace, folder: str = "") -> Image:
    """The image of `options.program`, with what the other options state about it; names are looked up in a folder.

    What the assembler notes is told on stderr.
    """
    image = _image(options, folder)
    for note in image.notes:
        Talk(options.quiet).say(f"note: {note}")
    return image


def _image(options: argparse.Namespace, folder: str) -> Image:
    stated = {
        "isa": options.isa,
        "word_bits": options.width,
        "memory": options.memory,
        "entry": options.entry,
        "input_mode": options.input_mode,
    }
    name, include = options.program, options.include
    if options.more:
        if options.dialect is not None or name == STDIN:
            raise UsageError("only files of raw images can be put one after the other")
        with stated_by_user():
            return load_images([name, *options.more], options.format, **stated)
    with stated_by_user():
        if name == STDIN:
            data = read_whole(STDIN)
            return read_image(data, "<stdin>", options.format or "sbn", os.curdir, options.dialect, include, **stated)
        if is_file(name, folder):
            return load_image(name, options.format, options.dialect, include, **stated)
        if options.dialect is not None:
            raise UsageError(f"no such file: {printable(name)}; --dialect is for files; bundled programs need none")
        data = bundled_source(name, folder, sought="file and no bundled program").encode()
        return read_image(data, f"{name}.sbn", options.format or "sbn", **stated)


def read_whole(path: str) -> bytes:
    """All that a file holds, or with - standard input: the input of a program or of a batch, or a source.

    Raises UsageError for more than MOST_BYTES, such as a device has that never ends, OSError for an unreadable one.
    """
    if path == STDIN:
        return _joined(iter(terminal.read_some, b""), "standard input")
    with open(path, "rb") as file:
        return _joined(iter(lambda: file.read(PIECE_BYTES), b""), path)


def _joined(pieces: Iterable[bytes], name: str) -> bytes:
    whole = bytearray()
    for piece in pieces:
        whole += piece
        if len(whole) > MOST_BYTES:
            raise UsageError(
                f"{name}: more than {MOST_BYTES:,} bytes are not read at once; what a program reads from standard "
                "input as it asks for it may be longer"
            )
    return bytes(whole)


def tell_input(options: argparse.Namespace) -> None:
    """At a terminal, say what a bundled program waits for."""
    if options.program == STDIN or is_file(options.program) or not terminal.is_conversation():
        return
    if reads := programs.reads(options.program):
        more = f"`sbn programs {options.program}` tells more; Ctrl-D ends the input"
        Talk(options.quiet).say(terminal.filled(f"input: {reads} ({more})"))


def named(options: argparse.Namespace) -> dict[str, str]:
    """The files a program is made of, by what messages call them."""
    further = {f"image {number} of the program": path for number, path in enumerate(options.more, 2)}
    return {"the program itself": options.program} | further


def is_file(name: str, folder: str = "") -> bool:
    """Whether a program is meant as a file: it exists, or looks like a path. Any other word is a bundled program."""
    if os.path.isdir(name) and name in programs.names(folder):
        return False
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    looks_like_one = any(separator in name for separator in separators) or has_known_suffix(name)
    if looks_like_one and not os.path.exists(name):
        raise UsageError(f"{printable(name)}: no such file{_suggestion(name, folder)}")
    return looks_like_one or os.path.exists(name)


def has_known_suffix(name: str) -> bool:
    """Whether a file's name tells its format."""
    return os.path.splitext(name)[1].lower().removeprefix(".") in FORMATS


def bundled_source(name: str, folder: str = "", sought: str = "bundled program") -> str:
    """The source of a bundled program; UsageError, with suggestions, where there is none of that name."""
    if name not in programs.names(folder):
        purpose = " for the whole machine" if folder else ""
        raise UsageError(
            f"no {sought} '{printable(name)}'{purpose}{_suggestion(name, folder)}; `sbn programs` lists all"
        )
    return programs.source(name, folder)


def _suggestion(name: str, folder: str = "") -> str:
    """What may have been meant, as "; there is a bundled program ...", or nothing."""
    stem = os.path.splitext(os.path.basename(name))[0]
    near = difflib.get_close_matches(stem, programs.names(folder), n=3)
    return f"; there is a bundled program {' or '.join(near)}" if near else ""
