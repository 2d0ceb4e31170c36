"""The replay that imports nothing of ours finds what the project claims of the weights it ships."""

import ast
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import vm
from learned_units.circuits.subtract_branch import template_sets
from learned_units.networks import readout

PATH = Path(vm.__file__).resolve().parent.parent / "docs" / "replay.py"


@pytest.fixture(scope="module")
def replay():
    spec = importlib.util.spec_from_file_location("replay", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shipped(replay):
    """Tensors, manifest and networks of the shipped file."""
    tensors, manifest = replay.read(replay.SHIPPED)
    return tensors, manifest, {name: replay.Network(name, tensors) for name in replay.FAMILIES}


def test_it_is_short_and_imports_numpy_and_the_standard_library_alone():
    text = PATH.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert {name.partition(".")[0] for name in imported} <= {*sys.stdlib_module_names, "numpy"}


def test_its_families_and_thresholds_are_those_of_the_units(shipped):
    _, _, networks = shipped
    for name, ours in template_sets(8).items():
        theirs = networks[name]
        assert len(theirs.families) == len(ours.families)
        calibrated = readout.calibrated(ours)
        assert np.allclose(theirs.half_gap[1:], calibrated.half_gap[1:], atol=1e-6)
        assert np.allclose(theirs.threshold[1:], calibrated.threshold[1:], atol=1e-6)


def test_the_shipped_weights_are_right_on_every_input_of_the_small_networks(replay, shipped):
    tensors, manifest, networks = shipped
    assert replay.tensor_hash(tensors) == manifest["tensor_hash"]
    for name in ("first", "select", "any"):
        stated = manifest["networks"][name]
        inputs, wrong, smallest = networks[name].enumerate()
        assert (inputs, wrong) == (stated["inputs"], 0)
        assert smallest == pytest.approx(stated["smallest_margin"], abs=1e-4)


@pytest.mark.parametrize("width", [4, 5, 8, 17, 64])
@pytest.mark.parametrize("subleq", [False, True])
def test_instructions_come_out_right(replay, shipped, width, subleq):
    assert replay.wrong_cases(shipped[2], width, subleq, 400, np.random.default_rng(width)) == 0


def test_other_weights_are_found_wrong(replay, shipped):
    tensors, _, networks = shipped
    scaled = {**tensors, "select.outer": tensors["select.outer"] * np.float32(0.5)}
    other = replay.Network("select", scaled)
    assert other.enumerate()[1] > 0
    assert replay.wrong_cases({**networks, "select": other}, 16, False, 400, np.random.default_rng(0)) > 0


@pytest.mark.slow
def test_the_whole_replay_finds_nothing_wrong(replay, capsys):
    assert replay.main([]) == 0
    out = capsys.readouterr().out
    assert "1,679,616 inputs, 0 wrong" in out and "100,000 instructions" in out and "SUBLEQ: 0 wrong" in out
