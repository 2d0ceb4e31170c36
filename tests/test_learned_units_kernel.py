"""The closed form of the kernel regime, against the matrices it was solved from and against networks."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

from learned_units.circuits.subtract_branch import template_sets
from learned_units.networks import kernel, readout, training, two_layer
from learned_units.weights import ensembles

RNG_SEED = 11  # printed by pytest with the failing test's locals


def arc_cosine(x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """NNGP and NTK of v . relu(W x) for inputs [n, k] of any length, float64 [n1, n2] each; weights standard Gaussian.

    E[relu relu] = |x||y| (sin t + (pi - t) cos t) / 2 pi and E[step step] = (pi - t) / 2 pi at angle t; the NTK is the
    first plus x . y times the second.
    """
    norms = np.linalg.norm(x1, axis=1)[:, None] * np.linalg.norm(x2, axis=1)[None]
    inner = x1 @ x2.T
    angle = np.arccos(np.clip(inner / np.where(norms > 0, norms, 1), -1, 1))
    nngp = norms * (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / (2 * math.pi)
    return nngp, nngp + inner * (math.pi - angle) / (2 * math.pi)


def predicted(templates: int, labels: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [n, outputs] and variance [n] over networks trained to convergence on the identity, by linear algebra."""
    train = np.eye(templates)
    nngp_train, ntk_train = arc_cosine(train, train)
    nngp_cross, ntk_cross = arc_cosine(x, train)
    nngp_test, _ = arc_cosine(x, x)
    weights = ntk_cross @ np.linalg.inv(ntk_train)
    variance = nngp_test + weights @ nngp_train @ weights.T - 2 * weights @ nngp_cross.T
    return weights @ labels, np.diag(variance)


