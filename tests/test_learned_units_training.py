"""Networks and their training: how they start, what they reach, and that merging changes nothing."""

import functools
from collections.abc import Callable

import jax
import numpy as np
import pytest
from marks import slow

from learned_units.circuits.subtract_branch import template_sets
from learned_units.networks import ensemble, readout, training, two_layer
from learned_units.proof import enumeration
from learned_units.weights import ensembles

SETS = template_sets(8)
initialise = jax.jit(two_layer.initialise, static_argnums=(1, 2, 3, 4))
every_set = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "any" else pytest.mark.slow) for name in SETS]
)


def predictions(each: two_layer.Network, x: np.ndarray) -> np.ndarray:
    """The definition in float64, for x [inputs, k]: sum over halves of sign / sqrt(halves units) * v . relu(W x)."""
    hidden, output = np.asarray(each.hidden, np.float64), np.asarray(each.output, np.float64)
    halves, units, _ = hidden.shape
    signs = [1.0] if halves == 1 else [1.0, -1.0]
    parts = [
        sign * np.maximum(x @ w.T, 0) @ v / np.sqrt(units * halves)
        for sign, w, v in zip(signs, hidden, output, strict=True)
    ]
    return np.sum(parts, axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("initialisation", ["variance-reduced", *slow("antisymmetric")])
@pytest.mark.parametrize(("width", "templates"), [(130, 7)])
def test_a_network_of_two_halves_starts_at_exactly_zero(initialisation, width, templates):
    start = initialise(jax.random.key(1), initialisation, width, templates, 5)
    assert start.hidden.shape == (2, width // 2, templates)
    assert start.output.shape == (2, width // 2, 5)
    assert (start.hidden[0] == start.hidden[1]).all() and (start.output[0] == start.output[1]).all()
    assert not predictions(start, np.random.default_rng(0).normal(size=(20, templates))).any()
    assert np.abs(two_layer.predict_templates(start)).max() < 1e-6


@pytest.mark.slow
def test_a_plain_network_does_not_start_at_zero():
    start = initialise(jax.random.key(1), "plain", 64, 8, 5)
    assert start.hidden.shape == (1, 64, 8)
    assert np.abs(two_layer.predict_templates(start)).min(1).max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("units", "templates"), [(32, 64), (100, 7)])
def test_variance_reduced_rows_are_antithetic_and_orthogonal_in_blocks(units, templates):
    start = initialise(jax.random.key(2), "variance-reduced", 2 * units, templates, 3)
    rows = np.asarray(start.hidden[0], np.float64)
    pairs = units // 2
    assert (rows[pairs:] == -rows[:pairs]).all()
    assert set(np.unique(start.output).tolist()) == {-1.0, 1.0}
    for first in range(0, pairs, templates):
        block = rows[first : min(first + templates, pairs)]
        gram = block @ block.T
        assert np.abs(gram - templates * np.eye(len(block))).max() < 1e-3 * templates


@pytest.mark.slow
def test_an_odd_number_of_units_leaves_one_without_its_antithesis():
    rows = np.asarray(initialise(jax.random.key(2), "variance-reduced", 14, 5, 3).hidden[0])
    assert rows.shape == (7, 5)
    assert (rows[4:] == -rows[:3]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "templates", "output_bits"), [(64, 20, 12), (700, 64, 24)])
def test_mirrored_halves_are_reflections_on_orthogonal_columns_and_start_at_zero(width, templates, output_bits):
    start = initialise(jax.random.key(4), "mirrored", width, templates, output_bits)
    assert start.hidden.shape == (2, width // 2, templates)
    assert (start.hidden[1] == -start.hidden[0]).all() and (start.output[0] == start.output[1]).all()
    assert set(np.unique(start.output).tolist()) == {-1.0, 1.0}
    hidden, output = np.asarray(start.hidden[0], np.float64), np.asarray(start.output[0], np.float64)
    assert np.abs(hidden.T @ hidden / len(hidden) - np.eye(templates)).max() < 1e-5
    assert np.abs(hidden.T @ output / len(hidden)).max() < 1e-5
    x = np.random.default_rng(0).normal(size=(20, templates))
    assert np.abs(predictions(start, x)).max() < 1e-4
    assert np.abs(predictions(two_layer.Network(start.hidden[:1], start.output[:1]), x)).max() > 1  # one half is not


def test_a_mirrored_network_narrower_than_its_columns_is_refused():
    assert two_layer.least_width("mirrored", 20, 12) == 64
    with pytest.raises(ValueError, match="of 20 templates and 12 outputs has a width of at least 64, not 63"):
        two_layer.initialise(jax.random.key(0), "mirrored", 63, 20, 12)


def test_an_unknown_initialisation_is_refused():
    with pytest.raises(ValueError, match="unknown initialisation 'he'; one of plain, .*, variance-reduced, mirrored"):
        two_layer.initialise(jax.random.key(0), "he", 4, 4, 1)


@pytest.mark.parametrize("halves", [1, 2])
def test_the_forward_pass_is_the_definition(halves):
    rng = np.random.default_rng(3)
    shapes = ((halves, 32, 20), (halves, 32, 12))
    network = two_layer.Network(*(jax.numpy.asarray(rng.normal(size=shape), np.float32) for shape in shapes))
    assert np.abs(two_layer.predict_templates(network) - predictions(network, np.eye(20))).max() < 1e-5


@pytest.fixture(scope="module")
def trained() -> Callable[[str], training.Trained]:
    """trained(name): a small ensemble for that template set of a group of 8, with the library's start."""

    @functools.cache
    def of(name: str) -> training.Trained:
        return training.train(
            SETS[name].labels(), networks=2, width=256, initialisation=ensembles.INITIALISATION, seed=5
        )

    return of


def single(ensemble_: two_layer.Network, member: int) -> two_layer.Network:
    return two_layer.Network(ensemble_.hidden[member], ensemble_.output[member])


@every_set
def test_training_fits_every_example_to_the_tolerance(trained, name):
    labels = SETS[name].labels()
    for member in range(2):
        error = np.abs(predictions(single(trained(name).ensemble, member), np.eye(len(labels))) - labels).max()
        assert error <= training.TOLERANCE
    assert trained(name).error <= training.TOLERANCE
    assert trained(name).iterations <= 200


@pytest.mark.slow
@every_set
def test_the_merged_network_is_the_mean_of_the_separate_ones(trained, name):
    inner, outer = two_layer.merge(trained(name).ensemble)
    assert inner.dtype == outer.dtype == np.float32
    inputs = SETS[name].reachable_inputs()
    chosen = inputs[np.random.default_rng(0).integers(0, len(inputs), 200)]
    rows = np.arange(SETS[name].group)
    x = np.zeros((200, SETS[name].size))
    for case, families in enumerate(chosen):
        matched = families >= 0
        x[case, families[matched] * SETS[name].group + rows[matched]] = 1 / np.sqrt(max(matched.sum(), 1))
    mean = np.mean([predictions(single(trained(name).ensemble, member), x) for member in range(2)], axis=0)
    assert np.abs(np.maximum(x @ inner, 0) @ outer - mean).max() < 1e-6
    # and so predicts the running unit, from its weights and matches in their own layout
    params = ensemble.make_params(SETS[name], inner, outer, readout.calibrated(SETS[name]))
    predicted = enumeration.predict_inputs(params, chosen, template_set=SETS[name])
    assert np.abs(np.asarray(predicted.value) - mean).max() < 1e-5


@pytest.mark.slow
def test_two_trainings_from_one_seed_give_equal_weights_and_another_seed_others():
    def weights(seed: int) -> list[np.ndarray]:
        found = training.train(
            SETS["select"].labels(), networks=2, width=32, initialisation="variance-reduced", seed=seed
        )
        return [np.asarray(leaf) for leaf in found.ensemble]

    first, again, other = weights(7), weights(7), weights(8)
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    assert all((one != two).any() for one, two in zip(first, other, strict=True))


@pytest.mark.slow
def test_the_members_of_an_ensemble_differ(trained):
    hidden = np.asarray(trained("difference").ensemble.hidden)
    assert (hidden[0] != hidden[1]).any()


def test_training_that_comes_to_its_end_before_it_succeeds_says_so(monkeypatch):
    monkeypatch.setattr(training, "MOST_ITERATIONS", training.ITERATIONS_PER_CALL)
    monkeypatch.setattr(training, "TOLERANCE", 0.0)
    with pytest.raises(training.TrainingError, match="an error of .* is left after 20 iterations .* widen the network"):
        training.train(SETS["any"].labels(), networks=2, width=256, initialisation=ensembles.INITIALISATION, seed=5)


@pytest.mark.slow
def test_training_that_cannot_succeed_says_so():
    with pytest.raises(training.TrainingError, match="an error of .* is left after .* widen the networks"):
        training.train(SETS["first"].labels(), networks=1, width=2, initialisation="antisymmetric", seed=0)


@pytest.mark.slow
def test_what_the_progress_callback_raises_stops_the_training():
    class Enough(Exception):
        pass

    heard = []

    def progress(iteration: int, error: float) -> None:
        heard.append((iteration, error))
        if len(heard) == 2:
            raise Enough

    with pytest.raises(Enough):
        training.train(
            SETS["select"].labels(), networks=1, width=8, initialisation="plain", seed=0, progress=progress
        )  # fmt: skip
    assert [iteration for iteration, _ in heard] == [20, 40]
    assert heard[1][1] > training.TOLERANCE


def test_progress_runs_from_nothing_to_all():
    assert training.progress_made(1.0) == 0
    assert training.progress_made(100.0) == 0
    assert training.progress_made(training.TOLERANCE) == pytest.approx(1)
    assert training.progress_made(0.0) == 1
