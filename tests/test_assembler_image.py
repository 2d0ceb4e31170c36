"""What an Image holds, what it refuses, and how much memory it gets."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from assembler import Image, Origin, SourceMap, SourceRun


def test_words_are_stored_unsigned_as_plain_ints():
    image = Image([-1, 5, np.int64(7), 65535, -32768])
    assert image.words == (65535, 5, 7, 65535, 32768)
    assert all(type(word) is int for word in image.words)


@pytest.mark.parametrize("bits", [4, 5, 8, 16, 33, 64])
def test_words_reach_from_the_least_signed_to_the_largest_unsigned(bits):
    least, most = -1 << bits - 1, (1 << bits) - 1
    assert Image([least, most], bits).words == (1 << bits - 1, most)
    for word in (least - 1, most + 1):
        with pytest.raises(ValueError, match="does not fit"):
            Image([word], bits)


@pytest.mark.parametrize("word", [1.0, True, None, "1", 2.5])
def test_a_word_that_is_no_integer_is_a_type_error(word):
    with pytest.raises(TypeError):
        Image([word])


def test_arguments_no_machine_can_have_are_value_errors():
    words = [1, 2, 3]
    impossible: list[dict[str, Any]] = [
        {"word_bits": 3},
        {"word_bits": 65},
        {"isa": "risc"},
        {"isa": "SBN"},
        {"entry": 1 << 16},
        {"entry": -40_000},
        {"memory": 2},
        {"memory": 0},
        {"memory": (1 << 16) + 1},
        {"memory": 1 << 40, "word_bits": 64},
        {"input_mode": "replace"},
        {"symbols": {"no name": 1}},
        {"symbols": {"x": 1 << 5000}},
        {"constants": ["unheard_of"]},
        {"source_map": SourceMap((SourceRun(2, 4, Origin("x", 1, "")),))},
    ]
    for arguments in impossible:
        with pytest.raises(ValueError):
            Image(words, **arguments)


def test_arguments_of_wrong_types_are_type_errors():
    wrong: list[dict[str, Any]] = [{"word_bits": 8.0}, {"entry": 1.5}, {"memory": 2.5}, {"memory": True}]
    for arguments in [*wrong, {"symbols": {"x": "y"}}]:
        with pytest.raises(TypeError):
            Image([1], **arguments)


def test_an_image_fits_its_addresses():
    assert len(Image([0] * 16, 4).words) == 16
    with pytest.raises(ValueError, match="at most 16"):
        Image([0] * 17, 4)


def test_equality_is_that_of_the_machine_and_its_memory():
    image = Image([1, 2], entry=1, symbols={"x": 1})
    assert image == Image((1, 2), entry=1) and hash(image) == hash(Image((1, 2), entry=1))
    others = [Image([1, 3], entry=1), Image([1, 2]), Image([1, 2], 17, entry=1), Image([1, 2], 16, "subleq", 1)]
    others += [Image([1, 2], entry=1, memory=65536), Image([1, 2], entry=1, input_mode="add")]
    assert all(image != other for other in others)
    assert image != (1, 2)


def test_an_image_cannot_be_changed():
    image = Image([1])
    with pytest.raises(AttributeError):
        image.words = (2,)  # pyright: ignore[reportAttributeAccessIssue]


def test_an_image_can_be_copied_and_pickled():
    image = Image([1, 2], symbols={"x": 1}, source_map=SourceMap((SourceRun(0, 1, Origin("x", 1, "y")),)))
    for again in (copy.deepcopy(image), pickle.loads(pickle.dumps(image))):
        assert again == image and again.symbols == image.symbols and again.source_map == image.source_map


def test_memory_is_what_is_asked_for_or_all_addresses_up_to_65536():
    assert Image([1], 4).memory_size() == 16
    assert Image([1], 16).memory_size() == 65536
    assert Image([1], 64).memory_size() == 65536
    assert Image([0] * 70_000, 32).memory_size() == 70_000
    assert Image([1], memory=100).memory_size() == 100
    assert Image([1], memory=100).memory_size(100) == 100
    assert Image([1]).memory_size(5) == 5


def test_a_request_for_memory_that_does_not_fit_is_a_value_error():
    for image, request in ((Image([1, 2]), 1), (Image([1], memory=100), 101), (Image([1], 4), 17), (Image([1]), 0)):
        with pytest.raises(ValueError):
            image.memory_size(request)
    with pytest.raises(TypeError):
        Image([1]).memory_size(2.0)  # pyright: ignore[reportArgumentType]


def test_a_source_map_knows_each_word_of_its_runs_and_no_other():
    first, second = Origin("a", 1, "x"), Origin("a", 2, "y", (Origin("b", 3, "z"),))
    source_map = SourceMap((SourceRun(2, 4, first), SourceRun(4, 5, second)))
    assert [source_map.at(address) for address in (-1, 0, 2, 3, 4, 5)] == [None, None, first, first, second, None]
    assert len(source_map) == 2 and list(source_map) == list(source_map.runs)


def test_runs_of_a_source_map_ascend_and_do_not_overlap():
    origin = Origin("a", 1, "x")
    for runs in ([(0, 0)], [(2, 1)], [(0, 2), (1, 3)], [(4, 5), (0, 1)], [(-1, 1)]):
        with pytest.raises(ValueError, match="source map"):
            SourceMap(tuple(SourceRun(start, end, origin) for start, end in runs))
