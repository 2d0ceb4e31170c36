"""A run that contradicts what was verified of its weights says so, fails, and claims it no more."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from assembler import Image
from learned_units import catalog, load_unit, store
from vm import Halt, Machine, margin, run_batch

OTHER = "these are not the weights that were verified, or sums come out differently on this machine"


@pytest.fixture
def other_weights(unit_of, tmp_path, monkeypatch):
    """A cache with weights whose hashes are right, and whose `select` decides with less than was verified."""
    unit_of("ntk")
    recipe = catalog.recipe("ntk")
    assert recipe is not None
    path = recipe.path
    whole = path.with_name("whole-g8-seed0.safetensors")
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    recipe.path.parent.mkdir(parents=True)
    if whole.exists():
        shutil.copy(whole, recipe.path.parent)
    tensors, manifest = store.load(path, {})
    tensors["select.outer"] = tensors["select.outer"] * np.float32(0.62)
    store.save(recipe.path, tensors, manifest)


def test_a_run_below_what_was_verified_fails_and_claims_nothing(other_weights, sbn, tmp_path):
    state, lines = tmp_path / "state", tmp_path / "lines"
    lines.write_text("a\nb\n")
    for arguments in (("hello", "-q"), ("hello", "--batch", str(lines)), ("hello", "--save-state", str(state))):
        code, out, err = sbn("run", *arguments)
        assert (code, "Hello, world!" in out) == (1, True), arguments
        assert "stopped: halted, but the smallest margin seen is 0." in err, arguments
        assert OTHER in err and "run `sbn verify`" in err, arguments
        assert "every input verified" not in err, arguments
        assert err.count(OTHER) == 1, arguments
    code, _, err = sbn("run", "hello", "--json")
    told = json.loads(err)
    assert (code, told["halt"], told["refuted"], told["certificate"]) == (1, "halted", True, None)
    assert OTHER in told["message"] and "every input" not in told["unit"]["detail"]
    code, _, err = sbn("run", "hello", "--stats")
    assert (code, "exhaustive" in err, "every input verified" in err) == (1, False, False)


@pytest.mark.slow
def test_a_whole_run_below_what_was_verified_fails_and_claims_nothing(other_weights, sbn):
    code, _, err = sbn("run", "multiply", "--whole", "--input-text", "2 3")
    assert (code, OTHER in err, "every input verified" in err) == (1, True, False)


def test_a_run_on_the_weights_that_were_verified_claims_it(unit_of, sbn):
    unit_of("ntk")
    code, _, err = sbn("run", "hello", "--json")
    told = json.loads(err)
    assert (code, told["refuted"], told["message"]) == (0, False, "halted")
    assert told["unit"]["detail"].endswith("every input verified")


@pytest.mark.slow
def test_an_outcome_tells_it(unit_of):
    unit, image = unit_of("ntk"), Image([6, 7, 3, 8, 7, 65535, 1, 0, 30000])
    select = unit.params["select"]
    params = unit.params | {"select": select._replace(outer=select.outer * np.float32(0.62))}
    other = replace(unit, params=params)
    assert Machine(image, unit).run().message == "halted"
    outcome = Machine(image, other).run()
    assert outcome.halt is Halt.HALTED and OTHER in outcome.message
    (outcome,) = run_batch(image, other)
    assert outcome.halt is Halt.HALTED and OTHER in outcome.message


@pytest.mark.parametrize(
    ("seen", "refuted"), [(0.3, False), (0.2995, False), (0.298, True), (float("nan"), True), (float("inf"), False)]
)
def test_less_than_was_verified_but_for_rounding_refutes_it(seen, refuted):
    assert margin.refuted(seen, 0.3) == refuted
    assert not margin.refuted(seen, None)


def test_only_a_margin_over_every_input_can_be_refuted(unit_of):
    for name in ("ntk", "modular"):
        manifest = unit_of(name).manifest
        assert margin.verified_margin(manifest) == manifest.verified.smallest_margin
    assert margin.verified_margin(unit_of("neural-gpu").manifest) is None  # a sample of longer words
    assert margin.verified_margin(load_unit("ntk-limit").manifest) is None
    sampled = replace(unit_of("ntk").manifest, verified=replace(unit_of("ntk").manifest.verified, z=9.0))
    assert margin.verified_margin(sampled) is None
