"""The `.img` file: everything an Image holds, as lines of ASCII text that diff well.

sbn-image 1                     the format's name and version
isa sbn                         then these, in this order, each on its line
width 16
entry 0
memory 256                      or: memory default
input set
words 18                        how many; then the words, signed decimal, a row for each source line that made them
15 17 9
0*4                             value*count: the same word again and again
symbols 2                       how many; then one a line, `label` or `constant`, name, value
label start 0
constant SIZE 64
files 1                         how many; then the names of the sources, as JSON strings
"count.sbn"
lines 6                         how many; then, by ascending address, the source line that made some words:
0 3 1 0 4 "start: sbn a, b"     first address, number of words, of macro calls; file (from 0), line number, text
from 0 9 "loop: add a, b"       below it, the macro calls it is in, innermost first: file, line number, text
sha256 …                        of all bytes above this last line
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace

from assembler.image import MAX_IMAGE_WORDS, Image, ImageError, Origin, SourceMap, SourceRun, signed

FORMAT_NAME, FORMAT_VERSION = "sbn-image", 1
WORDS_IN_ROW = 12
_REPEATED = 8  # this many equal words are written once
_NUMBER = re.compile("-?[0-9]{1,1300}")


def write_img(image: Image) -> bytes:
    """The bytes of an `.img` file."""
    lines = [f"{FORMAT_NAME} {FORMAT_VERSION}", *_machine_lines(image), f"words {len(image.words)}", *_word_rows(image)]
    lines.append(f"symbols {len(image.symbols)}")
    for name, value in image.symbols.items():
        lines.append(f"{'constant' if name in image.constants else 'label'} {name} {value}")
    runs = image.source_map.runs if image.source_map else ()
    files: dict[str, int] = {}
    for run in runs:
        for origin in _chain(run.origin):
            files.setdefault(origin.file, len(files))
    lines += [
        f"files {len(files)}",
        *map(json.dumps, files),
        "lines none" if image.source_map is None else f"lines {len(runs)}",
    ]
    for run in runs:
        place, *calls = (f"{files[o.file]} {o.line} {json.dumps(o.text)}" for o in _chain(run.origin))
        lines += [f"{run.start} {run.end - run.start} {len(calls)} {place}", *(f"from {call}" for call in calls)]
    body = "".join(f"{line}\n" for line in lines).encode("ascii")
    return body + _checksum_line(body)


def read_img(data: bytes, name: str = "<image>") -> Image:
    """The image in the bytes of an `.img` file. Raises ImageError, with the name and the line, for anything else."""
    return _Reader(data, name).image()


def _machine_lines(image: Image) -> list[str]:
    memory = "default" if image.memory is None else image.memory
    settings = {"isa": image.isa, "width": image.word_bits, "entry": image.entry, "memory": memory}
    return [f"{key} {value}" for key, value in {**settings, "input": image.input_mode}.items()]


def _word_rows(image: Image) -> Iterator[str]:
    """The words, a new row where another source line made them, and where there are enough for a row."""
    row_starts = {at for run in image.source_map.runs for at in (run.start, run.end)} if image.source_map else set()
    words, total = image.words, len(image.words)
    row: list[str] = []
    address = 0
    while address < total:
        same = address + 1
        while same < total and words[same] == words[address] and same not in row_starts:
            same += 1
        value = signed(words[address], image.word_bits)
        is_repeated = same - address >= _REPEATED
        if row and (is_repeated or address in row_starts or len(row) == WORDS_IN_ROW):
            yield " ".join(row)
            row = []
        if is_repeated:
            yield f"{value}*{same - address}"
            address = same
        else:
            row.append(str(value))
            address += 1
    if row:
        yield " ".join(row)


def _chain(origin: Origin) -> Iterator[Origin]:
    yield origin
    yield from origin.calls


def _checksum_line(body: bytes) -> bytes:
    return f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()


class _Reader:
    """Reads the lines of one file in their order."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.number = 1  # of the line read last
        first, _, rest = data.partition(b"\n")
        if not re.fullmatch(rb"sbn-image [0-9]{1,9}\r?", first):
            raise self._fault(f"this is not an image: the first line must be `{FORMAT_NAME} {FORMAT_VERSION}`")
        version = int(first.split()[1])
        if version != FORMAT_VERSION:
            raise self._fault(f"the image has format {version}, and this program reads {FORMAT_VERSION}")
        if first.endswith(b"\r"):
            raise self._fault("the ends of lines were changed to CRLF; copy the file as it is, or assemble it again")
        end = data.rfind(b"\n", 0, len(data) - 1) + 1
        self.number = data.count(b"\n", 0, end) + 1
        if not data.endswith(b"\n") or not data[end:].startswith(b"sha256 "):
            raise self._fault("the last line is not a checksum: the file was cut short or changed; assemble it again")
        if data[end:] != _checksum_line(data[:end]):
            raise self._fault("the checksum does not match: the file was changed; assemble it again")
        try:
            self.lines = iter(rest[: end - len(first) - 1].decode("ascii").split("\n")[:-1])
        except UnicodeDecodeError as error:
            self.number = 2 + rest.count(b"\n", 0, error.start)
            raise self._fault("the line is not ASCII") from None
        self.number = 1

    def image(self) -> Image:
        isa, bits, entry = self._setting("isa"), self._number(self._setting("width")), self._setting("entry")
        memory, mode = self._setting("memory"), self._setting("input")
        words = self._words(self._count(self._setting("words"), MAX_IMAGE_WORDS))
        symbols, constants = self._symbols()
        source_map = self._source_map()
        if next(self.lines, None) is not None:
            self.number += 1
            raise self._fault("nothing but the checksum may follow here")
        try:
            size = None if memory == "default" else self._number(memory)
            return Image(words, bits, isa, self._number(entry), size, mode, symbols, source_map, constants)
        except ValueError as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(f"{self.name}: {error}") from None

    def _fault(self, message: str) -> ImageError:
        return ImageError(f"{self.name}:{self.number}: {message}")

    def _line(self) -> str:
        self.number += 1
        line = next(self.lines, None)
        if line is None:
            raise self._fault("the image ends too early")
        return line

    def _setting(self, key: str) -> str:
        found, _, value = self._line().partition(" ")
        if found != key or not value:
            raise self._fault(f"expected `{key}` and its value")
        return value

    def _number(self, text: str) -> int:
        if not _NUMBER.fullmatch(text):
            raise self._fault("expected a decimal number")
        return int(text)

    def _count(self, text: str, most: int) -> int:
        count = self._number(text)
        if not 0 <= count <= most:
            raise self._fault(f"the count must be 0 … {most:,}")
        return count

    def _words(self, count: int) -> list[int]:
        words: list[int] = []
        while len(words) < count:
            for part in self._line().split(" "):
                value, star, times = part.partition("*")
                repeats = self._count(times, count - len(words)) if star else 1
                words += [self._number(value)] * repeats
            if len(words) > count:
                raise self._fault(f"there are more than {count:,} words")
        return words

    def _symbols(self) -> tuple[dict[str, int], list[str]]:
        symbols: dict[str, int] = {}
        constants = []
        for _ in range(self._count(self._setting("symbols"), MAX_IMAGE_WORDS)):
            match self._line().split(" "):
                case ["label" | "constant" as kind, symbol, value] if symbol not in symbols:
                    symbols[symbol] = self._number(value)
                    if kind == "constant":
                        constants.append(symbol)
                case _:
                    raise self._fault("expected `label` or `constant`, a new name and a value")
        return symbols, constants

    def _source_map(self) -> SourceMap | None:
        files = [self._text(self._line()) for _ in range(self._count(self._setting("files"), MAX_IMAGE_WORDS))]
        stated = self._setting("lines")
        if stated == "none":
            return None
        runs = []
        last = 0
        for _ in range(self._count(stated, MAX_IMAGE_WORDS)):
            start, size, calls, *place = self._fields(6)
            first, count = self._number(start), self._number(size)
            if first < last or count < 1:
                raise self._fault("the words must come after those of the line above")
            last = first + count
            origin = self._origin(files, place)
            chain = tuple(self._call(files) for _ in range(self._count(calls, MAX_IMAGE_WORDS)))
            runs.append(SourceRun(first, last, replace(origin, calls=chain)))
        return SourceMap(tuple(runs))

    def _call(self, files: list[str]) -> Origin:
        word, *place = self._fields(4)
        if word != "from":
            raise self._fault("expected `from`")
        return self._origin(files, place)

    def _fields(self, count: int) -> list[str]:
        fields = self._line().split(" ", count - 1)
        if len(fields) != count:
            raise self._fault(f"expected {count} parts")
        return fields

    def _origin(self, files: list[str], place: list[str]) -> Origin:
        file = self._number(place[0])
        if not 0 <= file < len(files):
            raise self._fault(f"there is no file {file}")
        return Origin(files[file], self._number(place[1]), self._text(place[2]))

    def _text(self, text: str) -> str:
        try:
            value = json.loads(text) if text.startswith('"') else None
        except ValueError:
            value = None
        if not isinstance(value, str):
            raise self._fault("expected a JSON string")
        return value
