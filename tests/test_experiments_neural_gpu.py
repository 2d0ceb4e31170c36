"""The Neural GPU's error rates: what the table says of the nets, and that errors are seen where there are some."""

import math

import jax
import numpy as np
import pytest

from learned_units.experiments import EXPERIMENTS, limits
from learned_units.experiments import neural_gpu as experiment
from learned_units.neural_gpu import network, tape, training


def silent(what: str, part: float) -> None:
    """Progress that nobody looks at."""


def test_a_string_holds_both_numbers_and_the_sign_least_significant_first():
    plus, times = experiment.STRING_TASKS
    symbols, answers = experiment.lay_out_strings(plus, [0b01], [0b11], 2)
    assert symbols.tolist() == [[2, 1, experiment.STRING_SIGN, 2, 2]]
    assert answers.tolist() == [[0, 0, 1, 0, 0]]
    assert experiment.lay_out_strings(times, [3], [3], 2)[1].tolist() == [[1, 0, 0, 1, 0]]


@pytest.mark.parametrize("task", experiment.STRING_TASKS, ids=lambda task: task.name)
def test_the_curriculum_of_strings_ends_below_the_lengths_tested(task):
    rng = np.random.default_rng(0)
    seen: dict[float, set[int]] = {}
    for part in (0.0, 0.3, 0.6, 0.99):
        batches = [experiment._string_batch(rng, task, part) for _ in range(60)]
        seen[part] = {batch.symbols.shape[1] // 2 for batch in batches}
        assert all(float(batch.noise) <= experiment.STRING_NOISE for batch in batches)
    assert seen[0.0] == {2} and max(seen[0.99]) == 10 == min(experiment.STRING_TESTED)


@pytest.mark.slow
def test_an_untrained_net_is_wrong_at_every_length_and_not_counted_as_accepted():
    weights = network.initialise(jax.random.key(0), tape.ADD.symbols, training.MAPS)
    rows = experiment._by_length(weights, tape.ADD, 3, False, {20: 50, 40: 10}, silent)
    assert [row[3:6] for row in rows] == [
        ("random", 20, 50),
        ("adversarial", 20, 50),
        ("random", 40, 10),
        ("adversarial", 40, 10),
    ]
    assert all(str(row[6]) != "0" and str(row[7]) != "0.0" for row in rows)
    assert experiment._share(rows).startswith("0 of 1 nets on aligned operands were accepted; 0 of these")


def test_the_share_of_nets_that_generalise_is_that_of_accepted_nets_without_any_error():
    rows = [
        experiment._row("add", 0, True, "random", 20, 10, 0, 0.9),
        experiment._row("add", 0, True, "random", 2000, 10, 1, 0.1),
        experiment._row("add", 1, True, "random", 2000, 10, 0, 0.9),
        experiment._row("add", 2, False, "random", 2000, 10, 0, 0.9),
        experiment._row("a+b as a string", 0, None, "random", 10, 10, 10, 0.1),
    ]
    assert experiment._share(rows) == (
        "2 of 3 nets on aligned operands were accepted; 1 of these made no error in any case here, up to 2,000 bits."
    )
    first, possible = experiment._panel(rows).curves[:2]
    assert (first.label, first.x, first.y) == ("add", (20, 2000), (0, 5))  # percent, of the accepted nets
    assert possible.style == "dashed" and possible.family == first.family
    assert possible.y == (100 * limits.upper(0, 10), 100 * limits.upper(1, 20))


@pytest.mark.parametrize(("wrong", "cases"), [(0, 4), (0, 1000), (1, 20), (7, 9)])
def test_the_upper_limit_is_the_rate_at_which_so_few_errors_are_seen_once_in_twenty(wrong, cases):
    rate = limits.upper(wrong, cases)
    seen = sum(math.comb(cases, k) * rate**k * (1 - rate) ** (cases - k) for k in range(wrong + 1))
    assert seen == pytest.approx(0.05, rel=1e-9)
    assert limits.upper(wrong, cases) > wrong / cases and limits.upper(cases, cases) == 1


def test_without_an_error_the_upper_limit_is_about_three_over_the_cases():
    assert 0.52 < limits.upper(0, 4) < 0.53
    assert 2.99 < limits.upper(0, 100_000) * 100_000 < 3


def test_the_lengths_go_from_twenty_bits_to_two_thousand():
    assert min(experiment.LENGTHS) == 20 and max(experiment.LENGTHS) == 2000
    assert "neural-gpu" in EXPERIMENTS


@pytest.mark.slow
def test_the_quick_experiment_measures_everything_in_small():
    table = experiment.measure(True, silent)
    names = dict.fromkeys(table.column("task"))
    assert list(names) == ["subtract-sbn", "add", "long multiplication", "a+b as a string", "a*b as a string"]
    aligned = [row for row in table.rows if row[2] == "yes"]
    assert len(aligned) == 12 and all(row[6] == 0 for row in aligned)
    assert all(0 <= float(str(rate)) <= 1 for rate in table.column("error rate"))
