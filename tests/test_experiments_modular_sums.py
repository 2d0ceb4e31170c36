"""Sums of several terms learned by training: what decides is not what is reported, and likeness is to the formula."""

import numpy as np
import pytest

from learned_units.experiments import modular_sums
from learned_units.modular import experts, sampled, spectrum


def silent(updates: int, share: float) -> None:
    """Progress that nobody looks at."""


def sums(sizes: tuple[int, int, int], modulus: int = 5, terms: int = 3, seed: int = 0) -> sampled.Parts:
    inputs = sampled.draw(modulus, terms, sizes, np.random.default_rng(seed))
    return sampled.parts(inputs, inputs.sum(1) % modulus, sizes)


def test_no_row_is_in_two_parts_and_every_sum_is_right():
    parted = sums((60, 20, 45))
    together = np.concatenate([rows.inputs for rows in parted])
    assert len(np.unique(together, axis=0)) == len(together) == 125
    for rows in parted:
        assert (rows.wanted == rows.inputs.sum(1) % 5).all()
    with pytest.raises(ValueError, match="126 of 125 inputs cannot be different"):
        sums((60, 20, 46))


def test_every_case_reports_rows_that_nothing_depends_on_and_the_tables_have_both_moduli_and_all_terms():
    for case in modular_sums.CASES:
        assert sum(case.rows) <= case.modulus**case.terms and min(case.rows) >= 50
    assert {(case.modulus, case.terms) for case in modular_sums.CASES} == {
        (p, terms) for p in (23, 97) for terms in (2, 3, 4)
    }


@pytest.mark.slow
def test_what_is_reported_changes_neither_the_weights_nor_when_training_stops():
    parted = sums((80, 25, 20))
    lied = parted._replace(reported=parted.reported._replace(wanted=(parted.reported.wanted + 1) % 5))
    recipe = sampled.grokking(64, 128)
    one, other = (sampled.fit(each, 5, 64, recipe, 60, 0, silent) for each in (parted, lied))
    assert one.updates == other.updates and (one.inner == other.inner).all() and (one.outer == other.outer).all()
    assert one.reported != other.reported


@pytest.mark.slow
def test_trained_weights_of_three_terms_have_the_phases_of_the_formula():
    parted = sums((900, 100, 331), modulus=11)
    fitted = sampled.fit(parted, 11, 128, sampled.grokking(128, 2048), 300, 0, silent)
    assert fitted.trained == 1 and fitted.reported > 0.9
    assert spectrum.phase_agreement(fitted.inner, fitted.outer) > 0.95
    assert spectrum.measure(fitted.inner, fitted.outer).participation.mean() > 0.5


def test_phases_agree_in_analytic_weights_and_not_where_they_are_drawn_apart():
    inner, outer = experts.addition_weights(23, (1, 1, 1), 200, np.random.default_rng(0))
    assert spectrum.phase_agreement(inner, outer) == pytest.approx(1)
    another = experts.addition_weights(23, (1, 1, 1), 200, np.random.default_rng(1))[0]
    same_frequencies = np.take(inner, np.random.default_rng(2).permutation(23), axis=1)
    assert abs(spectrum.phase_agreement(another, outer)) < 0.5
    assert abs(spectrum.phase_agreement(same_frequencies, outer)) < 0.5
    assert spectrum.phase_agreement(np.zeros((2, 5, 0)), np.zeros((0, 5))) == 0
