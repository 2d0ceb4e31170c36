"""The listing: address, words and source line, side by side."""

from collections.abc import Iterator

from assembler.disassembler import disassembled_rows
from assembler.image import Image, Origin, signed

_WORDS_IN_ROW = 4
_MAX_EQUAL_ROWS = 4  # of a run of one value, more are only counted


def format_listing(image: Image) -> str:
    """A line for each source line that made words, in the order of addresses, each file's name above its lines.

    Macro calls stand above the lines they were expanded to. Words without a source line are shown with the statement
    that would make them.
    """
    width = max((len(str(signed(word, image.word_bits))) for word in {*image.words}), default=1)
    address_width = max(5, len(str(len(image.words))))
    lines: list[str] = []
    file: str | None = None
    calls: tuple[Origin, ...] = ()
    for start, end, origin, text in _pieces(image):
        if origin is not None:
            if origin.file != file:
                lines += [*([""] if lines else []), f"{origin.file}:"]
                file, calls = origin.file, ()
            if origin.calls != calls and origin.calls:
                called = " in ".join(f"{call.file}:{call.line}: {call.text.strip()}" for call in origin.calls)
                lines.append(f"{'':{address_width}}  expansion of {called}")
            calls = origin.calls
        rows = _word_rows(image, start, end, width)
        column = _WORDS_IN_ROW * (width + 1)
        for index, (address, words) in enumerate(rows):
            said = text if index == 0 else ""
            lines.append(f"{address:>{address_width}}  {words:<{column}} {said}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def _pieces(image: Image) -> Iterator[tuple[int, int, Origin | None, str]]:
    """Start, end, origin and text of all words: those with a source line, and between them those without."""
    if not image.source_map:
        for row in disassembled_rows(image):
            yield row.start, row.end, None, "".join(f"{name}: " for name in row.names) + row.text
        return
    last = 0
    for run in image.source_map:
        if last < run.start:
            yield last, run.start, None, "(no source)"
        yield run.start, run.end, run.origin, f"{run.origin.line:>5}  {run.origin.text}"
        last = run.end
    if last < len(image.words):
        yield last, len(image.words), None, "(no source)"


def _word_rows(image: Image, start: int, end: int, width: int) -> Iterator[tuple[str, str]]:
    """Address and words of each row; of many equal rows only the first, and how many words follow it."""
    words = image.words
    if end - start > _MAX_EQUAL_ROWS * _WORDS_IN_ROW and words[start:end] == (words[start],) * (end - start):
        yield str(start), _drawn(image, start, start + _WORDS_IN_ROW, width)
        yield "…", f"{end - start - _WORDS_IN_ROW:,} more of it"
        return
    for first in range(start, end, _WORDS_IN_ROW):
        yield str(first), _drawn(image, first, min(first + _WORDS_IN_ROW, end), width)


def _drawn(image: Image, start: int, end: int, width: int) -> str:
    return " ".join(f"{signed(word, image.word_bits):>{width}}" for word in image.words[start:end])
