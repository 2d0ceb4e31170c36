"""Weights by recipe: from the cache, shipped or made; damaged ones are reported, and never replaced quietly."""

import functools
import math
import os
import shutil
import warnings
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from learned_units import WeightsError, catalog, load_unit, store
from learned_units.circuits import subtract_branch
from learned_units.networks import ensemble, predictor, readout
from learned_units.proof import enumeration
from learned_units.units import ntk
from learned_units.weights import ensembles, recipes, tasks, whole_grouped


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
    assert os.listdir(cache.parent) == []


def test_a_cache_that_cannot_be_written_costs_a_warning_and_names_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match=r"weights are not kept: .* cannot be written .* SBN_CACHE_DIR") as warned:
        unit = load_unit("modular")
    assert warned[0].filename == __file__
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
    refused = "weights refused on this machine: the network 'first' is not acceptable here"
    assert any(refused in what for what in heard)
    with pytest.warns(UserWarning, match=refused), pytest.raises(TrainingBegan):
        load_unit("ntk")


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
    assert os.listdir(tmp_path / "weights") == []


@pytest.mark.slow
def test_an_interrupt_during_training_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))

    def interrupt(what: str, part: float) -> None:
        assert os.listdir(tmp_path / "weights") == ["ntk-g2-seed0.safetensors.lock"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_unit("ntk", group=2, progress=interrupt)
    assert os.listdir(tmp_path / "weights") == []


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


@pytest.mark.slow
def test_training_again_from_the_same_seed_gives_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    recipe, other = (ntk.recipe(8, "sbn", seed, 2) for seed in (0, 1))
    first, again = (recipes.remake(recipe).tensor_hash for _ in range(2))
    assert first == again != recipes.remake(other).tensor_hash
