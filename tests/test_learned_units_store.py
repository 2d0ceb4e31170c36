"""Weights on disk: written whole, refused with a reason, made by one process at a time, and never replaced quietly."""

import functools
import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
import warnings
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from learned_units import WeightsError, catalog, load_unit, store
from learned_units.circuits import subtract_branch
from learned_units.networks import ensemble, predictor, readout
from learned_units.proof import enumeration
from learned_units.units import ntk
from learned_units.weights import ensembles, recipes, tasks, whole_grouped

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


# --- through load_unit ------------------------------------------------------------------------------------------------


class TrainingBegan(Exception):
    """Raised in place of training: whoever sees it was not given the damaged weights."""


@pytest.fixture
def cache(tmp_path, monkeypatch, unit_of) -> Path:
    """A cache folder of its own, holding a copy of the session's weights, where training is not possible."""
    unit_of("ntk")
    source = ntk.recipe(16, "sbn", 0).path
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path / "cache"))
    path = ntk.recipe(16, "sbn", 0).path
    path.parent.mkdir(parents=True)
    shutil.copyfile(source, path)

    monkeypatch.setattr(ensembles.Plan, "make", _begin_training)
    monkeypatch.setattr(recipes, "shipped_folder", lambda: tmp_path / "nothing is shipped")
    return path


def _begin_training(*arguments, **named):
    raise TrainingBegan


def test_weights_in_the_cache_are_used_without_training(cache, unit_of):
    unit = load_unit("ntk", 8)
    assert unit.tensor_hash == unit_of("ntk").tensor_hash
    assert int(unit.subtract_branch(5, 9, 1, 2).difference) == 2**8 - 4


def damage_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damage_byte(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-5] ^= 1
    path.write_bytes(whole)


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _resaved(path: Path, tensors: dict | None = None, manifest: dict | None = None) -> None:
    """The file, whole and consistent in itself, with other tensors or another manifest."""
    old_tensors, old_manifest = store.load(path, {})
    store.save(path, old_tensors | (tensors or {}), old_manifest | (manifest or {}))


def damage_seed(path: Path) -> None:
    _resaved(path, manifest={"seed": 1})


def damage_group(path: Path) -> None:
    _resaved(path, manifest={"group": 4})


def damage_design(path: Path) -> None:
    _resaved(path, manifest={"design": "another recipe"})


def damage_margin(path: Path) -> None:
    _resaved(path, manifest={"verified": {"kind": "none", "inputs": 9, "smallest_margin": 0.1}})


def damage_margin_nan(path: Path) -> None:
    _resaved(path, manifest={"verified": {"smallest_margin": float("nan")}})


def damage_claim(path: Path) -> None:
    _resaved(path, manifest={"verified": "yes"})


def damage_number(path: Path) -> None:
    networks = store.load(path, {})[1]["networks"]
    _resaved(path, manifest={"networks": networks | {"first": networks["first"] | {"smallest_margin": math.nan}}})


def damage_shape(path: Path) -> None:
    _resaved(path, {"first.inner": np.zeros((63, 256), np.float32)})


def damage_pair(path: Path) -> None:
    _resaved(path, {"first.inner": np.zeros((64, 8), np.float32)})


def damage_type(path: Path) -> None:
    _resaved(path, {"first.inner": store.load(path, {})[0]["first.inner"].astype(np.float64)})


def damage_nan(path: Path) -> None:
    tensor = store.load(path, {})[0]["first.outer"].copy()
    tensor[0, 0] = np.nan
    _resaved(path, {"first.outer": tensor})


def damage_missing_tensor(path: Path) -> None:
    tensors, manifest = store.load(path, {})
    del tensors["select.outer"]
    store.save(path, tensors, manifest)