CASES = [
    (k, c, n, m)
    for k in (2, 3, 8, 16, 40, 64)
    for c in sorted({1, 2, 4, k // 2, k})
    for n in sorted({0, 1, 2, 3, 8, k})
    for m in range(n + 1)
    if 1 <= c <= k and n <= k and m <= c and n - m <= k - c
]


def test_the_closed_form_solves_the_kernel_equations():
    assert len(CASES) > 250
    for k, c, n, m in CASES:
        labels = np.zeros((k, 1))
        labels[:c] = 1
        x = np.zeros((1, k))
        x[0, [*range(m), *range(c, c + n - m)]] = 1 / math.sqrt(max(n, 1))
        mean, variance = predicted(k, labels, x)
        assert kernel.mean(k, c, n, m) == pytest.approx(mean[0, 0], abs=1e-9), (k, c, n, m)
        assert kernel.variance(k, n) == pytest.approx(variance[0], abs=1e-9), (k, c, n, m)


def test_a_training_example_is_predicted_exactly():
    for k in (2, 8, 64):
        assert kernel.mean(k, 1, 1, 1) == pytest.approx(1, abs=1e-12)
        assert kernel.mean(k, k - 1, 1, 0) == pytest.approx(0, abs=1e-12)
        assert kernel.variance(k, 1) == 0


def test_nothing_matched_predicts_exactly_zero():
    for k in (2, 8, 64):
        form = kernel.coefficients(k, 8)
        assert (form.own[0], form.common[0], form.gap[0]) == (1, 0, 1)
        assert kernel.mean(k, 1, 0, 0) == kernel.variance(k, 0) == 0


def test_the_eigenvalues_are_those_of_the_training_kernel():
    for k in (2, 8, 64):
        found = np.linalg.eigvalsh(arc_cosine(np.eye(k), np.eye(k))[1])
        assert kernel.eigenvalues(k) == pytest.approx((found[0], found[-1]), abs=1e-12)


def some_inputs(templates: int) -> np.ndarray:
    """Template inputs with 1, 2, 3 and all templates matched, overlapping in some."""
    rows = [(0,), (0, 1), (1, 2, 3), (2, 3), tuple(range(templates))]
    return np.array([[(k in row) / math.sqrt(len(row)) for k in range(templates)] for row in rows])


@pytest.mark.slow
@pytest.mark.parametrize(
    "initialisation",
    [
        pytest.param(each, marks=() if each == ensembles.INITIALISATION else pytest.mark.slow)
        for each in two_layer.INITIALISATIONS
    ],
)
def test_the_tangent_kernel_of_a_wide_network_is_the_closed_form(initialisation):
    """The scale 1/sqrt(width) stands in the forward pass: otherwise the kernel would be off by a factor of the width.

    At 8,192 units the standard error of an entry is about sqrt(10 / 8,192) = 0.035 at most; 0.1 is allowed.
    """
    inputs = some_inputs(6)
    start = two_layer.initialise(jax.random.key(RNG_SEED), initialisation, 8192, 6, 1)

    def on_inputs(parameters: two_layer.Network) -> jax.Array:
        seen = jnp.einsum("hut,nt->hun", parameters.hidden, jnp.asarray(inputs, jnp.float32))
        return two_layer.predict_templates(two_layer.Network(seen, parameters.output))[:, 0]

    leaves = jax.tree.leaves(jax.jacobian(on_inputs)(start))
    rows = np.concatenate([np.asarray(leaf, np.float64).reshape(len(inputs), -1) for leaf in leaves], axis=1)
    _, expected = arc_cosine(inputs, inputs)
    assert np.abs(rows @ rows.T - expected).max() < 0.1


@pytest.mark.slow
def test_plainly_initialised_networks_scatter_as_the_closed_form_says():
    """600 networks of width 1,024 with 4 outputs: 2,400 samples, a relative standard error of 3 % for the variance.

    Outputs share hidden weights, so they are not quite independent, and width 1,024 is not infinite; 15 % is allowed,
    and a mean within 5 standard errors.
    """
    k, networks, width = 8, 600, 1024
    labels = np.zeros((k, 4), np.float32)
    labels[0, 0] = labels[:3, 1] = labels[2:6, 2] = labels[:, 3] = 1
    trained = training.train(labels, networks=networks, width=width, initialisation="plain", seed=RNG_SEED)
    for n in (2, 4, 8):
        x = np.zeros(k, np.float32)
        x[:n] = 1 / math.sqrt(n)
        hidden = jnp.einsum("rhut,t->rhu", trained.ensemble.hidden, jnp.asarray(x))
        output = jnp.einsum("rhu,rhuo->ro", jax.nn.relu(hidden), trained.ensemble.output) / np.float32(width**0.5)
        found = np.asarray(output, np.float64)
        expected = [kernel.mean(k, int(labels[:, o].sum()), n, int(labels[:n, o].sum())) for o in range(4)]
        variance = kernel.variance(k, n)
        assert found.var(axis=0, mean=found.mean(0, keepdims=True)).mean() == pytest.approx(variance, rel=0.15), n
        assert np.abs(found.mean(0) - expected).max() < 5 * math.sqrt(variance / networks) + 0.01, n


@pytest.mark.slow
@pytest.mark.parametrize(
    "initialisation",
    ["mirrored", *slow("antisymmetric", "variance-reduced")],
)
def test_an_antisymmetric_network_alone_is_close_to_the_mean(initialisation):
    """Its variance at infinite width is 0; a plain one is 0.2 away on average whatever its width."""
    k, n = 8, 4
    labels = np.eye(k, dtype=np.float32)
    trained = training.train(labels, networks=1, width=16_384, initialisation=initialisation, seed=RNG_SEED)
    inner, outer = two_layer.merge(trained.ensemble)
    x = np.zeros(k, np.float32)
    x[:n] = 1 / math.sqrt(n)
    expected = [kernel.mean(k, 1, n, int(o < n)) for o in range(k)]
    assert math.sqrt(kernel.variance(k, n)) > 0.1
    assert np.abs(np.maximum(x @ inner, 0) @ outer - expected).max() < 0.05


@pytest.mark.parametrize("group", [1, 8, 64])
def test_the_calibrated_threshold_is_half_way_between_none_and_one(group):
    for template_set in template_sets(group).values():
        k, most = template_set.size, template_set.group
        calibrated = readout.calibrated(template_set)
        assert calibrated.threshold.shape == (most + 1, len(template_set.outputs))
        for n, (o, c) in itertools.product(range(1, most + 1), enumerate(template_set.label_counts())):
            none, one = kernel.mean(k, int(c), n, 0), kernel.mean(k, int(c), n, 1)
            assert calibrated.threshold[n, o] == pytest.approx((none + one) / 2, abs=1e-6)
            assert calibrated.half_gap[n] == pytest.approx((one - none) / 2, abs=1e-6)
        assert calibrated.threshold[0].tolist() == [0.5] * len(template_set.outputs)
        assert calibrated.half_gap[0] == 0.5


def test_the_sign_readout_is_right_exactly_where_its_condition_says_so():
    found = {True: 0, False: 0}
    for k in (2, 5, 8, 20, 40):
        for c, n in itertools.product(range(1, k + 1), range(1, k + 1)):
            assert kernel.mean(k, c, n, 0) < 1e-12  # rounding: it is 0 at n = 1
            separates = kernel.mean(k, c, n, 1) > 0
            assert readout.sign_readout_is_right(k, c, n) == separates, (k, c, n)
            found[separates] += 1
    assert min(found.values()) > 100
    assert readout.sign_readout_is_right(8, 8, 0)


def test_padding_with_unused_templates_makes_the_sign_readout_right():
    assert not readout.sign_readout_is_right(templates=40, asserting=20, matched=20)
    assert readout.sign_readout_is_right(templates=400, asserting=20, matched=20)


def test_the_sign_threshold_is_zero():
    for template_set in template_sets(8).values():
        assert not readout.sign(template_set).threshold.any()
        assert (readout.sign(template_set).half_gap == readout.calibrated(template_set).half_gap).all()
