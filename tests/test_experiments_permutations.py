"""The permutations beside the paper's: the stored counts, their growth, and the biases of the networks trained here."""

import functools

import numpy as np
import pytest

from learned_units.experiments import growth, permutations, published
from learned_units.experiments.permutations import NTK, STANDARD


def test_there_is_a_stored_count_for_each_size_from_2_to_30_and_six_of_the_stricter_share():
    assert list(published.TO_90_PERCENT) == list(range(2, 31))
    assert list(published.TO_99_9_PERCENT) == [5, 10, 15, 20, 25, 30]
    for k, strict in published.TO_99_9_PERCENT.items():
        assert published.TO_90_PERCENT[k] <= strict  # the same networks, more of them
    assert "opallab/permlearn" in (published.__doc__ or "")


def test_a_power_law_is_found_with_its_exponent_and_the_error_that_scatter_leaves():
    sizes = [2.0, 3.0, 5.0, 8.0, 13.0]
    exact = growth.fit(sizes, [7 * size**1.5 for size in sizes])
    assert (exact.exponent, exact.error, exact.factor) == pytest.approx((1.5, 0, 7), abs=1e-9)
    rng = np.random.default_rng(0)
    within = 0
    for _ in range(400):
        law = growth.fit(sizes, [size**1.5 * np.exp(0.3 * rng.normal()) for size in sizes])
        within += abs(law.exponent - 1.5) < 3.182 * law.error  # Student's t of three degrees of freedom, 95 %
    assert 0.92 < within / 400 < 0.98
    with pytest.raises(ValueError, match="three points, not 2"):
        growth.fit([1.0, 2.0], [1.0, 2.0])


def test_the_stored_counts_grow_as_the_standard_parametrisation_says_and_not_with_the_square():
    """Three standard errors either side; the bound of the paper's title grows with the square."""
    for target, stored in permutations.TARGETS.items():
        sizes = [k for k in stored if k >= permutations.FITTED_FROM]
        law = growth.fit(sizes, [stored[k] for k in sizes])
        predicted = growth.fit(sizes, [permutations.predicted(STANDARD, k, target) for k in sizes])
        assert abs(law.exponent - predicted.exponent) < 3.5 * law.error
        assert law.exponent + 3.5 * law.error < 2


@pytest.mark.slow
@pytest.mark.parametrize("form", [STANDARD, NTK], ids=["standard", "ntk"])
def test_biases_are_trained_where_the_form_has_them_and_both_forms_learn_their_examples(form, monkeypatch):
    kept = []
    descend = permutations._descend

    @functools.wraps(descend)
    def seen(*arguments):
        kept.append(descend(*arguments))
        return kept[-1]

    monkeypatch.setattr(permutations, "_descend", seen)
    found = permutations.trained_predictions(form, 4, 2, 64, seed=0)
    ensemble, _, error = kept[-1]
    assert float(error) <= permutations.TOLERANCE
    for bias in (ensemble.hidden_bias, ensemble.output_bias):
        assert (np.abs(np.asarray(bias)).max() > 1e-3) == (form is STANDARD)
    assert found.shape == (2, 6, 4)