DAMAGES = {
    damage_truncated: "damaged",
    damage_byte: "tensor_hash",
    damage_empty: "damaged",
    damage_directory: "damaged",
    damage_seed: "seed is 1, but 0 is needed",
    damage_group: "group is 4, but 8 is needed",
    damage_design: "design is 'another recipe'",
    damage_margin: "claims too little",
    damage_claim: "the manifest says 'yes' for 'verified'",
    damage_number: "the manifest says 'nan' for 'networks.first.smallest_margin'",
    damage_shape: "'first' have shapes",
    damage_pair: "'first' do not belong together",
    damage_type: "'first' do not belong together",
    damage_nan: "'first' are not all finite",
    damage_missing_tensor: "'select' are missing",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_weights_are_reported_and_never_used(cache, damage):
    damage(cache)
    with (
        pytest.warns(UserWarning, match=rf"weights refused: .*{DAMAGES[damage]}") as warned,
        pytest.raises(TrainingBegan),
    ):
        load_unit("ntk")
    assert str(cache) in str(warned[0].message)
    assert warned[0].filename == __file__
    heard = []
    with warnings.catch_warnings(), pytest.raises(TrainingBegan):
        warnings.simplefilter("error")
        load_unit("ntk", progress=lambda what, part: heard.append(what))
    assert DAMAGES[damage] in heard[0]


def test_without_weights_and_without_training_there_is_no_unit(cache):
    cache.unlink()
    with pytest.raises(TrainingBegan):
        load_unit("ntk")
    assert files_in(cache.parent) == []


def test_a_cache_that_cannot_be_written_costs_a_warning_and_names_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match=r"weights are not kept: .* cannot be written .* SBN_CACHE_DIR"):
        unit = load_unit("modular")
    assert int(unit.subtract_branch(5, 9, 1, 2).difference) == 2**16 - 4
    recipe = ntk.recipe(16, "sbn", 0, 2)
    with pytest.raises(WeightsError, match=r"cannot be written .* SBN_CACHE_DIR"):
        recipes.train(recipe, None)


# --- shipped weights --------------------------------------------------------------------------------------------------


def recipe_of(unit: str, isa: str = "sbn") -> recipes.Recipe:
    recipe = catalog.recipe(unit, isa=isa)
    assert recipe is not None
    return recipe


SHIPPED = {
    "ntk": lambda: recipe_of("ntk"),
    "ntk-bits": lambda: recipe_of("ntk-bits"),
    "whole": lambda: whole_grouped.recipe(0),
    "tasks": lambda: tasks.recipe(None, 0),
    "modular": lambda: recipe_of("modular"),
    "neural-gpu, sbn": lambda: recipe_of("neural-gpu"),
    "neural-gpu, subleq": lambda: recipe_of("neural-gpu", "subleq"),
}


@pytest.mark.parametrize("which", SHIPPED)
def test_the_shipped_weights_are_those_of_this_version_and_say_what_made_them(which):
    recipe = SHIPPED[which]()
    with resources.as_file(recipes.shipped_folder() / f"{recipe.file}.safetensors") as path:
        _, manifest = recipes.read(recipe, path)
    assert store.origin().keys() <= manifest.written.keys()


def test_shipped_weights_are_proved_on_this_machine_before_they_are_used(tmp_path, monkeypatch):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ensembles.Plan, "make", _begin_training)
    heard = []
    unit = load_unit("ntk", progress=lambda what, part: heard.append(what))
    assert {f"proving '{name}'" for name in ("first", "prefix", "difference", "select", "any")} <= set(heard)
    assert unit.manifest is not None
    assert unit.manifest.shipped and all(unit.manifest.written[name] == value for name, value in store.origin().items())
    assert unit.manifest.verified.inputs == 2_200_027
    heard.clear()
    assert load_unit("ntk", progress=lambda what, part: heard.append(what)).manifest == unit.manifest
    assert heard == []


def test_shipped_weights_that_do_not_hold_on_this_machine_are_not_used(tmp_path, monkeypatch):
    """A file that is whole and consistent in itself, claims enough, and is wrong."""
    recipe = recipe_of("ntk")
    with resources.as_file(recipes.shipped_folder() / f"{recipe.file}.safetensors") as path:
        tensors, manifest = store.load(path, {})
    noise = np.random.default_rng(0).normal(size=tensors["first.outer"].shape).astype(np.float32)
    store.save(tmp_path / "shipped" / path.name, tensors | {"first.outer": noise}, manifest)
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(recipes, "shipped_folder", lambda: tmp_path / "shipped")
    monkeypatch.setattr(ensembles.Plan, "make", _begin_training)
    heard = []
    with pytest.raises(TrainingBegan):
        load_unit("ntk", progress=lambda what, part: heard.append(what))
    assert any("weights refused on this machine: the network 'first' is not acceptable here" in what for what in heard)


