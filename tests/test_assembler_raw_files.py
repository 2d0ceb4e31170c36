"""Images of other people's programs: `.dec`, `.hex` and `.bin`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import Image, ImageError, image_bytes, read_image

WIDTHS = [4, 5, 8, 16, 33, 64]
words_of_some_width = st.sampled_from(WIDTHS).flatmap(
    lambda bits: st.tuples(st.just(bits), st.lists(st.integers(0, (1 << bits) - 1), max_size=16))
)


@pytest.mark.parametrize("format", ["dec", "hex", "bin"])
@settings(derandomize=True, deadline=None, max_examples=60)
@given(case=words_of_some_width)
def test_writing_and_reading_is_exact(format, case):
    bits, words = case
    image = Image(words, bits)
    assert read_image(image_bytes(image, format), format=format, word_bits=bits) == image


def test_the_defaults_are_sbn_16_bits_and_entry_0():
    assert read_image(b"1 2 -1", format="dec") == Image([1, 2, 65535], 16, "sbn", 0)


def test_options_state_what_a_raw_file_cannot():
    image = read_image(b"1 2", format="dec", isa="subleq", word_bits=8, entry="1 + 2", memory=9, input_mode="sub")
    assert image == Image([1, 2], 8, "subleq", 3, 9, "sub")


@pytest.mark.parametrize("data", [b"1,2,-3", b"1 2\n-3", b" 1 ,\t2,\r\n-3,\n", b"\xef\xbb\xbf1 2 -3", b"+1 02 -3"])
def test_decimal_words_are_apart_by_blanks_or_commas(data):
    assert read_image(data, format="dec").words == (1, 2, 65533)


@pytest.mark.parametrize("data", [b"1f -1 ffff", b"0x1F -0x1\n0XFFFF", b"1F\r\n-1\tffff"])
def test_hexadecimal_words_may_have_prefix_and_sign(data):
    assert read_image(data, format="hex").words == (31, 65535, 65535)


@pytest.mark.parametrize(
    ("format", "data", "message"),
    [
        ("dec", b"1\n2 x3", "f:2: 'x3' is not a decimal word"),
        ("dec", b"0x10", "f:1: '0x10' is not a decimal word"),
        ("dec", b"1_0", "f:1: '1_0' is not a decimal word"),
        ("dec", b"65536", "f:1: '65536' does not fit a word of 16 bits"),
        ("dec", b"-32769", "f:1: '-32769' does not fit a word of 16 bits"),
        ("dec", b"9" * 5000, "f:1: '999"),
        ("dec", "٣".encode(), "f:1: "),
        ("dec", b"\0\xff", "f:1: "),
        ("hex", b"1,2", "f:1: '1,2' is not a hexadecimal word"),
        ("hex", b"10000", "f:1: '10000' does not fit a word of 16 bits"),
        ("hex", b"0x", "f:1: '0x' is not a hexadecimal word"),
        ("bin", b"abc", "f: the last word is cut short"),
    ],
)
def test_what_is_no_word_is_an_error_with_its_line(format, data, message):
    with pytest.raises(ImageError) as caught:
        read_image(data, "f", format)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_bytes_of_a_binary_word_come_lowest_first():
    assert read_image(b"\x01\x02\xff\xff", format="bin").words == (0x0201, 0xFFFF)
    assert read_image(b"\x01\x02\x00\x05\x00\x00", format="bin", word_bits=17).words == (0x0201, 5)


def test_bits_above_the_width_are_an_error_with_their_place():
    with pytest.raises(ImageError, match="word 1, at byte 3, is 0x40001"):
        read_image(b"\x01\x00\x00\x01\x00\x04", format="bin", word_bits=18)
    with pytest.raises(ImageError, match="word 0"):
        read_image(b"\x10", format="bin", word_bits=4)


def test_an_image_beyond_the_addresses_or_the_memory_is_an_error():
    with pytest.raises(ImageError, match="at most 16"):
        read_image(b"1 " * 17, format="dec", word_bits=4)
    with pytest.raises(ImageError, match="less than the image"):
        read_image(b"1 2 3", format="dec", memory=2)
    with pytest.raises(ImageError, match="entry 70000"):
        read_image(b"1 2 3", format="dec", entry=70000)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.sampled_from(["dec", "hex", "bin", "img"]), st.sampled_from(WIDTHS))
def test_any_bytes_are_an_image_or_an_image_error(data, format, bits):
    try:
        read_image(data, "f", format, word_bits=bits)
    except ImageError as error:
        assert str(error).startswith("f:") and "\n" not in str(error)
