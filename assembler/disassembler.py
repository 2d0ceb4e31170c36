"""Image to source: readable where it can be, and exact always.

Code is what can be reached from the entry by following branches; all else is data. The guess may be wrong without
harm: either way the text assembles back to the same words.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from assembler.image import Image, check_image, signed

_LABEL_COLUMNS = 8
_WORDS_IN_ROW = 8
_MIN_REPEATED = 8  # this many equal words are written as `.space`
_MIN_TEXT = 4  # this many characters are written as `.ascii`
_MAX_ROWS = 1 << 18  # of data, so that a large image stays within the statements a source may have
_MAX_SYMBOL_BITS = 3_000  # of a number that a source may contain as one literal
_ESCAPES = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r", ord('"'): '\\"', ord("\\"): "\\\\"}
_TEXT_BYTES = frozenset(range(32, 127)) | _ESCAPES.keys()


@dataclass(frozen=True, slots=True)
class Row:
    """One statement: the words from `start` up to, not including, `end`; the names of its first word; its text."""

    start: int
    end: int
    names: tuple[str, ...]
    text: str


def disassemble(image: Image) -> str:
    """Source that assembles back to an equal image, with the image's names where the language can express them.

    An image of millions of words may make a source larger than the assembler takes.
    """
    check_image(image)
    code = _reached(image)
    names = _names(image, code)
    addresses = {name for at in names.values() for name in at}
    lines = [f"        .isa    {image.isa}", f"        .width  {image.word_bits}"]
    if image.memory is not None:
        lines.append(f"        .memory {image.memory}")
    lines += [f"        .input  {image.input_mode}", f"        .entry  {names.get(image.entry, [image.entry])[0]}"]
    for name, value in image.symbols.items():
        if name not in addresses and not name.startswith("__") and value.bit_length() <= _MAX_SYMBOL_BITS:
            lines.append(f"        .equ    {name}, {value}")
    lines.append("")
    for row in _rows(image, code, names):
        lines += _lines(row)
    lines += [f"{name}:" for name in names.get(len(image.words), [])]
    return "".join(f"{line}\n" for line in lines)


def disassembled_rows(image: Image) -> Iterator[Row]:
    """The statements that make the image's words, by ascending address."""
    code = _reached(image)
    return _rows(image, code, _names(image, code))


def _rows(image: Image, code: dict[int, None], names: dict[int, list[str]]) -> Iterator[Row]:
    total = len(image.words)
    address = 0
    for start in [*code, total]:
        boundaries = [at for at in range(address, start) if at in names]
        for first, last in zip([address, *boundaries], [*boundaries, start], strict=True):
            yield from _data(image, names, first, last)
        address = start
        if start < total:
            yield _instruction(image, names, start)
            address += 3


def _lines(row: Row) -> list[str]:
    labels = " ".join(f"{name}:" for name in row.names)
    if len(labels) < _LABEL_COLUMNS:
        return [f"{labels:<{_LABEL_COLUMNS}}{row.text}"]
    return [labels, " " * _LABEL_COLUMNS + row.text]


def _names(image: Image, code: dict[int, None]) -> dict[int, list[str]]:
    """The names of addresses: the image's own labels, and new ones for words that code refers to and that have none."""
    names: dict[int, list[str]] = {}
    for name, value in image.labels.items():
        if 0 <= value <= len(image.words) and not name.startswith("__"):
            names.setdefault(value, []).append(name)
    taken = set(image.symbols)
    for start in code:
        a, b, target = image.words[start : start + 3]
        for operand, prefix in ((a, "d"), (b, "d"), (target, "L")):
            is_next = prefix == "L" and target == start + 3
            if operand < len(image.words) and operand not in names and not is_next and not _is_console(image, operand):
                name = f"{'L' if operand in code else prefix}{operand}"
                while name in taken:
                    name += "_"
                taken.add(name)
                names[operand] = [name]
    return names


def _is_console(image: Image, operand: int) -> bool:
    return operand == (1 << image.word_bits) - 1


