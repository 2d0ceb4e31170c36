"""Listings: address, words and source line side by side, and the names of a program."""

from collections.abc import Callable, Iterator

from assembler.disassembler import disassembled_rows
from assembler.image import Image, Origin, check_image, signed

_WORDS_IN_ROW = 4
_MAX_EQUAL_ROWS = 4  # of a run of one value, more are only counted
_MAX_MARKS = 12  # of macro calls within each other, more are only counted


def format_listing(image: Image, painted: Callable[[str], str] = str) -> str:
    """A line for each source line that made words, in the order of addresses, each file's name above its lines.

    painted: what gives the text of a source line its colours.

    A macro call stands above the lines it was expanded to, which are marked with a `|` for each call they are in. Words
    without a source line are shown with the statement that would make them.
    """
    check_image(image)
    width = max((len(str(signed(word, image.word_bits))) for word in {*image.words}), default=1)
    address_width = max(5, len(str(len(image.words))))
    column = _WORDS_IN_ROW * (width + 1)
    lines: list[str] = []
    file: str | None = None
    calls: tuple[Origin, ...] = ()  # around the line before, the outermost first
    for start, end, origin, text in _pieces(image):
        if origin is not None:
            outermost = [*origin.calls[::-1], origin][0]
            if outermost.file != file:
                lines += [*([""] if lines else []), f"{outermost.file}:"]
                file, calls = outermost.file, ()
            before, calls = calls, origin.calls[::-1]
            is_same = True
            for depth, call in enumerate(calls):
                is_same = is_same and before[depth : depth + 1] == (call,)
                if not is_same:
                    lines.append(f"{'':{address_width}}  {'':{column}} {_said(call, depth, file, painted)}".rstrip())
            text = _said(origin, len(calls), file, painted)
        for index, (address, words) in enumerate(_word_rows(image, start, end, width)):
            said = text if index == 0 else ""
            lines.append(f"{address:>{address_width}}  {words:<{column}} {said}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def format_source(image: Image, painted: Callable[[str], str] = str) -> str:
    """The listing without expansions: what each line of the user's made, the words of the macros in it among them.

    Of more than four words only the first ones are shown, and how many follow. A line that made words in several
    places, such as a routine after the program, stands at each of them.
    """
    check_image(image)
    width = max((len(str(signed(word, image.word_bits))) for word in {*image.words}), default=1)
    address_width = max(5, len(str(len(image.words))))
    column = _WORDS_IN_ROW * (width + 1)
    lines: list[str] = []
    file: str | None = None
    for start, end, origin, text in _user_pieces(image):
        if origin is not None and origin.file != file:
            lines += [*([""] if lines else []), f"{origin.file}:"]
            file = origin.file
        said = text if origin is None else _said(origin, 0, file, painted)
        words = _drawn(image, start, min(end, start + _WORDS_IN_ROW), width)
        lines.append(f"{start:>{address_width}}  {words:<{column}} {said}".rstrip())
        if end - start > _WORDS_IN_ROW:
            lines.append(f"{'…':>{address_width}}  {end - start - _WORDS_IN_ROW:,} more")
    return "".join(f"{line}\n" for line in lines)


def _user_pieces(image: Image) -> Iterator[tuple[int, int, Origin | None, str]]:
    """The pieces, those next to each other joined that come from one line of the user's."""
    last: tuple[int, int, Origin | None, str] | None = None
    for start, end, origin, text in _pieces(image):
        user = origin if origin is None or not origin.calls else origin.calls[-1]
        if last is not None and user is not None and last[2] == user and last[1] == start:
            last = last[0], end, user, text
            continue
        if last is not None:
            yield last
        last = start, end, user, text
    if last is not None:
        yield last


def format_symbols(image: Image) -> str:
    """The program's own labels and constants as `.equ` lines for other programs to include; by value, then name."""
    check_image(image)
    lines = []
    for name, value in sorted(image.symbols.items(), key=lambda item: (item[1], item[0])):
        if not name.startswith("__"):
            kind = "" if name in image.constants else "  ; address"
            lines.append(f"        .equ    {name}, {value}{kind}\n")
    return "".join(lines)


def _said(origin: Origin, depth: int, file: str | None, painted: Callable[[str], str]) -> str:
    """A source line with its number; with its file too where this is another one than that of the lines around."""
    place = str(origin.line) if origin.file == file else f"{origin.file}:{origin.line}"
    if not depth:
        return f"{place:>5}  {painted(origin.text)}"
    marks = "| " * depth if depth <= _MAX_MARKS else f"| … {depth} deep … | "
    return f"{place:>5}  {marks}{painted(origin.text.strip())}"


def _pieces(image: Image) -> Iterator[tuple[int, int, Origin | None, str]]:
    """Start, end, origin and, where there is none, text of all words."""
    if not image.source_map:
        for row in disassembled_rows(image):
            yield row.start, row.end, None, "".join(f"{name}: " for name in row.names) + row.text
        return
    last = 0
    for run in image.source_map:
        if last < run.start:
            yield last, run.start, None, "(no source)"
        yield run.start, run.end, run.origin, ""
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
