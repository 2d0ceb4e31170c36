"""Words, limbs and bits: the only place that knows bit order and how a word of up to 64 bits is held.

A word of `word_bits` bits (4..64) is an integer 0..2^word_bits - 1. On the device it is an array of
uint32 limbs, least significant first: one limb up to 32 bits, two above. Its bits are a float32 vector
of 0.0 and 1.0, least significant first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import jax

LIMB_BITS = 32
MIN_WORD_BITS = 4
MAX_WORD_BITS = 64


def limb_count(word_bits: int) -> int:
    """Number of uint32 limbs a word takes: 1 or 2."""
    return -(-word_bits // LIMB_BITS)


def limb_masks(word_bits: int) -> np.ndarray:
    """The bits of each limb that belong to the word: uint32 [limbs]."""
    limbs = limb_count(word_bits)
    top = word_bits - LIMB_BITS * (limbs - 1)
    masks = np.full(limbs, 0xFFFFFFFF, np.uint32)
    masks[-1] = (1 << top) - 1
    return masks


def limbs_to_bits(limbs: jax.Array, word_bits: int) -> jax.Array:
    """uint32 [limbs, ...] -> float32 [word_bits, ...], least significant first."""
    import jax.numpy as jnp

    count, *batch = limbs.shape
    wide = [jnp.broadcast_to(limbs[k], (min(LIMB_BITS, word_bits - LIMB_BITS * k), *batch)) for k in range(count)]
    position = (np.arange(word_bits) % LIMB_BITS).astype(np.uint32).reshape(-1, *(1 for _ in batch))
    return ((jnp.concatenate(wide) >> position) & np.uint32(1)).astype(jnp.float32)


def bits_to_limbs(bits: jax.Array, word_bits: int) -> jax.Array:
    """bool [word_bits, ...], least significant first -> uint32 [limbs, ...]."""
    import jax.numpy as jnp

    place = np.uint32(1) << (np.arange(word_bits) % LIMB_BITS).astype(np.uint32)
    weighted = jnp.where(bits, place.reshape(-1, *(1 for _ in bits.shape[1:])), np.uint32(0))
    return jnp.stack(
        [weighted[LIMB_BITS * k : LIMB_BITS * (k + 1)].sum(0, dtype=jnp.uint32) for k in range(limb_count(word_bits))]
    )


def words_to_limbs(words: np.ndarray, word_bits: int) -> np.ndarray:
    """Unsigned words, integer [...] -> uint32 [..., limbs]."""
    wide = np.asarray(words).astype(np.uint64)
    return np.stack([(wide >> np.uint64(LIMB_BITS * k)).astype(np.uint32) for k in range(limb_count(word_bits))], -1)


def limbs_to_words(limbs: np.ndarray, word_bits: int) -> np.ndarray:
    """uint32 [..., limbs] -> words [...], int64 for word_bits <= 63 and uint64 for 64."""
    limbs = np.asarray(limbs)
    wide = np.zeros(limbs.shape[:-1], np.uint64)
    for k in range(limbs.shape[-1]):
        wide |= limbs[..., k].astype(np.uint64) << np.uint64(LIMB_BITS * k)
    return wide if word_bits == MAX_WORD_BITS else wide.astype(np.int64)


def is_integer(value: Any) -> bool:
    """Whether a value is an integer of Python's or numpy's, and no truth value."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def as_words(values: Any, word_bits: int, name: str) -> np.ndarray:
    """Integers -2^(word_bits-1) .. 2^word_bits - 1, of any shape -> unsigned words, uint64 of that shape.

    Raises TypeError for anything but integers, ValueError (naming the argument) for one out of range.
    """
    low, high = -(1 << (word_bits - 1)), (1 << word_bits) - 1
    array = np.asarray(values)
    if array.dtype == np.float64 and not hasattr(values, "dtype"):
        array = np.array(values, object)  # an empty list carries no type; of 2^63 and -1 numpy makes floats
    if array.dtype == object:
        for value in array.flat:
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise TypeError(f"{name} must be integers, not {type(value).__name__}")
    elif array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if array.size:
        least, most = int(array.min()), int(array.max())
        if least < low or most > high:
            bad = least if least < low else most
            raise ValueError(f"{name} = {bad} does not fit a word of {word_bits} bits ({low} .. {high})")
    if array.dtype == object:
        return np.array([int(v) & high for v in array.flat], np.uint64).reshape(array.shape)
    if array.dtype == np.uint64:
        return array & np.uint64(high)
    return array.astype(np.int64).view(np.uint64) & np.uint64(high)
