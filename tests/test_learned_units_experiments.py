"""What `sbn reproduce` measures: its formulas against direct algebra, its measurements against its formulas."""

import functools
import importlib
import math

import numpy as np
import pytest

from learned_units.circuits import addition
from learned_units.experiments import permutations, summands, training_sets
from learned_units.experiments.permutations import NTK, NTK_UNIT, STANDARD
from learned_units.experiments.table import Table, shown
from learned_units.networks import kernel, readout


def silent(what: str, part: float) -> None:
    assert 0 <= part <= 1, (what, part)


@functools.cache
def quick(name: str) -> Table:
    """The quick form of an experiment, measured once."""
    return importlib.import_module(f"learned_units.experiments.{name}").measure(True, silent)


def numbers(table: Table, column: str) -> list[float]:
    """The cells of a column that hold numbers."""
    return [cell for cell in table.column(column) if isinstance(cell, (int, float))]


def test_a_cell_is_three_digits_and_a_zero_has_no_sign():
    assert [shown(cell) for cell in (None, 0.12345, -0.0, 1e-9, 1234.5, 4096, "as trained")] == [
        "-", "0.123", "0", "1e-09", "1,234", "4,096", "as trained",
    ]  # fmt: skip


# --- permutations -----------------------------------------------------------------------------------------------------


