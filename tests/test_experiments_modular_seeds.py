"""Polynomials from several seeds: right labels, disjoint parts, and a row that tells the spread."""

import numpy as np
import pytest

from learned_units.experiments import modular_seeds
from learned_units.experiments.modular import CANDIDATES
from learned_units.modular import sampled


@pytest.mark.parametrize("modulus", modular_seeds.MODULI)
def test_each_seed_is_given_other_parts_of_the_table_and_the_spread_is_of_the_reported_rows(modulus, monkeypatch):
    seen: list[sampled.Parts] = []

    def fit(parted, classes, units, recipe, most_updates, seed, progress):
        assert (classes, units, recipe.batch) == (modulus, 256, modulus**2)  # all rows in every update
        progress(0, 0.0)
        seen.append(parted)
        return sampled.Fitted(np.zeros(0), np.zeros(0), 10 * seed, 1.0, 1.0, (1.0, 0.5, 0.75, 0.5, 1.0)[seed])

    monkeypatch.setattr(sampled, "fit", fit)
    candidate = next(each for each in CANDIDATES if each.text == "(2a + 3b)^4 - a^2")
    row = modular_seeds.row(candidate, modulus, 100, lambda what, part: None)
    for parted in seen:
        rows = np.concatenate([part.inputs for part in parted]).astype(int)
        assert len(np.unique(rows, axis=0)) == len(rows) == modulus**2
        a, b = rows.T
        assert (np.concatenate([part.wanted for part in parted]) == ((2 * a + 3 * b) ** 4 - a**2) % modulus).all()
        assert 0.38 < len(parted.reported.inputs) / len(rows) < 0.42
    assert not np.array_equal(seen[0].trained.inputs, seen[1].trained.inputs)
    assert row[2:9] == ("no", candidate.paper[modulus], 75.0, 50.0, 100.0, 100.0, 2) and row[-1] == 20
