"""Loading and saving programs of every format."""

from typing import Any

import pytest

from assembler import (
    AssemblyError,
    Image,
    ImageError,
    assemble,
    decode_source,
    disassemble,
    format_listing,
    format_of,
    format_source,
    format_symbols,
    image_bytes,
    load_image,
    read_image,
)

IMAGE = assemble(".width 8\n.entry main\nmain: sbn a, b\na: .word 1\nb: .word -2", "x.sbn")


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("a.sbn", "sbn"),
        ("a.IMG", "img"),
        ("x/a.dec", "dec"),
        ("a.hex", "hex"),
        ("a.bin", "bin"),
        ("a.txt", "sbn"),
        ("-", "sbn"),
    ],
)
def test_the_suffix_states_the_format(path, format):
    assert format_of(path) == format


@pytest.mark.parametrize("suffix", ["sbn", "img", "dec", "hex", "bin"])
def test_an_image_comes_back_from_a_file_of_any_format(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(image_bytes(IMAGE, suffix))
    options: dict[str, Any] = {} if suffix in ("sbn", "img") else {"word_bits": 8, "entry": 0}
    assert load_image(path, **options) == IMAGE
    path.rename(tmp_path / "b.txt")
    assert load_image(tmp_path / "b.txt", suffix, **options) == IMAGE


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "nothing.img")


def test_errors_name_the_file_as_it_was_given(tmp_path):
    path = tmp_path / "bad.sbn"
    path.write_bytes(b'sbn nowhere\n.ascii "\xff"')
    with pytest.raises(AssemblyError) as caught:
        load_image(path)
    assert str(caught.value).startswith(f"{path}:2:9: error: byte 0xFF is not part of UTF-8 text")
    bad = tmp_path / "bad.img"
    bad.write_bytes(b"sbn")
    with pytest.raises(ImageError) as refused:
        load_image(str(bad))
    assert str(refused.value).startswith(f"{bad}:1: this is not an image")


def saved(image, tmp_path):
    (tmp_path / "a.img").write_bytes(image_bytes(image, "img"))
    return tmp_path / "a.img"


def test_an_option_may_repeat_what_an_image_holds(tmp_path):
    path = saved(IMAGE, tmp_path)
    assert load_image(path, isa="sbn", word_bits=8, entry="main", input_mode="set") == IMAGE


@pytest.mark.parametrize("option", [{"isa": "subleq"}, {"word_bits": 16}, {"entry": 1}, {"input_mode": "add"}])
def test_an_option_that_contradicts_an_image_is_an_error(tmp_path, option):
    with pytest.raises(ImageError, match="contradicts the image"):
        load_image(saved(IMAGE, tmp_path), **option)


def test_an_option_fills_in_the_memory_an_image_leaves_open(tmp_path):
    assert load_image(saved(IMAGE, tmp_path), memory=200).memory == 200
    with pytest.raises(ImageError, match="less than the image"):
        load_image(saved(IMAGE, tmp_path), memory=2)
    with pytest.raises(ImageError, match="contradicts"):
        load_image(saved(Image([1], memory=10), tmp_path), memory=11)


def test_a_format_that_is_none_and_an_option_that_is_none_are_value_errors():
    with pytest.raises(ValueError, match="format must be one of"):
        read_image(b"", format="elf")
    with pytest.raises(ValueError, match="format must be one of"):
        image_bytes(IMAGE, "elf")
    with pytest.raises(ValueError, match="isa must be one of"):
        read_image(b"1", format="dec", isa="risc")


def test_a_source_of_more_than_16_mib_is_refused():
    with pytest.raises(AssemblyError, match="at most 16 MiB"):
        read_image(b" " * ((16 << 20) + 1))
    with pytest.raises(AssemblyError, match="at most 16 MiB"):
        assemble("é" * (9 << 20))
    assert read_image(b"sbn 1 ;" + b" " * ((16 << 20) - 7)).words == (1, 1, 3)


def test_a_byte_that_is_not_utf8_is_told_with_its_place_behind_a_byte_order_mark_too():
    with pytest.raises(AssemblyError) as caught:
        read_image(b"\xef\xbb\xbf.word 1\r\n; \xc3\xa9 \xe9\r\n", "x.sbn")
    assert str(caught.value).startswith(
        "x.sbn:2:5: error: byte 0xE9 is not part of UTF-8 text\n  |\n2 | ; é �\n  |     ^\n"
    )


@pytest.mark.parametrize("name", ["x.txt", "x", "x.sbn", "x.dec", "x.hex", "x.bin", "x.asm"])
def test_an_image_is_recognised_whatever_its_file_is_called(tmp_path, name):
    (tmp_path / name).write_bytes(image_bytes(IMAGE, "img"))
    assert load_image(tmp_path / name) == IMAGE
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-80])
    with pytest.raises(ImageError, match="cut short or changed"):
        load_image(tmp_path / name)


@pytest.mark.parametrize(
    "use", [disassemble, format_listing, format_source, format_symbols, lambda value: image_bytes(value, "img")]
)
def test_what_is_no_image_is_told_so(use):
    with pytest.raises(TypeError, match="an Image is needed, not str; `assemble` makes one of source text"):
        use("halt")


@pytest.mark.parametrize("read", [read_image, decode_source])
def test_text_where_bytes_of_a_file_belong_is_told_so(read):
    with pytest.raises(TypeError, match="are bytes, not str"):
        read("halt")


@pytest.mark.parametrize("text", ["adder.sbn", "programs/adder.sbn", "build/x.img"])
def test_the_name_of_a_file_given_as_a_source_is_told_so(text):
    with pytest.raises(AssemblyError, match="this is the name of a file, not a source") as caught:
        assemble(text)
    assert "load_image" in str(caught.value)
