"""The image: an assembled memory and all a machine has to know to run it."""

import bisect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, SupportsIndex, get_args

Isa = Literal["sbn", "subleq"]
ISAS: tuple[Isa, ...] = get_args(Isa)
InputModeName = Literal[
    "set", "add", "sub", "set_zero", "add_zero", "sub_zero",
    "set_branch_in", "add_branch_in", "sub_branch_in", "set_zero_branch_in", "add_zero_branch_in", "sub_zero_branch_in",
    "set_branch_io", "add_branch_io", "sub_branch_io", "set_zero_branch_io", "add_zero_branch_io", "sub_zero_branch_io",
    "set_numbers", "add_numbers", "sub_numbers", "set_numbers_zero", "add_numbers_zero", "sub_numbers_zero",
    "set_numbers_branch_in", "add_numbers_branch_in", "sub_numbers_branch_in",
    "set_numbers_zero_branch_in", "add_numbers_zero_branch_in", "sub_numbers_zero_branch_in",
    "set_numbers_branch_io", "add_numbers_branch_io", "sub_numbers_branch_io",
    "set_numbers_zero_branch_io", "add_numbers_zero_branch_io", "sub_numbers_zero_branch_io",
]  # fmt: skip
MIN_WORD_BITS, MAX_WORD_BITS = 4, 64
MAX_IMAGE_WORDS = 1 << 25
MAX_MEMORY_WORDS = 1 << 26
DEFAULT_MEMORY_WORDS = 1 << 16
MAX_SYMBOL_BITS = 4_096
_SHOWN_LINES = 400  # of the listing in a notebook

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


class InputMode(NamedTuple):
    """What a console instruction does with the word B it reads into, at the end of the input, and with its target C.

    A read that branches does so as if what it stored were a difference; a write, as if it had subtracted from 0.
    """

    combine: str  # "set", "add" or "sub": what v, which is read, does to the word
    numbers: bool  # v, and what is written, is a number in decimal digits, not a byte
    end: int  # v at the end of the input: -1 or 0
    reads_branch: bool
    writes_branch: bool


INPUT_MODES = {
    f"{combine}{'_numbers' if numbers else ''}{'' if end else '_zero'}{branches}": InputMode(
        combine, numbers, end, branches != "", branches == "_branch_io"
    )
    for numbers in (False, True)
    for branches in ("", "_branch_in", "_branch_io")
    for end in (-1, 0)
    for combine in ("set", "add", "sub")
}


