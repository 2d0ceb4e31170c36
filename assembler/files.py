"""Programs in files: an image from any file a program can be in, and back to the bytes of one."""

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from assembler.diagnostics import printable
from assembler.image import MAX_IMAGE_WORDS, Image, ImageError, check_image, normalized_word
from assembler.options import Options

RAW_FORMATS = ("dec", "hex", "bin", "bin-be")
FORMATS = ("sbn", "img", *RAW_FORMATS)
_RAW_WORD_BITS = 16
_MAX_FILE_BYTES = 32 * MAX_IMAGE_WORDS
_IMAGE = re.compile(rb"sbn-image [0-9]{1,9}\r?\n")  # the first line of an `.img` file


def format_of(path: str | os.PathLike[str]) -> str:
    """The format a file's suffix stands for; "sbn" where it stands for none."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    return suffix if suffix in FORMATS else "sbn"


def load_image(
    path: str | os.PathLike[str],
    format: str | None = None,
    dialect: str | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    **options: Any,
) -> Image:
    """The image in a file, as `read_image` makes it; the format is that of the suffix unless stated.

    Raises OSError where the file cannot be read, and what `read_image` raises.
    """
    with open(path, "rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    format = format or ("sbn" if dialect else format_of(path))
    return read_image(data, os.fspath(path), format, Path(path).parent, dialect, include, **options)


def read_image(
    data: bytes,
    name: str = "<input>",
    format: str = "sbn",
    folder: str | os.PathLike[str] | None = None,
    dialect: str | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    **options: Any,
) -> Image:
    """The image in the bytes of a file, which messages call `name`.

    format: one of FORMATS; what begins as our own images do is one, whatever is said here.
    folder, include: where a source's includes are, as for `assemble`.
    dialect: the notation of a source, one of `options.DIALECTS`, if it is not ours.
    options: `isa word_bits memory entry input_mode`, as for `assemble`. They fill in what the file leaves open: of an
        `.img` that is the memory, of a raw file everything (isa sbn, 16 bits and entry 0 unless stated).

    Raises AssemblyError for a source, ImageError for any other file that is none or that an option contradicts,
    ValueError and TypeError for options no program can have.
    """
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError(f"the data of a file are bytes, not {type(data).__name__}; `assemble` takes text")
    name = printable(name)
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {format!r}")
    if _IMAGE.match(data):
        format = "img"
    if dialect is not None and format != "sbn":
        raise ValueError(f"a dialect is for source text, but the format is {format}")
    if format == "sbn":
        from assembler.parsing import decode_source

        if dialect is not None:
            from assembler.dialects import read_dialect

            return read_dialect(decode_source(data, name), name, dialect, **options)
        from assembler.driver import assemble

        return assemble(decode_source(data, name), name, folder, include=include, **options)
    stated = Options(**options)
    if len(data) > _MAX_FILE_BYTES:
        raise ImageError(f"{name}: the file has more than {_MAX_FILE_BYTES >> 20} MiB")
    if format == "img":
        from assembler.image_file import read_img

        return _completed(read_img(data, name), stated, name)
    return _raw_image(_raw_words(data, name, format, stated), name, stated)


def load_images(paths: Sequence[str | os.PathLike[str]], format: str | None = None, **options: Any) -> Image:
    """The image of the words in several raw files, one after the other; options as for `read_image`.

    Raises OSError where a file cannot be read, ImageError for one that holds no words and nothing else.
    """
    stated = Options(**options)
    words: list[int] = []
    for path in paths:
        name, kind = printable(os.fspath(path)), format or format_of(path)
        if kind not in RAW_FORMATS:
            raise ImageError(f"{name}: only raw images ({', '.join(RAW_FORMATS)}) can be put one after the other")
        words += _raw_words(Path(path).read_bytes(), name, kind, stated)
    return _raw_image(words, ", ".join(printable(os.fspath(path)) for path in paths), stated)


def _raw_words(data: bytes, name: str, format: str, stated: Options) -> list[int]:
    from assembler.raw_files import READERS

    return READERS[format](data, name, stated.word_bits or _RAW_WORD_BITS)


def _raw_image(words: list[int], name: str, stated: Options) -> Image:
    """What is stated of the words, and the defaults."""
    bits = stated.word_bits or _RAW_WORD_BITS
    try:
        image = Image(words, bits, stated.isa or "sbn", 0, stated.memory, stated.input_mode or "set")
    except ValueError as error:
        raise ImageError(f"{name}: {error}") from None
    return replace(image, entry=_entry(stated, image, name))


def image_bytes(image: Image, format: str) -> bytes:
    """The bytes of a file of some format that holds the image; a raw format holds its words only."""
    check_image(image)
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {format!r}")
    if format == "sbn":
        from assembler.disassembler import disassemble

        return disassemble(image).encode()
    if format == "img":
        from assembler.image_file import write_img

        return write_img(image)
    from assembler.raw_files import WRITERS

    return WRITERS[format](image)


def _completed(image: Image, stated: Options, name: str) -> Image:
    """The image with the memory that was asked for, provided that nothing asked for contradicts it."""
    for key, value in asdict(stated).items():
        held = getattr(image, key)
        asked = _entry(stated, image, name) if key == "entry" else value
        if value is not None and held is not None and asked != held:
            raise ImageError(f"{name}: {key.replace('_', ' ')} {asked} contradicts the image, which has {held}")
    if stated.memory is None:
        return image
    try:
        return replace(image, memory=stated.memory)
    except ValueError as error:
        raise ImageError(f"{name}: {error}") from None


def _entry(stated: Options, image: Image, name: str) -> int:
    """The entry asked for, as a word; 0 if none was."""
    if stated.entry is None:
        return 0
    value = stated.entry
    if isinstance(value, str):
        from assembler.driver import evaluate

        value = evaluate(value, image.symbols, "entry")
    try:
        return normalized_word(value, image.word_bits, "entry")
    except ValueError as error:
        raise ImageError(f"{name}: {error}") from None
