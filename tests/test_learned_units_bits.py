"""Words, limbs and bits: round trips at every width, and exactly the arguments the interface promises."""

import jax.numpy as jnp
import numpy as np
import pytest

from learned_units import bits

every_width = pytest.mark.parametrize("word_bits", range(4, 65))


def some_words(word_bits: int) -> list[int]:
    """The edges, every power of two, and random words."""
    high = 2**word_bits - 1
    rng = np.random.default_rng(word_bits)
    random = [int(word) & high for word in rng.integers(0, 2**64, 50, np.uint64)]
    return [0, 1, high, high - 1, high >> 1, (high >> 1) + 1, *(1 << k for k in range(word_bits)), *random]


@every_width
def test_words_become_limbs_and_come_back(word_bits):
    words = some_words(word_bits)
    limbs = bits.words_to_limbs(np.array(words, np.uint64), word_bits)
    assert limbs.dtype == np.uint32
    assert limbs.shape == (len(words), 1 if word_bits <= 32 else 2)
    assert [sum(int(limb) << 32 * k for k, limb in enumerate(row)) for row in limbs] == words
    back = bits.limbs_to_words(limbs, word_bits)
    assert back.dtype == (np.uint64 if word_bits == 64 else np.int64)
    assert back.tolist() == words


@pytest.mark.parametrize(
    "word_bits",
    [
        width if width in (4, 5, 16, 31, 32, 33, 63, 64) else pytest.param(width, marks=pytest.mark.slow)
        for width in range(4, 65)
    ],
)
def test_limbs_become_bits_and_come_back(word_bits):
    for word in some_words(word_bits)[-8:]:
        limbs = jnp.asarray(bits.words_to_limbs(np.array(word, np.uint64), word_bits))
        spread = bits.limbs_to_bits(limbs, word_bits)
        assert spread.dtype == jnp.float32
        assert spread.tolist() == [word >> k & 1 for k in range(word_bits)]
        packed = bits.bits_to_limbs(spread > 0, word_bits)
        assert packed.dtype == jnp.uint32
        assert packed.tolist() == limbs.tolist()


@every_width
def test_the_masks_cover_the_word_and_nothing_else(word_bits):
    masks = bits.limb_masks(word_bits)
    assert sum(int(mask) << 32 * k for k, mask in enumerate(masks)) == 2**word_bits - 1


@every_width
def test_words_are_accepted_signed_and_unsigned_and_not_beyond(word_bits):
    low, high = -(2 ** (word_bits - 1)), 2**word_bits - 1
    for value in (low, low + 1, -1, 0, 1, -low - 1, -low, high):
        word = bits.as_words(value, word_bits, "minuend")
        assert word.dtype == np.uint64
        assert word.shape == ()
        assert int(word) == value % 2**word_bits
    for value in (low - 1, high + 1, 2**64, -(2**64), 2**200):
        with pytest.raises(ValueError, match=rf"minuend = {value} does not fit a word of {word_bits} bits"):
            bits.as_words(value, word_bits, "minuend")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_every_integer_type_of_numpy_is_accepted(dtype):
    given = np.array([[0, 1], [100, 127]], dtype)
    words = bits.as_words(given, 8, "minuend")
    assert words.tolist() == given.tolist()
    assert int(bits.as_words(given[1, 0], 8, "minuend")) == 100
    if dtype.startswith("i"):
        assert bits.as_words(-given, 8, "minuend").tolist() == [[0, 255], [156, 129]]


def test_arrays_of_jax_are_accepted():
    assert bits.as_words(jnp.array([-1, 3]), 8, "minuend").tolist() == [255, 3]


def test_integers_beyond_int64_are_accepted_at_64_bits():
    high = 2**64 - 1
    assert bits.as_words(high, 64, "a").tolist() == high
    assert bits.as_words([high, 5], 64, "a").tolist() == [high, 5]
    assert bits.as_words([2**63, -1], 64, "a").tolist() == [2**63, high]
    assert bits.as_words(np.array([2**63, -(2**63)], object), 64, "a").tolist() == [2**63, 2**63]
    assert bits.as_words(np.array([np.int64(-1), 2**63], object), 64, "a").tolist() == [high, 2**63]
    assert bits.as_words(np.array([2**63], np.uint64), 64, "a").tolist() == [2**63]
    with pytest.raises(ValueError, match=f"a = {2**64} does not fit"):
        bits.as_words([0, 2**64], 64, "a")


@pytest.mark.parametrize(
    "values",
    [1.0, [1.0], [1, 2.5], np.float32(3), np.zeros(2), np.zeros(0), True, [True], [2**70, True], "3", ["3"], None, 1j,
     [None], [2**63, 1.5, -1]],
    ids=repr,
)  # fmt: skip
def test_what_is_no_integer_is_a_type_error_naming_the_argument(values):
    with pytest.raises(TypeError, match="target must be integers, not "):
        bits.as_words(values, 16, "target")


@pytest.mark.parametrize("values", [[], (), np.zeros((0, 3), np.int32), [[], []]], ids=repr)
def test_empty_arrays_stay_empty(values):
    words = bits.as_words(values, 16, "a")
    assert words.dtype == np.uint64
    assert words.shape == np.asarray(values).shape