class ImageError(ValueError):
    """A file that cannot be read as an image: its name, where possible the line, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The source line a word was made by; `calls` are the macro calls around it, innermost first."""

    file: str
    line: int
    text: str
    calls: tuple["Origin", ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """What is no error, and likely not what was meant: in words, with a place where there is one. Lines are from 1."""

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {self.message}" if place else self.message


@dataclass(frozen=True, slots=True)
class SourceRun:
    """The words from `start` up to, not including, `end` were made by one line."""

    start: int
    end: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Which source line made which words. `runs` ascend and do not overlap; words between them have no source.

    Raises ValueError for runs that are empty, overlap or do not ascend.
    """

    runs: tuple[SourceRun, ...]
    _starts: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", tuple(self.runs))
        last = 0
        for run in self.runs:
            if not last <= run.start < run.end:
                raise ValueError(f"source map: the run {run.start}..{run.end} is empty or not after the one before it")
            last = run.end
        object.__setattr__(self, "_starts", [run.start for run in self.runs])

    def at(self, address: int) -> Origin | None:
        """The line that made the word at an address, None where no line did."""
        index = bisect.bisect_right(self._starts, address) - 1
        return self.runs[index].origin if index >= 0 and address < self.runs[index].end else None

    def __iter__(self) -> Iterator[SourceRun]:
        return iter(self.runs)

    def __repr__(self) -> str:
        return f"<SourceMap of {len(self.runs):,} runs>"

    def __len__(self) -> int:
        return len(self.runs)


@dataclass(frozen=True)
class Image:
    """An assembled memory. Equal images make equal machines: names and source map do not count in `==`.

    words: the memory from address 0 on, at most 2^25 and at most 2^word_bits of them, stored as ints
        0 … 2^word_bits−1; −2^(word_bits−1) … 2^word_bits−1 are accepted.
    word_bits: 4 … 64.
    isa: "sbn" or "subleq".
    entry: the word the program counter starts with, in the range of words.
    memory: the words of memory the program asks for, or None: `memory_size` then says how many it gets.
    input_mode: one of INPUT_MODES, what reading the console does with the word read into.
    symbols: name → value, of labels and of constants.
    source_map: which source line made which words, or None.
    constants: those names of `symbols` that are no addresses.
    notes: what the assembler noted; a file holds none.

    Raises ValueError for what is out of range, TypeError for what is no integer (bool and float included).
    """

    words: tuple[int, ...]
    word_bits: int = 16
    isa: Isa = "sbn"
    entry: int = 0
    memory: int | None = None
    input_mode: InputModeName = "set"
    symbols: Mapping[str, int] = field(default_factory=dict, compare=False)
    source_map: SourceMap | None = field(default=None, compare=False)
    constants: frozenset[str] = field(default=frozenset(), compare=False)
    notes: tuple[Note, ...] = field(default=(), compare=False)

    def __init__(
        self,
        words: Iterable[SupportsIndex],
        word_bits: int = 16,
        isa: Isa | str = "sbn",
        entry: int = 0,
        memory: int | None = None,
        input_mode: InputModeName | str = "set",
        symbols: Mapping[str, int] | None = None,
        source_map: SourceMap | None = None,
        constants: Iterable[str] = (),
        notes: Iterable[Note] = (),
    ) -> None:
        bits = check_word_bits(word_bits)
        symbols = dict(symbols or {})
        constants = frozenset(constants)
        for name, value in symbols.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"symbol {name!r} is not a name of letters, digits and _")
            symbols[name] = _integer(value, f"symbol {name}")
            if symbols[name].bit_length() > MAX_SYMBOL_BITS:
                raise ValueError(f"symbol {name} has more than {MAX_SYMBOL_BITS:,} bits")
        if not constants <= symbols.keys():
            raise ValueError(f"constants that are not symbols: {', '.join(sorted(constants - symbols.keys()))}")
        stored = tuple(normalized_words(words, bits))
        if source_map is not None and source_map.runs and source_map.runs[-1].end > len(stored):
            raise ValueError(f"the source map reaches beyond the image's {len(stored):,} words")
        values: dict[str, Any] = {
            "words": stored,
            "word_bits": bits,
            "isa": check_isa(isa),
            "entry": normalized_word(entry, bits, "entry"),
            "memory": None if memory is None else check_memory(memory, bits, len(stored)),
            "input_mode": check_input_mode(input_mode),
            "symbols": symbols,
            "source_map": source_map,
            "constants": constants,
            "notes": tuple(notes),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return hash((self.words, self.word_bits, self.isa, self.entry, self.memory, self.input_mode))

    def __repr__(self) -> str:
        return f"<Image of {len(self.words):,} {self.word_bits}-bit words for {self.isa}, entry {self.entry}>"

    def _repr_html_(self) -> str:
        from assembler import card
        from assembler.listing import format_listing

        memory = "as its machine has" if self.memory is None else f"{self.memory:,} words"
        fields = [
            ("words", f"{len(self.words):,} of {self.word_bits} bits"),
            ("instruction set", self.isa),
            ("entry", str(self.entry)),
            ("memory", memory),
            ("labels", f"{len(self.labels):,}"),
            *(("note", str(note)) for note in self.notes),
        ]
        lines = format_listing(self).splitlines()
        listing = "\n".join(lines[:_SHOWN_LINES])
        cut = f", the first {_SHOWN_LINES:,}" if len(lines) > _SHOWN_LINES else ""
        summary = f"listing: {len(lines):,} line{'s' * (len(lines) != 1)}{cut}"
        return card.card("Image", fields, card.folded(summary, card.preformatted(listing)))

    def memory_size(self, requested: int | None = None) -> int:
        """The words of memory a machine has that runs this image.

        What is requested, else what the image asks for, else 2^word_bits words up to 65,536 but at least the image.
        Raises ValueError for a request that the image does not fit in, that no address reaches, or that contradicts
        the memory the image asks for.
        """
        if requested is not None:
            size = check_memory(requested, self.word_bits, len(self.words))
            if self.memory is not None and size != self.memory:
                raise ValueError(f"memory {size:,} contradicts the {self.memory:,} words the image asks for")
            return size
        return default_memory(self.word_bits, len(self.words)) if self.memory is None else self.memory

    @property
    def labels(self) -> dict[str, int]:
        """The symbols that are addresses."""
        return {name: value for name, value in self.symbols.items() if name not in self.constants}


def default_memory(word_bits: int, num_words: int = 0) -> int:
    """The words of memory of a machine nothing was asked for: 2^word_bits up to 65,536, but at least the image."""
    return max(num_words, min(1 << word_bits, DEFAULT_MEMORY_WORDS))


def check_isa(isa: str) -> Isa:
    for known in ISAS:
        if isa == known:
            return known
    raise ValueError(f"isa must be one of {', '.join(ISAS)}, not {isa!r}")


def check_input_mode(input_mode: str) -> InputModeName:
    for known in get_args(InputModeName):
        if input_mode == known:
            return known
    raise ValueError(f"input mode must be one of {', '.join(INPUT_MODES)}, not {input_mode!r}")


def check_word_bits(word_bits: int) -> int:
    bits = _integer(word_bits, "word_bits")
    if not MIN_WORD_BITS <= bits <= MAX_WORD_BITS:
        raise ValueError(f"word_bits must be {MIN_WORD_BITS} … {MAX_WORD_BITS}, not {bits}")
    return bits


def check_memory(memory: int, word_bits: int, num_words: int = 0) -> int:
    """The memory size, if a machine of that width can have it and an image of that many words fits."""
    size = _integer(memory, "memory")
    limit = min(1 << word_bits, MAX_MEMORY_WORDS)
    if not 0 < size <= limit:
        raise ValueError(f"memory must be 1 … {limit:,} words for {word_bits}-bit addresses, not {size:,}")
    if size < num_words:
        raise ValueError(f"memory of {size:,} words is less than the image's {num_words:,}")
    return size


def normalized_word(value: SupportsIndex, word_bits: int, what: str = "word") -> int:
    """The word 0 … 2^word_bits−1 for a value from −2^(word_bits−1) on. Raises ValueError, or TypeError."""
    number = _integer(value, what)
    if not -(1 << word_bits - 1) <= number < 1 << word_bits:
        raise ValueError(f"{what} {number} does not fit {word_bits} bits")
    return number & (1 << word_bits) - 1


def normalized_words(words: Iterable[SupportsIndex], word_bits: int) -> list[int]:
    """The words of an image in their stored form. Raises ValueError, or TypeError."""
    limit = min(MAX_IMAGE_WORDS, 1 << word_bits)
    stored = []
    for address, word in enumerate(words):
        if address == limit:
            raise ValueError(f"an image of {word_bits}-bit words has at most {limit:,} of them")
        if type(word) is int and 0 <= word < 1 << word_bits:
            stored.append(word)
        else:
            stored.append(normalized_word(word, word_bits, f"word at {address}:"))
    return stored


def signed(word: int, word_bits: int) -> int:
    """A stored word as the two's complement number it is."""
    return word - (1 << word_bits) if word >> word_bits - 1 else word


def check_image(value: Any) -> None:
    """Raise TypeError for anything but an image."""
    if not isinstance(value, Image):
        raise TypeError(f"an Image is needed, not {type(value).__name__}; `assemble` makes one of source text")


def _integer(value: Any, what: str) -> int:
    """An int from anything that is an integer (numpy's included). Raises TypeError for all else, bool included."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{what} must be an integer, not {value!r}")
    return value.__index__()
