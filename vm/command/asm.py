"""`sbn asm`: a program into a file of another format."""

from __future__ import annotations

import argparse
import os

from assembler import Image, format_of, format_symbols, image_bytes
from assembler.files import RAW_FORMATS
from learned_units.whole_file import write_whole
from vm.console import outputs, program_files, terminal
from vm.console.launch import stated_by_user
from vm.console.terminal import Talk


def run(options: argparse.Namespace) -> int:
    """Assemble, and write the image."""
    talk = Talk(options.quiet)
    output = options.output or _default_output(options.program)
    if options.output_format is not None:
        format = options.output_format
    else:
        format = format_of(output) if program_files.has_known_suffix(output) else "img"
    image = program_files.load(options)
    with stated_by_user():
        data = image_bytes(image, format)
    outputs.check({"-o": output, "--symbols": options.symbols}, program_files.named(options), image)
    if options.symbols is not None:
        write_whole(options.symbols, format_symbols(image).encode())
    if output == outputs.STDOUT:
        terminal.write_bytes(data)
        return 0
    write_whole(output, data)
    size = "1 word" if len(image.words) == 1 else f"{len(image.words):,} words"
    talk.say(f"{output}: {size}, {image.word_bits}-bit {image.isa}, entry {image.entry}, format {format}")
    needed = _options_needed(image) if format in RAW_FORMATS else ""
    if needed:
        talk.say(f"a {format} file holds only the words; to use it, also give {needed}")
    return 0


def _default_output(program: str) -> str:
    """The program's name with the suffix of an image; a bundled program's is put into the current folder."""
    if program == program_files.STDIN:
        return outputs.STDOUT
    return os.path.splitext(program)[0] + ".img"


def _options_needed(image: Image) -> str:
    """What a raw file does not tell of an image, as options."""
    stated = [
        (image.isa != "sbn", f"--isa {image.isa}"),
        (image.word_bits != 16, f"--width {image.word_bits}"),
        (image.entry != 0, f"--entry {image.entry}"),
        (image.memory is not None, f"--memory {image.memory}"),
        (image.input_mode != "set", f"--input-mode {image.input_mode}"),
    ]
    return " ".join(text for needed, text in stated if needed)