@pytest.mark.slow
def test_what_was_proved_with_other_libraries_is_proved_again(cache):
    _resaved(cache, manifest={"jax": "0.0.0", "note": "not known here"})
    heard = []
    unit = load_unit("ntk", progress=lambda what, part: heard.append(what))
    assert unit.manifest is not None
    assert "proving 'first'" in heard and unit.manifest.jax == store.origin()["jax"]
    assert unit.manifest.written["note"] == "not known here"


def test_a_changed_readout_ends_what_was_claimed_under_the_old_one(cache, monkeypatch):
    monkeypatch.setattr(readout, "calibrated", functools.partial(_lowered, readout.calibrated))
    with pytest.warns(UserWarning, match="weights refused: .*design"), pytest.raises(TrainingBegan):
        load_unit("ntk")


def _lowered(calibrated, templates):
    return calibrated(templates)._replace(threshold=calibrated(templates).threshold - np.float32(0.01))


def test_a_changed_predictor_needs_a_new_version():
    """The golden prediction: whoever changes how a network predicts raises `predictor.VERSION` with these numbers."""
    template_set = subtract_branch.template_sets(4)["difference"]
    rng = np.random.default_rng(1)
    inner = rng.normal(size=(template_set.size, 8)).astype(np.float32)
    outer = rng.normal(size=(8, template_set.output_bits)).astype(np.float32)
    params = ensemble.make_params(template_set, inner, outer, readout.calibrated(template_set))
    found = enumeration.predict_inputs(params, np.array([[0, 1, -1, 2]], np.int8), template_set=template_set)
    assert predictor.VERSION == 1
    np.testing.assert_allclose(np.concatenate([each.reshape(-1) for each in found]), GOLDEN, rtol=1e-5, atol=1e-6)


# value, threshold and half gap of the four outputs
GOLDEN = [-0.433021, -1.175942, -0.140393, -0.432937, *[0.159661] * 4, *[0.221551] * 4]


@pytest.mark.slow
def test_training_here_never_takes_the_shipped_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    recipe = recipe_of("modular")
    assert recipes.obtain(recipe, None)[1].shipped
    _, manifest = recipes.train(recipe, None)
    assert not manifest.shipped
    assert recipes.obtain(recipe, None)[1] == manifest


def test_no_seed_good_enough_is_an_error_not_a_unit(tmp_path, monkeypatch):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ensembles, "GROUPED_UNITS", (32,))
    monkeypatch.setattr(ensembles, "SEEDS_TRIED", 1)
    with pytest.raises(WeightsError, match="no seed from 5 to 5 gave acceptable weights for groups of 2"):
        load_unit("ntk", seed=5, group=2)
    assert files_in(tmp_path / "weights") == []


