"""`sbn export`: what is written runs without this project, is written whole, and is refused where it would destroy."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from learned_units import exported
from vm.cli import main

# What the model card says, in a process that cannot import ours.
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"vm", "assembler", "learned_units", "programs"}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
"""


def run_card(folder: Path) -> subprocess.CompletedProcess[str]:
    code = (folder / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    return subprocess.run([sys.executable, "-c", BLOCK + code], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "width", "isa"),
    [
        ("ntk", 8, "sbn"),
        ("ntk", 64, "subleq"),
        ("ntk-limit", 16, "sbn"),
        ("ntk-bits", 8, "sbn"),
        ("neural-gpu", 8, "sbn"),
        ("modular", 16, "subleq"),
        ("native", 64, "sbn"),
    ],
)
def test_the_step_gives_every_vector_without_our_packages(tmp_path, unit, width, isa, unit_of):
    unit_of(unit, width, isa)
    folder = tmp_path / "new" / "unit"
    assert main(["export", unit, "-o", str(folder), "--width", str(width), "--isa", isa, "-q"]) == 0
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "weights.safetensors",
        "step.stablehlo",
        "vectors.npz",
    }
    done = run_card(folder)
    assert (done.returncode, done.stdout) == (0, "1000 vectors are equal\n"), done.stderr
    if unit == "ntk":
        weights = load_file(folder / "weights.safetensors")
        weights["difference.outer"] = np.random.default_rng(0).permuted(weights["difference.outer"])
        save_file(weights, folder / "weights.safetensors")
        assert "AssertionError: difference" in run_card(folder).stderr  # the weights are what decides


def test_vectors_are_integer_arithmetic_at_the_ends_too(unit_of):
    found = exported.vectors(unit_of("native", 8, "subleq"))
    a, b, c, f, d, following = (
        found[name][:, 0].astype(int)
        for name in ("minuend", "subtrahend", "target", "fall_through", "difference", "next_pc")
    )
    assert len(a) == exported.VECTORS and {(0, 255), (128, 127), (255, 255)} <= set(zip(a, b, strict=True))
    assert (d == (a - b) % 256).all()
    assert (following == np.where((d >= 128) | (d == 0), c, f)).all()


def test_a_unit_that_is_wrong_is_not_exported(tmp_path, unit_of, monkeypatch, capsys):
    def disagree(unit):
        raise exported.DisagreesError("the unit is wrong on a test vector")

    monkeypatch.setattr(exported, "vectors", disagree)
    assert main(["export", "native", "-o", str(tmp_path / "unit")]) == 1
    assert "wrong on a test vector; nothing was written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_written_over(tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    assert main(["export", "native", "-o", str(tmp_path / "full")]) == 2
    assert "name a folder that is new or empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_one_file_holds_weights_and_vectors(tmp_path, unit_of):
    unit = unit_of("ntk-limit", 8)
    file = tmp_path / "limit.npz"
    assert main(["export", "ntk-limit", "-o", str(file), "--format", "npz", "--width", "8", "-q"]) == 0
    with np.load(file) as found:
        assert {f"weights.{name}" for name in exported.weights(unit)} < set(found)
        assert found["difference"].shape == (1_000, 1)
