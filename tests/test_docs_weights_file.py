"""What docs/weights_file.md says of the file of ntk-bits is enough to predict with it, in numpy alone."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from learned_units import store
from learned_units.weights import recipes

TEXT = (Path(__file__).parent.parent / "docs" / "weights_file.md").read_text(encoding="utf-8")
# As the page says it: positions, lines, and for each output what its bit is.
NETWORKS = {
    "borrow": (4, 2, (lambda a, b: ~a & b, lambda a, b: ~a | b)),
    "differ": (4, 2, (lambda p, q: p ^ q,)),
    "prefix": (
        4,
        4,
        (
            lambda g0, h0, g1, h1: g0 & h0 | g0 & g1 | h0 & g1,
            lambda g0, h0, g1, h1: g0 & h0 | g0 & h1 | h0 & h1,
        ),
    ),
    "gate": (4, 3, (lambda flag, yes, no: flag & yes, lambda flag, yes, no: ~flag & no)),
    "either": (4, 2, (lambda p, q: p | q,)),
    "any": (8, 1, (lambda bit: bit,)),
}


def numbers(cell: str) -> np.ndarray:
    return np.array([float(each) for each in cell.replace("−", "-").split(",")])


def constants(name: str) -> tuple[np.ndarray, float]:
    """Thresholds and half gap in the page's table."""
    row = re.search(rf"^\| `{name}` \|(?:[^|]*\|){{3}}([^|]*)\|([^|]*)\|$", TEXT, re.MULTILINE)
    assert row is not None
    return numbers(row[1]), float(row[2])


@pytest.fixture(scope="module")
def shipped():
    path = Path(str(recipes.shipped_folder())) / "ntk-bits-seed0.safetensors"
    return load_file(path), store.load(path, {})[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_page_is_enough_to_find_the_margins_of_the_manifest(name, shipped):
    tensors, manifest = shipped
    group, lines, meanings = NETWORKS[name]
    at_one = [
        bits
        for bits in itertools.product((0, 1), repeat=lines)
        if name != "prefix" or (bits[0] <= bits[1] and bits[2] <= bits[3])
    ]
    read = np.array(list(itertools.product(at_one, repeat=group))).swapaxes(1, 2)  # [inputs, lines, group]
    bits = read.reshape(len(read), -1)
    given = np.concatenate([bits == 0, bits == 1], axis=1) / np.sqrt(lines * group)
    value = np.maximum(given @ tensors[f"{name}.inner"], 0) @ tensors[f"{name}.outer"]
    right = np.stack(
        [meaning(*np.moveaxis(read > 0, 1, 0)) for meaning in meanings], axis=1
    )  # [inputs, outputs, group]
    right = right.any(2) if name == "any" else right.reshape(len(read), -1)
    threshold, half_gap = constants(name)
    margin = np.where(right, 1, -1) * (value - np.repeat(threshold, value.shape[1] // len(threshold))) / half_gap
    stated = manifest["networks"][name]
    assert len(read) == stated["inputs"] and margin.min() == pytest.approx(stated["smallest_margin"], abs=1e-3)