def regression(gram, cross, at_test: float, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean and variance of Gaussian process regression, by linear algebra."""
    weights = np.linalg.solve(gram, cross)
    return weights @ labels, float(at_test - weights @ cross)


@pytest.mark.parametrize("k, n", [(2, 2), (5, 2), (10, 3), (30, 2), (30, 30)])
def test_the_last_layer_alone_is_regression_with_the_output_covariance(k, n):
    gram = np.full((k, k), kernel.B) + (0.5 - kernel.B) * np.eye(k)
    cross = np.where(np.arange(k) < n, float(kernel.nngp(1 / math.sqrt(n))), kernel.B)
    mean, variance = regression(gram, cross, 0.5, np.eye(k))
    assert STANDARD.variance(k, n) == pytest.approx(variance / k, abs=1e-9)
    for output in range(k):
        assert STANDARD.mean(k, n, int(output < n)) == pytest.approx(mean[output], abs=1e-9)


def test_the_papers_figures_are_those_of_the_standard_parametrisation():
    """Single sequences scatter, and stop at the first crossing: within 40 % of the prediction, one by one."""
    for k in permutations.BOTH_FORMS:
        paper = permutations.TARGETS[0.9][k]
        predicted = {form.name: permutations.predicted(form, k, 0.9) for form in (STANDARD, NTK, NTK_UNIT)}
        assert 0.6 < predicted["standard"] / paper < 1.4, k
        assert predicted["ntk, unit"] > 20 * paper
        if k >= 15:
            assert predicted["ntk"] > 3 * paper
    assert [permutations.predicted(STANDARD, k, 0.9) for k in (20, 25, 30)] == [121, 155, 190]
    assert [permutations.predicted(NTK, k, 0.9) for k in (20, 25, 30)] == [579, 708, 840]


@pytest.mark.slow
@pytest.mark.parametrize("form", [STANDARD, NTK], ids=["standard", "ntk"])
def test_trained_networks_permute_as_their_form_predicts(form):
    k, count, width = 10, 256, 1024
    found = np.concatenate([permutations.trained_predictions(form, k, 64, width, seed) for seed in range(count // 64)])
    on = permutations.strings(k) > 0
    for m, where in ((1, on), (0, ~on)):
        error = math.sqrt(form.variance(k, 2) / count / k)  # outputs are independent, strings are not
        assert found.mean(0)[where].mean() == pytest.approx(form.mean(k, 2, m), abs=4 * error + 4 / width)
        assert found.var(0)[where].mean() == pytest.approx(form.variance(k, 2), rel=0.15)
    ensembles = found[: count // 32 * 32].reshape(-1, 32, *found.shape[1:]).mean(1)
    share = ((ensembles > 0) == on).all(2).mean()
    assert share == pytest.approx(permutations.accuracy(form, k, 32), abs=0.12)


@pytest.mark.slow
def test_networks_are_added_until_each_target_is_reached():
    """One sequence of networks scatters, the more the fewer strings there are: of 10 bits there are 45."""
    table = quick("permutations")
    rows = {(row[0], row[1]): row for row in table.rows}
    predicted, trained = table.columns.index("standard, predicted"), table.columns.index("standard, trained")
    one, other = rows["90.0%", 10][trained], rows["90.0%", 10][predicted]
    assert isinstance(one, int) and isinstance(other, int) and 0.4 < one / other < 2.5
    less, more = rows["90.0%", 5][trained], rows["99.9%", 5][trained]
    assert isinstance(less, int) and isinstance(more, int) and less <= more
    assert rows["99.9%", 10][trained] is None  # more than a quick measurement trains


# --- moments ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_trained_networks_have_the_mean_and_variance_of_the_closed_form():
    table = quick("moments")
    for off, error in zip(numbers(table, "mean, largest deviation"), numbers(table, "its standard error"), strict=True):
        assert abs(off) < 4.5 * error + 0.01  # the worst of eight outputs, and the effect of width
    columns = ("variance, closed form", "variance, trained", "its standard error ")
    for closed, trained, error in zip(*(numbers(table, name) for name in columns), strict=True):
        assert abs(trained - closed) < 4 * error + 0.05 * closed


# --- networks ---------------------------------------------------------------------------------------------------------


def test_each_bound_asks_for_more_networks_than_the_one_after_it():
    table = quick("networks")
    columns = ("ours: its bound", "ours: sign", "ours: calibrated", "ours: antisymmetric")
    rows = list(zip(*(numbers(table, name) for name in columns), strict=True))
    assert len(rows) == 8
    for row in rows:
        assert list(row) == sorted(row, reverse=True) and row[0] > 4 * row[1] > 4 * row[2]
    for one, all_at_once in zip(numbers(table, "ours: calibrated"), numbers(table, "ours: all operands"), strict=True):
        assert one < all_at_once


def test_the_papers_factor_in_the_first_layer_divides_the_ensemble_by_the_number_of_templates():
    table = quick("networks")
    for of_theirs, of_ours in (("version 1's bound", "ours: its bound"), ("sign", "ours: sign")):
        for task, k, theirs, ours in zip(
            table.column("task"), *(numbers(table, name) for name in ("k' up to", of_theirs, of_ours)), strict=True
        ):
            if "SBN" in str(task):  # its networks have k' or half as many templates
                assert ours / k < theirs + 1 and theirs < 2 * ours / k + 1


def test_an_output_that_nothing_asserts_is_not_decided_by_the_sign_readout():
    from learned_units.proof import certificate

    loads = certificate.loads_of_algorithm(addition.ripple(8))
    assert [c for load in loads for c, _ in load.outputs][0] == 0
    assert certificate.networks_needed(lambda many: certificate.failure_bound(loads, many, "sign"), 0.01) is None
    assert certificate.networks_needed(lambda many: certificate.failure_bound(loads, many, "calibrated"), 0.01)


# --- summands ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_summands_are_added_by_both_readouts_and_both_designs():
    table = quick("summands")
    assert table.column("pairs") == [4**bits for bits in range(1, 6)]
    for name in ("wrong, ripple, calibrated", "wrong, ripple, sign", "wrong, parallel prefix"):
        assert table.column(name) == [0] * 5


def test_wrong_coefficients_add_wrongly():
    """What is counted as wrong is what the predictions say: with labels of other templates, sums come out wrong."""
    task = addition.ripple(4)
    weights = summands.params(task, readout.calibrated)
    broken = {name: each._replace(labels=np.roll(np.asarray(each.labels), 1, axis=0)) for name, each in weights.items()}
    wrong, _ = summands.wrong_sums(task, broken, 4, lambda part: None)
    assert wrong > 100 and summands.wrong_sums(task, weights, 4, lambda part: None)[0] == 0


@pytest.mark.slow
def test_all_summands_of_up_to_10_bits_are_added_exactly():
    table = summands.measure(False, silent)
    assert table.column("pairs")[-1] == 4**10
    for name in ("wrong, ripple, calibrated", "wrong, ripple, sign", "wrong, parallel prefix"):
        assert table.column(name) == [0] * 10


# --- sizes, widths, groups --------------------------------------------------------------------------------------------


def test_the_examples_of_groups_do_not_grow_with_the_word_and_those_of_words_do():
    table = training_sets.measure(True, silent)
    keys = zip(table.column("task"), table.column("bits"), strict=True)
    examples = dict(zip(keys, numbers(table, "examples"), strict=True))
    for bits in training_sets.WIDTHS:
        assert examples["SBN, groups of 8", bits] == 160
        assert 19 * bits < examples["SBN, one network for the word", bits] <= 20 * bits
        assert examples["addition, the paper's ripple", bits] == 4 * bits
        assert examples["multiplication, the paper's ripple", bits] == 20 * bits + 2


@pytest.mark.slow
def test_the_error_of_antisymmetric_networks_falls_with_width_and_that_of_plain_ones_does_not():
    table = quick("widths")
    keys = zip(table.column("start"), table.column("width"), strict=True)
    error = dict(zip(keys, numbers(table, "root mean square"), strict=True))
    for start in ("antisymmetric", "variance-reduced", "mirrored"):
        assert error[start, 512] < 0.8 * error[start, 256]
    assert error["plain", 512] > 0.6 * error["plain", 256] > 1
    assert error["mirrored", 512] < error["variance-reduced", 512] < error["antisymmetric", 512]


@pytest.mark.slow
def test_a_group_of_one_is_a_table_and_larger_ones_generalise():
    table = quick("groups")
    assert table.column("group") == [1, 2]
    novel = numbers(table, "not seen in training")
    assert novel[0] < 0.1 < novel[1]
    assert table.column("verified on") == ["every input"] * 2
    assert all(margin >= 0.25 for margin in numbers(table, "smallest margin"))
