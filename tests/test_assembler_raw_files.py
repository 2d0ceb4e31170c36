"""Images of other people's programs: `.dec`, `.hex` and `.bin`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import Image, ImageError, image_bytes, load_images, read_image

WIDTHS = [4, 5, 8, 16, 33, 64]
words_of_some_width = st.sampled_from(WIDTHS).flatmap(
    lambda bits: st.tuples(st.just(bits), st.lists(st.integers(0, (1 << bits) - 1), max_size=16))
)


@pytest.mark.parametrize("format", ["dec", "hex", "bin", "bin-be"])
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


@pytest.mark.parametrize("format", ["dec", "hex"])
def test_comments_runs_and_addresses_are_read(format):
    data = b"# a comment\n1 2 // 3\n;\n4*5 0*9 -1#x\n@9 7 ; 8\n"
    assert read_image(data, format=format).words == (1, 2, 5, 5, 5, 5, 65535, 0, 0, 7)


def test_addresses_are_in_the_base_of_the_file_and_counts_are_decimal():
    assert len(read_image(b"@10 1", format="dec").words) == 11
    assert len(read_image(b"@10 1", format="hex").words) == 17
    assert read_image(b"v2.0 raw\n10*1f 0x2\n", format="hex").words == (31,) * 10 + (2,)


def test_several_raw_files_are_one_image(tmp_path):
    (tmp_path / "a.dec").write_text("1 2 -1 # no line end")
    (tmp_path / "b.hex").write_text("@2 ff")
    (tmp_path / "c.sbn").write_text("nop")
    files = [tmp_path / "a.dec", tmp_path / "b.hex"]
    assert load_images(files, isa="subleq", entry=3) == Image([1, 2, -1, 0, 0, 255], 16, "subleq", 3)
    assert load_images([files[0], files[0]], "dec").words == (1, 2, 65535) * 2
    with pytest.raises(ImageError, match=r"c\.sbn: only raw images \(dec, hex, bin, bin-be\)"):
        load_images([*files, tmp_path / "c.sbn"])


@pytest.mark.parametrize(
    ("format", "data", "message"),
    [
        ("dec", b"1\n@0 2", "f:2: '@0': the words before it end at address 1"),
        ("dec", b"@99999999", "f:1: '@99999999': the words before it end at address 0"),
        ("dec", b"99999999*1", "f:1: '99999999*1': an image has at most 33,554,432 words"),
        ("dec", b"-2*1", "f:1: '-2*1': an image has at most"),
        ("dec", b"x*1", "f:1: 'x*1' is not a decimal number, `*` and a word"),
        ("dec", b"1\nv2.0 raw", "f:2: 'v2.0' is not a decimal word"),
        ("hex", b"@x", "f:1: '@x' is not a hexadecimal address"),
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


def test_bytes_of_a_big_endian_word_come_highest_first():
    assert read_image(b"\x01\x02\xff\xfe", format="bin-be").words == (0x0102, 0xFFFE)
    assert image_bytes(Image([0x10203], 17), "bin-be") == b"\x01\x02\x03"


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
@given(st.binary(max_size=60), st.sampled_from(["dec", "hex", "bin", "bin-be", "img"]), st.sampled_from(WIDTHS))
def test_any_bytes_are_an_image_or_an_image_error(data, format, bits):
    try:
        read_image(data, "f", format, word_bits=bits)
    except ImageError as error:
        assert str(error).startswith("f:") and "\n" not in str(error)
