"""Weights on disk: written whole, and refused with a reason."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from learned_units import WeightsError, store

TENSORS = {"first.inner": np.arange(12, dtype=np.float32).reshape(3, 4), "first.outer": np.ones((4, 2), np.float32)}
MANIFEST = {"unit": "ntk", "group": 8, "seed": 3, "design": "abc", "verified": {"smallest_margin": 0.3}}


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "weights" / "ntk.safetensors"
    store.save(path, TENSORS, MANIFEST)
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def parts(path: Path) -> tuple[dict, bytes]:
    """The header and the tensor bytes of a safetensors file."""
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    return json.loads(whole[8 : 8 + length]), whole[8 + length :]


def rebuild(path: Path, header: dict, data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


# --- saving and loading -----------------------------------------------------------------------------------------------


def test_what_is_saved_is_loaded(saved):
    tensors, manifest = store.load(saved, {"unit": "ntk", "seed": 3})
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        assert (tensor.dtype, tensor.shape) == (np.float32, TENSORS[name].shape)
        assert (tensor == TENSORS[name]).all()
    assert manifest == {**manifest, **MANIFEST}
    assert manifest["format"] == store.FORMAT
    assert manifest["tensor_hash"] == store.tensor_hash(TENSORS)
    assert files_in(saved.parent) == [saved.name]


def test_tensors_that_do_not_lie_in_order_in_memory_are_saved_right(tmp_path):
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    views = {"transposed": base.T, "strided": base[:, ::2], "reversed": base[::-1], "fortran": np.asfortranarray(base)}
    store.save(tmp_path / "x", views, {})
    tensors, manifest = store.load(tmp_path / "x", {})
    for name, view in views.items():
        assert tensors[name].shape == view.shape
        assert (tensors[name] == view).all()
    assert manifest["tensor_hash"] == store.tensor_hash(tensors)


def test_a_tensor_keeps_its_shape_even_where_it_has_none(tmp_path):
    tensors = {"scalar": np.array(3, np.float32), "one": np.ones(1, np.float32), "none": np.ones((0, 2), np.float32)}
    store.save(tmp_path / "w.safetensors", tensors, MANIFEST)
    loaded, _ = store.load(tmp_path / "w.safetensors", {})
    assert {name: each.shape for name, each in loaded.items()} == {"scalar": (), "one": (1,), "none": (0, 2)}
    assert loaded["scalar"] == 3


def test_the_hash_tells_names_types_shapes_and_values_apart():
    base = np.arange(6, dtype=np.float32)
    hashes = [
        store.tensor_hash(tensors)
        for tensors in (
            {"a": base},
            {"b": base},
            {"a": base.reshape(2, 3)},
            {"a": base.astype(np.float64)},
            {"a": base.view(np.int32)},
            {"a": base + np.float32(1e-6)},
            {"a": base, "b": base},
        )
    ]
    assert len(set(hashes)) == len(hashes)
    assert store.tensor_hash({"a": base, "b": base}) == store.tensor_hash({"b": base, "a": base})


def test_saving_again_replaces_the_file(saved):
    store.save(saved, {"first.inner": np.zeros((1, 1), np.float32)}, MANIFEST)
    assert store.load(saved, {})[0].keys() == {"first.inner"}
    assert files_in(saved.parent) == [saved.name]


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(WeightsError, match="no weights file .*nothing"):
        store.load(tmp_path / "nothing", {})


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("group", 16, "group is 8, but 16 is needed"),
        ("seed", 4, "seed is 3, but 4 is needed"),
        ("design", "xyz", "design is 'abc', but 'xyz' is needed"),
        ("unit", "modular", "unit is 'ntk', but 'modular' is needed"),
        ("word_bits", 16, "word_bits is None, but 16 is needed"),
        ("format", 2, "format is 1, but 2 is needed"),
    ],
)
def test_weights_of_another_kind_are_refused_naming_file_and_field(saved, field, value, words):
    with pytest.raises(WeightsError, match=words) as refusal:
        store.load(saved, {field: value})
    assert str(saved) in str(refusal.value)


def test_a_file_of_another_format_version_is_refused(saved, monkeypatch):
    monkeypatch.setattr(store, "FORMAT", store.FORMAT + 1)
    with pytest.raises(WeightsError, match=f"format is {store.FORMAT - 1}, but {store.FORMAT} is needed"):
        store.load(saved, {})


def test_a_truncated_file_is_refused_wherever_it_ends(saved):
    whole = saved.read_bytes()
    for length in range(0, len(whole), 7):
        saved.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="damaged, or not a weights file"):
            store.load(saved, {})
    saved.write_bytes(whole + b"\0")
    with pytest.raises(WeightsError, match="damaged, or not a weights file"):
        store.load(saved, {})


def test_a_file_with_any_one_byte_altered_is_refused(saved):
    whole = saved.read_bytes()
    padding = whole.index(b"}" * 2 + b" ") if b"}} " in whole else len(whole)
    data = 8 + struct.unpack("<Q", whole[:8])[0]
    for place in range(len(whole)):
        if padding + 2 <= place < data:
            continue  # blanks after the header
        altered = bytearray(whole)
        altered[place] ^= 1
        saved.write_bytes(altered)
        with pytest.raises(WeightsError) as refusal:
            store.load(saved, {"unit": "ntk", "group": 8, "seed": 3, "design": "abc"})
        assert str(saved) in str(refusal.value)
    saved.write_bytes(whole)
    store.load(saved, {})


def test_a_manifest_that_claims_more_than_was_written_is_refused(saved):
    header, data = parts(saved)
    manifest = json.loads(header["__metadata__"]["manifest"])
    manifest["verified"]["smallest_margin"] = 0.9
    header["__metadata__"]["manifest"] = json.dumps(manifest, sort_keys=True)
    rebuild(saved, header, data)
    with pytest.raises(WeightsError, match="the manifest does not have its manifest_hash"):
        store.load(saved, {})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged, or not a weights file"),
        (b"PK\x03\x04 not at all", "damaged, or not a weights file"),
        (b"\xff" * 64, "damaged, or not a weights file"),
        (None, "damaged, or not a weights file"),  # a directory
    ],
    ids=["empty", "archive", "ones", "directory"],
)
def test_what_is_no_weights_file_is_refused(tmp_path, content, words):
    path = tmp_path / "weights"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=words) as refusal:
        store.load(path, {})
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (None, "damaged, or not a weights file"),
        ({"manifest": "{nonsense"}, "damaged, or not a weights file"),
        ({"manifest": "[1, 2]"}, "the manifest is not an object"),
        ({"manifest": "{}"}, "format is None, but 1 is needed"),
        ({"manifest": '{"format": 1}'}, "do not have the manifest's tensor_hash"),
        ({"format": "pt"}, "damaged, or not a weights file"),
    ],
    ids=str,
)
def test_safetensors_of_others_are_refused(tmp_path, metadata, words):
    path = tmp_path / "foreign.safetensors"
    save_file(TENSORS, path, metadata=metadata)
    with pytest.raises(WeightsError, match=words):
        store.load(path, {})


def test_a_place_that_cannot_be_written_is_refused_and_the_way_out_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    under_a_file = tmp_path / "file" / "weights" / "x.safetensors"
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "taken.lock").mkdir()
    for path in (under_a_file, tmp_path / "folder.safetensors", Path("/proc/none/x.safetensors")):
        with pytest.raises(WeightsError, match=r"cannot be written .* SBN_CACHE_DIR") as refusal:
            store.save(path, TENSORS, MANIFEST)
        assert str(path) in str(refusal.value)
    for path in (under_a_file, Path("/proc/none/x.safetensors"), tmp_path / "taken"):
        with pytest.raises(WeightsError, match=r"cannot be written .* SBN_CACHE_DIR"), store.lock(path, pytest.fail):
            pass
    assert files_in(tmp_path) == ["file", "folder.safetensors", "taken.lock"]
