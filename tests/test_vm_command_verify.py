"""`sbn verify`: what it proves, what it runs, what it records, and how it fails."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from marks import slow
from safetensors.numpy import save_file

from learned_units import catalog, store
from learned_units.circuits.subtract_branch import template_sets
from learned_units.proof import enumeration, pairs
from learned_units.weights import ensembles, recipes, refuted
from learned_units.weights import whole_grouped as whole


@pytest.fixture
def stored_of(unit_of, tmp_path, monkeypatch):
    """stored_of(unit): its weights of this session in a cache of their own: what is recorded with them stays here."""

    def copied(unit: str) -> Path:
        unit_of(unit)
        recipe = catalog.recipe(unit)
        assert recipe is not None
        path = recipe.path
        monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
        recipe.path.parent.mkdir(parents=True)
        shutil.copy(path, recipe.path)
        return recipe.path

    return copied


@pytest.fixture
def stored(stored_of):
    return stored_of("ntk")


@pytest.mark.slow
def test_the_default_unit_is_proved_and_the_proof_recorded(stored, sbn):
    code, out, err = sbn("verify")
    assert code == 0
    text = " ".join(out.split())
    assert "2,200,027 in all" in text
    assert "122 schedules" in text
    assert "recorded with the weights" in err
    claim = store.load(stored, {})[1]["claims"]["proof"]
    assert (claim["cases"], claim["smallest_margin"] >= 0.25) == (2_200_027, True)
    assert "verified: every input of every network: 2,200,027" in sbn("units")[1]


def test_the_unit_that_is_given_bits_is_proved_listed_and_certified(stored_of, sbn):
    stored = stored_of("ntk-bits")
    code, out, _ = sbn("verify", "--unit", "ntk-bits")
    text = " ".join(out.split())
    assert (code, "11,681 in all" in text, "docs/ntk_bits.md has the argument" in text) == (0, True, True)
    assert "(in another order of float32 sums, less by 0.1" in text
    claim = store.load(stored, {})[1]["claims"]["proof"]
    assert (claim["cases"], claim["smallest_margin"] >= 0.25) == (11_681, True)
    code, out, _ = sbn("units")
    assert "verified: every input of every network: 11,681" in out and "ntk-bits: Six small ensembles" in out
    code, out, _ = sbn("certify", "--unit", "ntk-bits")
    assert (code, "11,681 inputs" in out, "plain ensembles" in out) == (0, True, False)
    for arguments in (("verify", "--shards", "1"), ("certify", "--networks", "5")):
        code, out, err = sbn(*arguments, "--unit", "ntk-bits")
        assert (code, out, f"{arguments[1]} is for" in err) == (2, "", True)


@pytest.mark.slow
def test_an_input_of_bits_that_is_answered_wrongly_is_told(stored_of, sbn):
    stored = stored_of("ntk-bits")
    tensors, manifest = store.load(stored, {})
    tensors["gate.outer"] = tensors["gate.outer"] * np.float32(0.1)
    store.save(stored, tensors, {name: value for name, value in manifest.items() if not name.endswith("_hash")})
    code, out, err = sbn("verify", "--unit", "ntk-bits")
    assert code == 1 and "FAILED: 'gate' answers 0 for output" in out
    assert "where the lines hold, lowest position first, flag " in out and "next pc" in out
    assert "pass 7 (gate), output " in out
    assert "refused from now on" in err
    code, out, err = sbn("run", "hello", "--unit", "ntk-bits")
    assert (code, out, "`sbn train ntk-bits --force`" in err) == (1, "", True)


@pytest.mark.slow
def test_the_seven_networks_of_the_whole_machine_are_proved_each_with_its_file(stored, sbn):
    assert sbn("verify", "--whole")[0] == 0
    own = whole.recipe(0).path
    claims = {path: store.load(path, {})[1]["claims"]["proof"]["cases"] for path in (stored, own)}
    assert claims == {stored: 2_200_027, own: 2_297}
    tensors, manifest = store.load(own, {})
    tensors["read.outer"] = tensors["read.outer"] * np.float32(0.5)
    store.save(own, tensors, {name: value for name, value in manifest.items() if not name.endswith("_hash")})
    code, out, _ = sbn("verify", "--whole")
    assert (code, "FAILED: 'read' answers" in out) == (1, True)


def test_pairs_of_a_trained_unit_are_recorded_and_shown(stored, sbn):
    code, out, _ = sbn("verify", "--cases", "3000", "--width", "8", "--seed", "0")
    assert code == 0
    assert "1 of 1 shards, 3,000 cases, all right" in out
    assert "this is a sample (seed 0), not a proof" in out
    assert "8-bit sbn: 3,000 cases, smallest margin 0." in sbn("units")[1]
    recipes.read(catalog.recipe_of(store.load(stored, {})[1]), stored)  # still accepted


@pytest.mark.parametrize("unit", ["native", *slow("ntk-limit")])
def test_all_pairs_of_a_small_unit(unit, stored, sbn):
    code, out, _ = sbn("verify", "--unit", unit, "--width", "5", *(["--group", "5"] if unit == "ntk-limit" else []))
    assert code == 0
    assert ("all pairs of operands: 1 of 1 shards, 1,024 cases" in out) == (unit == "native")


def test_shards_go_on_where_they_were_left(stored, sbn, monkeypatch):
    monkeypatch.setattr(pairs, "SHARD", 1 << 10)
    given = ("verify", "--unit", "native", "--width", "6")
    code, out, err = sbn(*given, "--shards", "1")
    assert (code, "1 of 4 shards, 25.00%, 1,024 cases" in out) == (0, True)
    assert "continues from there" in err
    code, out, err = sbn(*given)
    assert (code, "4 of 4 shards, 4,096 cases" in out) == (0, True)
    assert "continuing from 1 of 4 shards" in err
    (record,) = store.cache_folder().glob("verified/*/0.txt")
    record.write_bytes(record.read_bytes().replace(b"1 1024", b"1 1025"))
    code, out, err = sbn(*given, "-q")
    assert (code, "4 of 4 shards, 4,096 cases" in out) == (0, True)
    assert f"sbn: warning: record damaged: {record}: 1 of 4 lines are damaged" in err
    code, _, err = sbn(*given, "--restart", "--shards", "1")
    assert (code, "continuing from" in err) == (0, False)


def test_noise_fails_with_operands_and_a_decision(stored, sbn, tmp_path):
    tensors, _ = store.load(stored, {})
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(0, values.std(), values.shape).astype(np.float32) for name, values in tensors.items()}
    save_file(noise, tmp_path / "noise.safetensors")
    code, out, _ = sbn("verify", "--weights", str(tmp_path / "noise.safetensors"), "--width", "8")
    assert code == 1
    assert "FAILED: 'first' answers" in out
    assert "next pc" in out and "exact, 8-bit sbn:" in out
    assert "pass 0 (first), output" in out


def test_the_manifest_of_given_weights_says_whether_they_are_enumerated(stored, sbn, tmp_path):
    rng = np.random.default_rng(0)
    tensors = {}
    for name, each in template_sets(9).items():
        tensors[f"{name}.inner"] = rng.normal(size=(each.size, 64)).astype(np.float32)
        tensors[f"{name}.outer"] = rng.normal(size=(64, each.output_bits)).astype(np.float32)
    path = tmp_path / "words.safetensors"
    store.save(path, tensors, {"unit": "ntk", "group": 9})
    code, out, _ = sbn("verify", "--weights", str(path))
    assert (code, "FAILED: 'select' answers" in out) == (1, True)
    code, _, err = sbn("verify", "--weights", str(path), "--group", "8")
    assert (code, "holds networks for groups of 9, not 8" in err) == (2, True)


@pytest.mark.slow
def test_pairs_that_fail_are_told_and_nothing_is_recorded(stored, sbn, tmp_path):
    path = tmp_path / "weak.safetensors"
    shutil.copy(stored, path)
    _weaken(path, 0.1)
    code, out, _ = sbn("verify", "--weights", str(path), "--cases", "500", "--width", "8")
    assert code == 1
    assert out.startswith("FAILED: ")
    assert "pass 2 (select)" in out or "pass 3 (select)" in out
    assert "claims" not in store.load(path, {})[1]


def _weaken(path, factor: float) -> str:
    """Scale the outer weights of `select` in a file, whose hashes are right. Returns that of its tensors."""
    tensors, manifest = store.load(path, {})
    tensors["select.outer"] = tensors["select.outer"] * np.float32(factor)
    rest = {name: value for name, value in manifest.items() if not name.endswith("_hash")}
    return store.save(path, tensors, rest)["tensor_hash"]


@pytest.mark.slow
def test_weights_that_fail_are_refused_from_then_on_until_they_are_trained_again(stored, sbn, monkeypatch):
    assert sbn("verify", "--cases", "500", "--width", "8")[0] == 0
    assert "8-bit sbn: 500 cases" in sbn("units")[1]
    with monkeypatch.context() as patch:
        patch.setattr(pairs, "exact", lambda cases, word_bits, isa: (cases[0], cases[1]))  # the weights look wrong
        code, out, err = sbn("verify", "--cases", "400", "--width", "8")
    assert (code, "FAILED" in out, "refused from now on" in err) == (1, True, True)
    assert "claims" not in store.load(stored, {})[1]
    refused = "these weights failed a verification, 20"
    for arguments in (("run", "hello"), ("verify", "--cases", "400"), ("explain", "5", "3")):
        code, out, err = sbn(*arguments)
        assert (code, out, refused in err, "`sbn train ntk --force`" in err) == (1, "", True, True), arguments
    out = sbn("units")[1]
    assert f"{stored.name}: refused: {refused}" in out and "8-bit sbn, is wrong" in out
    tensors, manifest = store.load(stored, {})
    stored.unlink()
    with pytest.raises(recipes.RefutedError, match="shipped.*these weights failed a verification"):  # the same tensors
        catalog.load_unit("ntk")
    recipe = catalog.recipe("ntk")
    assert recipe is not None
    recipes.remake(replace(recipe, make=lambda progress: recipes.Made(tensors, manifest)))
    assert sbn("run", "hello", "--max-steps", "5")[1] != ""
    assert catalog.load_unit("ntk").tensor_hash == manifest["tensor_hash"]


def test_weights_of_the_whole_machine_that_failed_are_made_again(stored, monkeypatch):
    _, manifest = whole.obtain(0, None)
    recipe, made = whole.recipe(0), []
    tensors, written = store.load(recipe.path, {})
    recipes.refute(recipe.path, manifest.tensor_hash, "'read' is wrong")

    def make(self, seed, progress):
        made.append(seed)
        return recipes.Made(tensors, written)

    monkeypatch.setattr(ensembles.Plan, "make", make)
    with pytest.warns(UserWarning, match="'read' is wrong; they are not used: they are made again when needed"):
        assert whole.obtain(0, None)[1].tensor_hash == manifest.tensor_hash
    assert made == [0]
    whole.obtain(0, None)
    assert made == [0]


@pytest.mark.parametrize("margin", [0.2499, 0.064, float("nan")])
def test_right_answers_with_margins_that_would_not_be_accepted_are_no_proof(margin, stored, sbn, monkeypatch):
    monkeypatch.setattr(enumeration, "check_composition", lambda group: 122)
    for smallest, wanted in ((0.25, 0), (margin, 1)):
        found = enumeration.Enumeration(100, 0, smallest)
        monkeypatch.setattr(enumeration, "enumerate_by_all", lambda *arguments, found=found, **named: found)
        code, out, _ = sbn("verify")
        assert (code, "Proved in" in out, "; weights are accepted from 0.25 on" in out) == (wanted, not wanted, wanted)
    assert "claims" not in store.load(stored, {})[1]
    with pytest.raises(recipes.RefutedError, match="'first': the smallest margin is"):
        catalog.load_unit("ntk")


def test_pairs_with_margins_that_would_not_be_accepted_fail(stored, sbn, tmp_path):
    path = tmp_path / "weak.safetensors"
    shutil.copy(stored, path)
    known = _weaken(path, 0.62)
    code, out, _ = sbn("verify", "--weights", str(path), "--cases", "3000", "--width", "8")
    assert (code, "8-bit: the smallest margin is 0." in out, "all right" in out) == (1, True, False)
    assert "the smallest margin is 0." in refuted.what_failed(known)
    assert sbn("run", "hello", "--max-steps", "5")[0] == 1  # of its budget: the stored weights are other ones
    assert catalog.load_unit("ntk").tensor_hash != known


def test_a_refutation_that_cannot_be_read_stands(stored):
    known = store.load(stored, {})[1]["tensor_hash"]
    store.refutation_path(known).mkdir(parents=True)
    with pytest.raises(recipes.RefutedError, match="cannot be read"):
        catalog.load_unit("ntk")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--weights", "nowhere.safetensors"), 1, "no weights file nowhere.safetensors"),
        (("--unit", "neural-gpu", "--weights", "x"), 2, "unknown weights 'x' (weights: sampled, every-length)"),
        (
            ("--unit", "neural-gpu", "--weights", "every-length", "--shard", "2"),
            2,
            "--shard is for what is run shard by",
        ),
        (("--group", "20", "--width", "20"), 2, "for words of 20 bits is too much to enumerate"),
        (("--unit", "native", "--weights", "x"), 2, "weights is for the units 'ntk', 'neural-gpu' and 'modular'"),
        (("--shards", "3"), 2, "--shards is for what is run shard by shard"),
        (("--unit", "nkt"), 2, "unknown unit 'nkt'"),
        (("--unit", "native", "--width", "3"), 2, "words have 4 to 64 bits"),
        (("--unit", "ntk-limit", "--group", "20"), 2, "words of 20 bits is too much to enumerate"),
        (("--whole", "--cases", "5"), 2, "--cases is not for --whole"),
        (("--whole", "--unit", "ntk-limit"), 2, "--unit is not for --whole"),
        (("--whole", "--seed", "-1"), 2, "seed is -1"),
        (("--group", "99"), 2, "group is 99; a network serves 1 to 64 positions"),
        (("--group", "0"), 2, "group is 0; a network serves 1 to 64 positions"),
        (("--unit", "ntk-limit", "--group", "-1"), 2, "group is -1; a network serves 1 to 64 positions"),
        (("--group", "65", "--weights", "nowhere.safetensors"), 2, "group is 65; a network serves"),
    ],
)
def test_what_cannot_be_verified_is_refused_in_one_line(arguments, code, message, sbn, unit_of):
    unit_of("ntk")  # proved before, so that nothing else is said
    catalog.load_unit("neural-gpu", weights="every-length")
    found, out, err = sbn("verify", *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_file_that_is_none_of_weights_is_refused(sbn, tmp_path):
    path = tmp_path / "some.safetensors"
    path.write_bytes(b"nonsense")
    code, _, err = sbn("verify", "--weights", str(path))
    assert (code, "damaged, or not a weights file" in err) == (1, True)
    save_file({"w": np.zeros(3, np.float32)}, path)
    code, _, err = sbn("verify", "--weights", str(path))
    assert (code, "the weights of the network 'first' are missing" in err) == (1, True)


def test_a_group_larger_than_the_word_is_run_on_pairs(sbn):
    code, out, _ = sbn("verify", "--unit", "ntk-limit", "--group", "20", "--width", "5")
    assert (code, "all pairs of operands: 1 of 1 shards, 1,024 cases, all right" in out) == (0, True)


def test_one_network_for_the_word_is_proved_by_shards_any_of_which_can_be_run_again(stored, sbn):
    given = ("verify", "--unit", "ntk-limit", "--group", "word", "--width", "9")
    code, out, err = sbn(*given, "--shards", "2")
    assert (code, "2 of 15 shards" in out, "Proved" in out) == (0, True, False)
    assert "the same command continues from there" in err
    code, out, _ = sbn(*given)
    assert code == 0
    assert re.search(r"^first +196,628 +196,628 +1\.000$", out, re.MULTILINE)
    assert "203,528" in out and "both instruction sets" in " ".join(out.split())
    code, out, _ = sbn(*given, "--shard", "14")
    assert (code, "shard 14 of 15" in out, "(recorded: " in out) == (0, True, True)
    code, _, err = sbn(*given, "--shard", "15")
    assert (code, "there is no shard 15: there are 15, counted from 0" in err) == (2, True)
