"""The `.img` format: exact round trips, and a refusal in one line for anything else."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import Image, ImageError, Origin, SourceMap, SourceRun, assemble
from assembler.image_file import read_img, write_img


def same(one, other):
    return (one, one.symbols, one.source_map, one.constants) == (
        other,
        other.symbols,
        other.source_map,
        other.constants,
    )


@st.composite
def images(draw):
    bits = draw(st.sampled_from([4, 5, 8, 16, 33, 64]))
    word = st.one_of(st.integers(0, (1 << bits) - 1), st.just(0))
    words = draw(st.lists(word, max_size=min(1 << bits, 40)))
    names = draw(
        st.dictionaries(st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True), st.integers(), max_size=4)
    )
    place = st.builds(Origin, st.text(max_size=5), st.integers(0, 10**6), st.text(max_size=10))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=4)))
    runs = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        origin = draw(place)
        runs.append(
            SourceRun(
                start, end, Origin(origin.file, origin.line, origin.text, tuple(draw(st.lists(place, max_size=2))))
            )
        )
    return Image(
        words,
        bits,
        draw(st.sampled_from(["sbn", "subleq"])),
        draw(st.integers(0, (1 << bits) - 1)),
        draw(st.none() | st.integers(max(1, len(words)), 1 << min(bits, 20))),
        draw(st.sampled_from(["set", "add", "sub"])),
        names,
        draw(st.sampled_from([None, SourceMap(tuple(runs))])),
        draw(st.sets(st.sampled_from(sorted(names)))) if names else (),
    )


@settings(derandomize=True, deadline=None, max_examples=150)
@given(images())
def test_saving_and_loading_is_exact(image):
    assert same(read_img(write_img(image)), image)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(images(), st.data())
def test_any_changed_byte_is_noticed(image, data):
    saved = write_img(image)
    for place, change in data.draw(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=6)):
        changed = bytearray(saved)
        changed[place % len(saved)] ^= change
        with pytest.raises(ImageError, match="^x.img:[0-9]+: "):
            read_img(bytes(changed), "x.img")


@settings(derandomize=True, deadline=None, max_examples=150)
@given(images(), st.data())
def test_any_missing_or_added_end_is_noticed(image, data):
    saved = write_img(image)
    with pytest.raises(ImageError):
        read_img(saved[: data.draw(st.integers(0, len(saved) - 1))])
    with pytest.raises(ImageError):
        read_img(saved + data.draw(st.binary(min_size=1, max_size=5)))


@settings(derandomize=True, deadline=None, max_examples=300)
@given(images(), st.data())
def test_a_changed_file_with_a_right_checksum_is_an_image_or_an_image_error(image, data):
    lines = write_img(image).split(b"\n")[:-2]
    index = data.draw(st.integers(0, len(lines) - 1))
    change = st.sampled_from(
        [b"", b"-1", b"words 99999999999", b"0*16777216", b'"', b"from 0 0 0", b"label x", b"\xff"]
    )
    lines[index : index + data.draw(st.integers(0, 2))] = [
        data.draw(change | st.sampled_from(lines) | st.binary(max_size=9))
    ]
    body = b"\n".join(lines) + b"\n"
    try:
        read_img(body + f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode(), "x.img")
    except ImageError as error:
        assert str(error).startswith("x.img:") and "\n" not in str(error)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_garbage_is_refused(data):
    with pytest.raises(ImageError):
        read_img(data)


SAVED = write_img(assemble("a: sbn a, b\nb: .word -1, 7\n.equ N, 5\n.org 8\n.space 20, 3", "x.sbn"))


def sealed(text):
    body = text.encode()
    return body + f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()


def test_the_format_is_as_documented():
    *lines, checksum = SAVED.decode().split("\n")[:-1]
    assert "\n".join(lines) == (
        "sbn-image 1\nisa sbn\nwidth 16\nentry 0\nmemory default\ninput set\nwords 28\n0 3 3\n-1 7\n0 0 0\n3*20\n"
        'symbols 3\nlabel a 0\nlabel b 3\nconstant N 5\nfiles 1\n"x.sbn"\nlines 3\n0 3 0 0 1 "a: sbn a, b"\n'
        '3 2 0 0 2 "b: .word -1, 7"\n8 20 0 0 5 ".space 20, 3"'
    )
    assert sealed("\n".join(lines) + "\n").endswith(f"\n{checksum}\n".encode())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sbn-image 1", "sbn-image 2", "x.img:1: the image has format 2, and this program reads 1"),
        ("sbn-image 1", "an image", "x.img:1: this is not an image"),
        ("isa sbn", "isa risc", "x.img: isa must be one of"),
        ("width 16", "width 3", "x.img: word_bits must be 4 … 64"),
        ("width 16", "width ten", "x.img:3: expected a decimal number"),
        ("entry 0\n", "", "x.img:4: expected `entry` and its value"),
        ("memory default", "memory 10", "x.img: memory of 10 words is less than the image's 28"),
        ("words 28", "words 27", "x.img:11: the count must be 0 … 19"),
        ("words 28", "words 33554433", "x.img:7: the count must be 0 … 33,554,432"),
        ("-1 7", "-1 70000", "x.img: word at 4: 70000 does not fit 16 bits"),
        ("label b 3", "label a 3", "x.img:14: expected `label` or `constant`, a new name and a value"),
        ("0 3 0 0 1", "0 3 0 1 1", "x.img:19: there is no file 1"),
        ("3 2 0 0 2", "2 2 0 0 2", "x.img:20: the words must come after those of the line above"),
        ("8 20 0", "8 21 0", "x.img: the source map reaches beyond"),
        ("8 20 0", "8 20 1", "x.img:22: the image ends too early"),
        ('"a: sbn a, b"', '["a"]', "x.img:19: expected a JSON string"),
        ("lines 3", "lines 2", "x.img:21: nothing but the checksum may follow here"),
    ],
)
def test_each_fault_is_told_with_its_line(old, new, message):
    text = SAVED.decode().rpartition("sha256")[0]
    assert old in text
    with pytest.raises(ImageError) as caught:
        read_img(sealed(text.replace(old, new, 1)), "x.img")
    assert str(caught.value).startswith(message)


def test_changed_line_ends_are_named_as_the_cause():
    with pytest.raises(ImageError, match="CRLF"):
        read_img(SAVED.replace(b"\n", b"\r\n"))


def test_a_cut_file_and_a_changed_one_are_told_apart():
    with pytest.raises(ImageError, match="cut short"):
        read_img(SAVED[:100])
    with pytest.raises(ImageError, match="was changed"):
        read_img(SAVED.replace(b"width 16", b"width 17"))