@pytest.mark.slow
def test_an_interrupt_during_training_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))

    def interrupt(what: str, part: float) -> None:
        assert files_in(tmp_path / "weights") == ["ntk-g2-seed0.safetensors.lock"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_unit("ntk", group=2, progress=interrupt)
    assert files_in(tmp_path / "weights") == []


@pytest.mark.parametrize("group", [8, 16])
def test_weights_depend_on_the_width_only_where_inputs_are_sampled(group, monkeypatch):
    names = {ntk.recipe(word_bits, "sbn", 7, group).path.name for word_bits in (8, 16, 64)}
    assert len(names) == (1 if group == 8 else 3)
    assert all(f"-g{group}" in name and "-seed7" in name for name in names)


def test_the_design_changes_with_anything_that_decides_the_weights(monkeypatch):
    before = ntk.plan(8, 16).design()
    assert ntk.plan(8, 16).design() == before != ntk.plan(4, 16).design()
    for name, value in (("NETWORKS", 9), ("INITIALISATION", "plain"), ("MARGIN_FLOOR", 0.3), ("GROUPED_UNITS", (1, 2))):
        with monkeypatch.context() as patch:
            patch.setattr(ensembles, name, value)
            assert ntk.plan(8, 16).design() != before
    with monkeypatch.context() as patch:
        patch.setattr(ensembles.two_layer, "TOLERANCE", 1e-3)
        assert ntk.plan(8, 16).design() != before


# --- several processes ------------------------------------------------------------------------------------------------


def start(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


SAVE_FOREVER = """
    import itertools, sys
    from pathlib import Path
    import numpy as np
    from learned_units import store
    for k in itertools.count():
        store.save(Path(sys.argv[1]), {"a": np.full((500, 500), k % 7, np.float32)}, {"k": k % 7})
        print(k, flush=True)
"""


def test_a_process_killed_while_it_saves_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "x.safetensors"
    rng = np.random.default_rng(0)
    for _ in range(3):
        process = start(SAVE_FOREVER, path)
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        tensors, manifest = store.load(path, {})
        assert (tensors["a"] == manifest["k"]).all()


HOLD = """
    import sys, time
    from pathlib import Path
    from learned_units import store
    with store.lock(Path(sys.argv[1]), lambda: None):
        print("held", flush=True)
        time.sleep(600)
"""


def held(path: Path) -> subprocess.Popen[str]:
    process = start(HOLD, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def close(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_lock_keeps_others_waiting_until_it_is_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "POLL_SECONDS", 0.01)
    path = tmp_path / "x"
    process = held(path)
    waited = []

    def waiting() -> None:
        waited.append(time.monotonic())
        if len(waited) <= 5:
            assert files_in(tmp_path) == ["x.lock"]
        if len(waited) == 5:
            process.send_signal(signal.SIGINT)  # it lets go of the lock and ends
            process.wait()

    with store.lock(path, waiting):
        assert len(waited) >= 5
        assert files_in(tmp_path) == ["x.lock"]
    assert files_in(tmp_path) == []
    process.communicate()


def test_the_lock_of_a_dead_process_is_taken_over_at_once(tmp_path):
    process = held(tmp_path / "x")
    close(process)
    assert files_in(tmp_path) == ["x.lock"]
    began = time.monotonic()
    with store.lock(tmp_path / "x", lambda: None):
        assert time.monotonic() - began < 5
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("content", ["", "elsewhere 1 1"])
def test_a_lock_file_left_lying_around_holds_nobody_up(tmp_path, content):
    (tmp_path / "x.lock").write_text(content)
    with store.lock(tmp_path / "x", pytest.fail):
        assert files_in(tmp_path) == ["x.lock"]
    assert files_in(tmp_path) == []


def test_a_lock_that_is_held_is_respected_however_old_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "POLL_SECONDS", 0.01)
    process = held(tmp_path / "x")
    os.utime(tmp_path / "x.lock", (0, 0))
    waited = []

    def waiting() -> None:
        waited.append(1)
        if len(waited) == 5:
            close(process)

    with store.lock(tmp_path / "x", waiting):
        assert len(waited) >= 5


def test_only_one_holds_a_lock_that_many_take_in_turn(tmp_path):
    """Each adds one to a number in a file, many times; the lock's file comes and goes under those who wait for it."""
    (tmp_path / "number").write_text("0")
    for process in [start(ADD_IN_TURN, tmp_path / "number") for _ in range(4)]:
        finish(process)
    assert files_in(tmp_path) == ["number"]
    assert (tmp_path / "number").read_text() == "200"


ADD_IN_TURN = """
    import sys
    from pathlib import Path
    from learned_units import store
    store.POLL_SECONDS = 0.0005
    path = Path(sys.argv[1])
    for _ in range(50):
        with store.lock(path, lambda: None):
            path.write_text(str(int(path.read_text()) + 1))
"""


def test_a_lock_is_let_go_whatever_happens_inside(tmp_path):
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), store.lock(tmp_path / "x", lambda: None):
            raise error
        assert files_in(tmp_path) == []


TRAIN = """
    import sys
    from learned_units import load_unit
    unit = load_unit("ntk", 8, "sbn", group=2)
    print(unit.tensor_hash, int(unit.subtract_branch(3, 5, 7, 9).next_pc))
"""


@pytest.mark.slow
def test_two_processes_that_need_the_same_weights_end_with_the_same_ones(tmp_path):
    both = [start(TRAIN, SBN_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    outputs = {finish(process) for process in both}
    assert len(outputs) == 1
    assert outputs.pop().split()[1] == "7"
    assert files_in(tmp_path / "weights") == ["ntk-g2-seed0.safetensors"]


@pytest.mark.slow
def test_training_again_from_the_same_seed_gives_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    recipe, other = (ntk.recipe(8, "sbn", seed, 2) for seed in (0, 1))
    first, again = (recipes.remake(recipe).tensor_hash for _ in range(2))
    assert first == again != recipes.remake(other).tensor_hash
