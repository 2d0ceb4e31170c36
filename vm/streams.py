"""What a console carries: bytes; or, in the input modes for that, numbers, which outside are text.

A number to read is decimal digits, possibly with a minus sign before them, and stands for itself modulo 2^word_bits.
Whatever else is in the text separates numbers. A number that is written is a signed word and the end of a line.
"""

from __future__ import annotations

import re
from itertools import islice

import numpy as np

from assembler.image import INPUT_MODES
from learned_units import bits

_NUMBER = re.compile(rb"-?[0-9]{1,1000}")
_BEGUN = re.compile(rb"-?[0-9]{0,999}\Z")  # more digits may follow


def items(text: bytes | bytearray, most: int, ended: bool, input_mode: str, word_bits: int) -> tuple[np.ndarray, int]:
    """What a machine reads next, and how many bytes of the text that is.

    At most `most` of them: bytes, uint8 [n], or numbers, uint32 [n, limbs]. ended: no more text follows; before that a
    number with which the text ends is not known yet.
    """
    if not INPUT_MODES[input_mode].numbers:
        block = np.frombuffer(bytes(text[:most]), np.uint8)
        return block, len(block)
    complete = len(text) if ended else begun.start() if (begun := _BEGUN.search(text)) else len(text)
    found = list(islice(_NUMBER.finditer(text, 0, complete), most))
    words = np.array([int(number[0]) % (1 << word_bits) for number in found], np.uint64)
    used = found[-1].end() if len(found) == most > 0 else complete
    return bits.words_to_limbs(words, word_bits).reshape(len(found), bits.limb_count(word_bits)), used


def after(text: bytes | bytearray, position: int, count: int, input_mode: str) -> int:
    """Where in the text a machine is that was at a position and has read `count` times since."""
    if not INPUT_MODES[input_mode].numbers:
        return position + count
    for number in islice(_NUMBER.finditer(text, position), count):
        position = number.end()
    return position


def before(text: bytes | bytearray, position: int, count: int, input_mode: str) -> int:
    """Where in the text a machine was that is at a position now, before the last `count` times it read."""
    if not INPUT_MODES[input_mode].numbers:
        return position - count
    ends = [0, *(number.end() for number in _NUMBER.finditer(text, 0, position))]
    return ends[-1 - count] if count else position


def written(words: np.ndarray, input_mode: str, word_bits: int) -> bytes:
    """The output that these words, unsigned, are."""
    if not INPUT_MODES[input_mode].numbers:
        return words.astype(np.uint8).tobytes()
    sign = 1 << word_bits - 1
    return b"".join(b"%d\n" % ((word ^ sign) - sign) for word in map(int, words))
