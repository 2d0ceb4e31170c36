"""Images of other people's programs: bare words as `.dec`, `.hex` and `.bin`.

They hold words and nothing else, so the width, the instruction set and the entry are the caller's to state. In `.dec`
and `.hex`, `#`, `;` and `//` begin comments, `4*7` is 7 four times, `@100` goes on at address 100 (in the file's own
base), with zeros up to there, and the first line may be the header that Logisim writes, `v2.0 raw`.
"""

import re
from typing import Literal

from assembler.image import MAX_IMAGE_WORDS, Image, ImageError, signed

WORDS_IN_ROW = 12
_DEC = re.compile(rb"[+-]?[0-9]{1,1000}")
_HEX = re.compile(rb"[+-]?(?:0[xX])?[0-9A-Fa-f]{1,1000}")
_PLAIN = {10: re.compile(rb"[0-9+\-\s]*"), 16: re.compile(rb"[0-9A-Fa-fxX+\-\s]*")}  # lines of words, or nearly
_COMMENT = re.compile(rb"(?:[#;]|//).*")
_HEADER = re.compile(rb"v2\.0 raw|v3\.0 hex words plain")


def read_dec(data: bytes, name: str, word_bits: int) -> list[int]:
    """Decimal words, −2^(word_bits−1) … 2^word_bits−1, separated by blanks or commas. Raises ImageError."""
    return _read_numbers(data.replace(b",", b" "), name, word_bits, 10)


def read_hex(data: bytes, name: str, word_bits: int) -> list[int]:
    """Hexadecimal words separated by blanks, `0x` and `-` optional; the range is that of `.dec`. Raises ImageError."""
    return _read_numbers(data, name, word_bits, 16)


def read_bin(data: bytes, name: str, word_bits: int) -> list[int]:
    """Words of ⌈word_bits/8⌉ bytes, the lowest first. Raises ImageError."""
    return _read_bytes(data, name, word_bits, "little")


def read_big_endian(data: bytes, name: str, word_bits: int) -> list[int]:
    """Words of ⌈word_bits/8⌉ bytes, the highest first. Raises ImageError."""
    return _read_bytes(data, name, word_bits, "big")


def _read_bytes(data: bytes, name: str, word_bits: int, order: Literal["little", "big"]) -> list[int]:
    size = _bytes_in_word(word_bits)
    if len(data) % size:
        reason = f"the file has {len(data):,} bytes, and a word of {word_bits} bits takes {size}"
        raise ImageError(f"{name}: the last word is cut short: {reason}; state another width")
    words = [int.from_bytes(data[at : at + size], order) for at in range(0, len(data), size)]
    for index, word in enumerate(words):
        if word >> word_bits:
            place = f"word {index:,}, at byte {index * size:,}, is 0x{word:X}"
            raise ImageError(f"{name}: {place}: it has bits above the lowest {word_bits}; state another width")
    return _of_bounded_number(words, name)


def write_dec(image: Image) -> bytes:
    """The words as signed decimal numbers."""
    return _rows([str(signed(word, image.word_bits)) for word in image.words])


def write_hex(image: Image) -> bytes:
    """The words as hexadecimal numbers, all of one length."""
    digits = -(-image.word_bits // 4)
    return _rows([f"{word:0{digits}x}" for word in image.words])


def write_bin(image: Image) -> bytes:
    """The words as ⌈word_bits/8⌉ bytes each, the lowest first."""
    return _bytes(image, "little")


def write_big_endian(image: Image) -> bytes:
    """The words as ⌈word_bits/8⌉ bytes each, the highest first."""
    return _bytes(image, "big")


def _bytes(image: Image, order: Literal["little", "big"]) -> bytes:
    size = _bytes_in_word(image.word_bits)
    return b"".join(word.to_bytes(size, order) for word in image.words)


def _bytes_in_word(word_bits: int) -> int:
    return -(-word_bits // 8)


def _rows(words: list[str]) -> bytes:
    rows = (" ".join(words[at : at + WORDS_IN_ROW]) for at in range(0, len(words), WORDS_IN_ROW))
    return "".join(f"{row}\n" for row in rows).encode()


def _of_bounded_number(words: list[int], name: str) -> list[int]:
    if len(words) > MAX_IMAGE_WORDS:
        raise ImageError(f"{name}: the file has more than {MAX_IMAGE_WORDS:,} words, the most an image may have")
    return words


def _read_numbers(data: bytes, name: str, word_bits: int, base: int) -> list[int]:
    least, most = -1 << word_bits - 1, (1 << word_bits) - 1
    words: list[int] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        text = _COMMENT.sub(b"", line)
        if _PLAIN[base].fullmatch(text):
            try:
                found = [int(field, base) for field in text.split()]
            except ValueError:
                found = None
            if found is not None and (not found or least <= min(found) <= max(found) <= most):
                words += found
                _of_bounded_number(words, name)
                continue
        if words or not _HEADER.fullmatch(text.strip()):
            _read_fields(text, words, f"{name}:{number}", word_bits, base)
        _of_bounded_number(words, name)
    return words


def _read_fields(line: bytes, words: list[int], place: str, word_bits: int, base: int) -> None:
    """Takes in the fields of a line one by one: words, runs of them, and addresses to go on at."""
    least, most = -1 << word_bits - 1, (1 << word_bits) - 1
    kind = "decimal" if base == 10 else "hexadecimal"
    for field in line.split():
        drawn = ascii(field[:40].decode("latin-1"))
        count, star, value = field.rpartition(b"*")
        is_address = field.startswith(b"@")
        if star and not _DEC.fullmatch(count):
            raise ImageError(f"{place}: {drawn} is not a decimal number, `*` and a word")
        digits = field[1:] if is_address else value
        if not (_DEC if base == 10 else _HEX).fullmatch(digits):
            raise ImageError(f"{place}: {drawn} is not a {kind} {'address' if is_address else 'word'}")
        number, repeated = int(digits, base), int(count) if star else 1
        if is_address:
            if not len(words) <= number <= min(MAX_IMAGE_WORDS, most + 1):
                raise ImageError(f"{place}: {drawn}: the words before it end at address {len(words):,}")
            words += [0] * (number - len(words))
            continue
        if not least <= number <= most:
            raise ImageError(f"{place}: {drawn} does not fit a word of {word_bits} bits")
        if not 0 <= repeated <= MAX_IMAGE_WORDS - len(words):
            raise ImageError(f"{place}: {drawn}: an image has at most {MAX_IMAGE_WORDS:,} words")
        words += [number] * repeated


READERS = {"dec": read_dec, "hex": read_hex, "bin": read_bin, "bin-be": read_big_endian}
WRITERS = {"dec": write_dec, "hex": write_hex, "bin": write_bin, "bin-be": write_big_endian}
