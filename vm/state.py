"""Everything one SBN machine is, as a pytree; why and where it stops; and what its console buffers are outside.

A console carries bytes, or, in the input modes for that, numbers, which outside are text. A number to read is decimal
digits, possibly with a minus sign before them, and stands for itself modulo 2^word_bits. Whatever else is in the text
separates numbers. A number that is written is a signed word and the end of a line.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assembler.image import INPUT_MODES
from learned_units import bits

if TYPE_CHECKING:
    import jax

INPUT_BYTES = 1 << 12  # console buffers in the state
OUTPUT_BYTES = 1 << 14
WORDS = 3  # words an instruction takes

_NUMBER = re.compile(rb"-?[0-9]{1,1000}")
_BEGUN = re.compile(rb"-?[0-9]{0,999}\Z")  # more digits may follow


class Halt(enum.IntEnum):
    """Why a machine stopped. RUNNING and OUTPUT_FULL are seen between chunks only, never in an Outcome; STOP only where
    stops were asked for; STANDS_STILL where the last step changed nothing and every further one would be the same."""

    RUNNING = 0
    HALTED = 1
    BUDGET = 2
    BAD_ADDRESS = 3
    PC_OUTSIDE = 4
    DIVERGED = 5
    NEED_INPUT = 6
    OUTPUT_FULL = 7
    STOP = 8
    STANDS_STILL = 9


class MachineState(NamedTuple):
    """One machine. M words of memory, L limbs a word (bits.limb_count), I and O bytes of console buffers.

    A state whose `halt` is not RUNNING is a fixpoint of `step`. `margin` and `console_steps` count from the
    beginning of the chunk.
    """

    memory: jax.Array  # uint32 [M, L]
    pc: jax.Array  # uint32 [L]
    halt: jax.Array  # int32 [], a Halt code
    margin: jax.Array  # float32 [], smallest margin of any step
    console_steps: jax.Array  # int32 [], steps that were console instructions
    input: jax.Array  # uint8 [I], bytes not yet read begin at input_position; of numbers, uint32 [I, L]
    input_position: jax.Array  # int32 []
    input_length: jax.Array  # int32 [], places of `input` that are filled
    input_ended: jax.Array  # bool [], whether the end of input follows them
    output: jax.Array  # uint8 [O + 1]; the last place takes what a step without output writes; or uint32 [O + 1, L]
    output_length: jax.Array  # int32 []


class Stops(NamedTuple):
    """After which steps to leave the loop. Traced: other stops compile nothing."""

    mask: jax.Array  # uint8 [M], a sum of: BREAK, leave when pc is this address; WATCH, leave when it was written
    margin_floor: jax.Array  # float32 [], leave after a step whose margin is below

    BREAK = 1
    WATCH = 2


def make_stops(size: int, mask: np.ndarray | None = None, margin_floor: float = -math.inf) -> Stops:
    """Stops for a machine of `size` words. mask: uint8 [size], see Stops; without it, no address is marked."""
    import jax

    marked = np.zeros(max(size, WORDS), np.uint8)
    if mask is not None:
        marked[:size] = mask
    return Stops(*jax.device_put((marked, np.float32(margin_floor))))


def boot(words: Sequence[int] | np.ndarray, pc: int, size: int, word_bits: int, numbers: bool = False) -> MachineState:
    """A machine of `size` words that holds `words` (unsigned) from address 0 on, with empty console buffers.

    numbers: whether these are for numbers instead of bytes. The leaves are made by numpy and moved: made on the device,
    each would compile a kernel of its own.
    """
    import jax

    leaves = blank((), size, word_bits, numbers, INPUT_BYTES, OUTPUT_BYTES)
    leaves["memory"][: len(words)] = bits.words_to_limbs(np.array(words, np.uint64), word_bits)
    leaves["pc"][:] = bits.words_to_limbs(np.array(pc, np.uint64), word_bits)
    leaves["halt"][...] = halt_at_boot(pc, size, word_bits)
    return MachineState(**jax.device_put(leaves))


def blank(
    places: tuple[int, ...], size: int, word_bits: int, numbers: bool, input_items: int, output_items: int
) -> dict[str, np.ndarray]:
    """The leaves of a MachineState with this shape of machines, () for one, that have halted and hold nothing.

    An instruction takes three words: a smaller memory is padded to that. input_items, output_items: what the console
    buffers hold, bytes or numbers.
    """
    limbs = bits.limb_count(word_bits)
    item, kind = ((limbs,), np.uint32) if numbers else ((), np.uint8)
    return {
        "memory": np.zeros((*places, max(size, WORDS), limbs), np.uint32),
        "pc": np.zeros((*places, limbs), np.uint32),
        "halt": np.full(places, Halt.HALTED, np.int32),
        "margin": np.full(places, np.inf, np.float32),
        "console_steps": np.zeros(places, np.int32),
        "input": np.zeros((*places, input_items, *item), kind),
        "input_position": np.zeros(places, np.int32),
        "input_length": np.zeros(places, np.int32),
        "input_ended": np.zeros(places, np.bool_),
        "output": np.zeros((*places, output_items + 1, *item), kind),
        "output_length": np.zeros(places, np.int32),
    }


def halt_at_boot(pc: int, size: int, word_bits: int) -> Halt:
    """Whether a machine of `size` words that begins at this pc, unsigned, is RUNNING."""
    if pc >> (word_bits - 1):
        return Halt.HALTED
    return Halt.PC_OUTSIDE if pc + WORDS > size else Halt.RUNNING


def items_to_read(
    text: bytes | bytearray, most: int, ended: bool, input_mode: str, word_bits: int
) -> tuple[np.ndarray, int]:
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


class Input:
    """What one machine is given to read: the bytes that its state holds, and those outside that follow them."""

    def __init__(self, text: bytes, ended: bool, input_mode: str, word_bits: int) -> None:
        """The state holds nothing yet. ended: whether the end of the input follows the text."""
        self.ended = ended
        self._outside = bytearray(text)
        self._handed = b""
        self._input_mode, self._word_bits = input_mode, word_bits

    def append(self, data: bytes) -> None:
        """Take in more of it."""
        self._outside += data

    def refilled(self, state: MachineState) -> MachineState | None:
        """The state, which has read all it held, with what comes next, or the end; None where neither is there."""
        items, used = items_to_read(self._outside, INPUT_BYTES, self.ended, self._input_mode, self._word_bits)
        if not len(items) and not self.ended:
            return None
        self._handed = bytes(self._outside[:used])
        del self._outside[:used]
        buffer = np.zeros(state.input.shape, items.dtype)
        buffer[: len(items)] = items
        return state._replace(
            input=buffer,
            input_position=np.int32(0),
            input_length=np.int32(len(items)),
            input_ended=np.bool_(self.ended and not self._outside),
        )

    def unread(self, state: MachineState) -> bytes:
        """All that the machine has not read."""
        read = position_after(self._handed, 0, int(state.input_position), self._input_mode)
        return self._handed[read:] + bytes(self._outside)


def position_after(text: bytes | bytearray, position: int, count: int, input_mode: str) -> int:
    """Where in the text a machine is that was at a position and has read `count` times since."""
    if not INPUT_MODES[input_mode].numbers:
        return position + count
    for number in islice(_NUMBER.finditer(text, position), count):
        position = number.end()
    return position


def position_before(text: bytes | bytearray, position: int, count: int, input_mode: str) -> int:
    """Where in the text a machine was that is at a position now, before the last `count` times it read."""
    if not INPUT_MODES[input_mode].numbers:
        return position - count
    ends = [0, *(number.end() for number in _NUMBER.finditer(text, 0, position))]
    return ends[-1 - count] if count else position


def as_output(words: np.ndarray, input_mode: str, word_bits: int) -> bytes:
    """The output that these words, unsigned, are."""
    if not INPUT_MODES[input_mode].numbers:
        return words.astype(np.uint8).tobytes()
    sign = 1 << word_bits - 1
    return b"".join(b"%d\n" % ((word ^ sign) - sign) for word in map(int, words))


def output_held(buffer: np.ndarray, input_mode: str, word_bits: int) -> bytes:
    """The output that places of a state's buffer hold: bytes, uint8 [n], or numbers, uint32 [n, limbs]."""
    words = bits.limbs_to_words(buffer, word_bits) if INPUT_MODES[input_mode].numbers else buffer
    return as_output(words, input_mode, word_bits)
