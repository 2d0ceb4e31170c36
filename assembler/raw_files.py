"""Images of other people's programs: bare words as `.dec`, `.hex` and `.bin`.

They hold words and nothing else, so the width, the instruction set and the entry are the caller's to state.
"""

import re

from assembler.image import MAX_IMAGE_WORDS, Image, ImageError, signed

WORDS_IN_ROW = 12
_DEC = re.compile(rb"[+-]?[0-9]{1,1000}")
_HEX = re.compile(rb"[+-]?(?:0[xX])?[0-9A-Fa-f]{1,1000}")


def read_dec(data: bytes, name: str, word_bits: int) -> list[int]:
    """Decimal words, −2^(word_bits−1) … 2^word_bits−1, apart by blanks or commas. Raises ImageError."""
    return _read_numbers(data.replace(b",", b" "), name, word_bits, _DEC, 10)


def read_hex(data: bytes, name: str, word_bits: int) -> list[int]:
    """Hexadecimal words apart by blanks, `0x` and `-` optional; the range is that of `.dec`. Raises ImageError."""
    return _read_numbers(data, name, word_bits, _HEX, 16)


def read_bin(data: bytes, name: str, word_bits: int) -> list[int]:
    """Words of ⌈word_bits/8⌉ bytes, the lowest first. Raises ImageError."""
    size = _bytes_in_word(word_bits)
    if len(data) % size:
        reason = f"the file has {len(data):,} bytes, and a word of {word_bits} bits takes {size}"
        raise ImageError(f"{name}: the last word is cut short: {reason}; state another width")
    words = [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]
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
    size = _bytes_in_word(image.word_bits)
    return b"".join(word.to_bytes(size, "little") for word in image.words)


def _bytes_in_word(word_bits: int) -> int:
    return -(-word_bits // 8)


def _rows(words: list[str]) -> bytes:
    rows = (" ".join(words[at : at + WORDS_IN_ROW]) for at in range(0, len(words), WORDS_IN_ROW))
    return "".join(f"{row}\n" for row in rows).encode()


def _of_bounded_number(words: list[int], name: str) -> list[int]:
    if len(words) > MAX_IMAGE_WORDS:
        raise ImageError(f"{name}: the file has more than {MAX_IMAGE_WORDS:,} words, the most an image may have")
    return words


def _read_numbers(data: bytes, name: str, word_bits: int, form: re.Pattern[bytes], base: int) -> list[int]:
    least, most = -1 << word_bits - 1, (1 << word_bits) - 1
    words = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        for field in line.split():
            kind = "decimal" if base == 10 else "hexadecimal"
            drawn = ascii(field[:40].decode("latin-1"))
            if not form.fullmatch(field):
                raise ImageError(f"{name}:{number}: {drawn} is not a {kind} word")
            word = int(field, base)
            if not least <= word <= most:
                raise ImageError(f"{name}:{number}: {drawn} does not fit a word of {word_bits} bits")
            words.append(word)
        _of_bounded_number(words, name)
    return words


READERS = {"dec": read_dec, "hex": read_hex, "bin": read_bin}
WRITERS = {"dec": write_dec, "hex": write_hex, "bin": write_bin}