def _reached(image: Image) -> dict[int, None]:
    """The addresses of the instructions that can be reached from the entry and do not overlap, ascending."""
    words, bits = image.words, image.word_bits
    code: dict[int, None] = {}
    covered: set[int] = set()
    waiting = [image.entry]
    while waiting:
        pc = waiting.pop()
        cleared = None  # the word that the instruction before has set to zero
        # A negative pc halts; code that overlaps other code is left as it is.
        while not pc >> bits - 1 and pc + 2 < len(words) and not covered & {pc, pc + 1, pc + 2}:
            code[pc] = None
            covered |= {pc, pc + 1, pc + 2}
            a, b, target = words[pc : pc + 3]
            if _is_console(image, a) or _is_console(image, b):
                pc, cleared = pc + 3, None
                continue
            if a != b or image.isa == "subleq":
                waiting.append(target)
            if _always_branches(image, a, b, target, cleared):
                break
            pc, cleared = pc + 3, b if a == b else None
    return dict.fromkeys(sorted(code))


def _always_branches(image: Image, a: int, b: int, target: int, cleared: int | None) -> bool:
    """Whether an instruction branches always, if the word at `a` keeps its first value.

    Of one that halts it is assumed that the word at `b` does too: what follows it is most often data.
    """
    words, bits = image.words, image.word_bits
    if a == b:
        return image.isa == "subleq"
    is_zero = b == cleared or (target >> bits - 1 and b < len(words) and words[b] == 0)
    return bool(is_zero) and a < len(words) and signed(words[a], bits) > 0


def _instruction(image: Image, names: dict[int, list[str]], start: int) -> Row:
    parts = [_operand(image, names, word) for word in image.words[start : start + 3]]
    is_next = image.words[start + 2] == (start + 3) & (1 << image.word_bits) - 1
    if is_next and start + 2 not in names:
        parts.pop()
    for offset in range(1, len(parts)):
        parts[offset] = "".join(f"{name}:" for name in names.get(start + offset, [])) + parts[offset]
    return Row(start, start + 3, tuple(names.get(start, ())), f"{image.isa:<7} {', '.join(parts)}")


def _operand(image: Image, names: dict[int, list[str]], word: int) -> str:
    if word in names and not _is_console(image, word):
        return names[word][0]
    return _number(image, word)


def _number(image: Image, word: int) -> str:
    """A word as the number it most likely is: small negative ones are signed."""
    value = signed(word, image.word_bits)
    return str(value if value > -(1 << image.word_bits - 2) else word)


def _data(image: Image, names: dict[int, list[str]], first: int, last: int) -> Iterator[Row]:
    """The words first … last−1, of which only the first may have a name."""
    words = image.words
    row_words = max(_WORDS_IN_ROW, -(-len(words) // _MAX_ROWS))
    plain_from = address = first

    def row(start: int, end: int, text: str) -> Row:
        return Row(start, end, tuple(names.get(start, ())) if start == first else (), text)

    def plain(end: int) -> Iterator[Row]:
        for start in range(plain_from, end, row_words):
            stop = min(start + row_words, end)
            yield row(start, stop, f".word   {', '.join(_number(image, word) for word in words[start:stop])}")

    while address < last:
        end, text = _repeated(image, address, last) or _characters(image, address, last) or (address, "")
        if end > address:
            yield from plain(address)
            yield row(address, end, text)
            plain_from = end
        address = max(end, address + 1)
    yield from plain(last)


def _repeated(image: Image, first: int, last: int) -> tuple[int, str] | None:
    """The end and the text of a run of equal words, if one begins here."""
    words = image.words
    end = first + 1
    while end < last and words[end] == words[first]:
        end += 1
    if end - first < _MIN_REPEATED:
        return None
    fill = f", {_number(image, words[first])}" if words[first] else ""
    return end, f".space  {end - first}{fill}"


def _characters(image: Image, first: int, last: int) -> tuple[int, str] | None:
    """The end and the text of a string, if one begins here."""
    words = image.words
    end = first
    while end < last and words[end] in _TEXT_BYTES:
        end += 1
    if end - first < _MIN_TEXT:
        return None
    text = "".join(_ESCAPES.get(word) or chr(word) for word in words[first:end])
    if end < last and words[end] == 0:
        return end + 1, f'.asciz  "{text}"'
    return end, f'.ascii  "{text}"'
