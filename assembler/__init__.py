"""Assemble SBN source text into memory images, and back."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assembler.diagnostics import AssemblyError, Diagnostic
    from assembler.dialects import read_dialect
    from assembler.disassembler import disassemble
    from assembler.driver import assemble, evaluate
    from assembler.files import format_of, image_bytes, load_image, load_images, read_image
    from assembler.image import Image, ImageError, Note, Origin, SourceMap, SourceRun
    from assembler.library import MacroReference, macro_reference
    from assembler.listing import format_listing, format_source, format_symbols
    from assembler.parsing import decode_source

__all__ = [
    "AssemblyError",
    "Diagnostic",
    "Image",
    "ImageError",
    "MacroReference",
    "Note",
    "Origin",
    "SourceMap",
    "SourceRun",
    "assemble",
    "decode_source",
    "disassemble",
    "evaluate",
    "format_listing",
    "format_of",
    "format_source",
    "format_symbols",
    "image_bytes",
    "load_image",
    "load_images",
    "macro_reference",
    "read_dialect",
    "read_image",
]

_HOMES = {
    "diagnostics": ("AssemblyError", "Diagnostic"),
    "dialects": ("read_dialect",),
    "disassembler": ("disassemble",),
    "driver": ("assemble", "evaluate"),
    "files": ("format_of", "image_bytes", "load_image", "load_images", "read_image"),
    "image": ("Image", "ImageError", "Note", "Origin", "SourceMap", "SourceRun"),
    "library": ("MacroReference", "macro_reference"),
    "listing": ("format_listing", "format_source", "format_symbols"),
    "parsing": ("decode_source",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Imports a public name's module when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
