"""How many networks it takes to permute: the paper's experiment, from its settings and from the closed form.

Networks learn a permutation of k bits from its k one-bit examples. They are tested on strings with two ones, with the
sign readout, as in the experiment of arXiv 2502.16763 (its appendix on ensemble complexity; strings of two ones, plain
Gaussian starts): networks are added until the share of strings with every bit right reaches a target. Three forms of
the same two-layer network differ in where factors stand, and so in how large the untrained function is beside the
labels:

standard    weights of variance 1/k and 1/width, biases that begin at 0, one learning rate for all of them: at large
            width only the last layer's weights move, so that the kernel is the output covariance. What the stored
            figures of the paper's authors were trained in (`published.py`).
ntk         the factors 1/sqrt(k) and 1/sqrt(width) stand in the forward pass, and both layers move.
ntk, unit   as this project's networks: no factor 1/sqrt(k). The untrained function, and the ensemble, are k times as
            large in variance.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.experiments import growth, published
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.networks import kernel
from learned_units.networks.two_layer import initialise
from learned_units.proof.certificate import networks_needed, tail
from learned_units.store import Progress

ONES = 2  # in a tested string
TARGETS = {0.9: published.TO_90_PERCENT, 0.999: published.TO_99_9_PERCENT}  # the paper's counts for each share
BOTH_FORMS = (5, 10, 15, 20, 25, 30)  # bits: the other sizes are trained in the standard parametrisation alone
FITTED_FROM = 5  # bits: with fewer there are at most six strings, and the count is luck
WIDTH = 2048
BATCH = 32  # networks trained at once
MOST_TRAINED = 1000  # where more are predicted to be needed, none are trained
TOLERANCE = 1e-3  # largest error on an example, in units of the scaled labels
BLOCK = 20  # iterations between two looks at the error


class Form(NamedTuple):
    """One way to write the network. Functions of (k, n matched, m asserting): mean and variance over networks."""

    name: str
    mean: Callable[[int, int, int], float]
    variance: Callable[[int, int], float]
    eigenvalues: Callable[[int], tuple[float, float]]  # of its kernel, factor 1/k aside
    # Learning rates over that of the last layer's weights (k, width):
    hidden_rate: Callable[[int, int], float]
    bias_rate: Callable[[int, int], float]  # 0: no biases


class Ensemble(NamedTuple):
    """Networks at once, float32: sum_u output_u relu(hidden_u . x + hidden_bias_u) / sqrt(units) + output_bias."""

    hidden: jax.Array  # [networks, units, k]
    hidden_bias: jax.Array  # [networks, units]
    output: jax.Array  # [networks, units, k]
    output_bias: jax.Array  # [networks, k]


def _last_layer_mean(k: int, n: int, m: int) -> float:
    """Regression with the output covariance as its kernel: `kernel.mean` with 1/2 - b for 1 - b."""
    own, d = 0.5 - kernel.B, float(kernel.nngp(1 / math.sqrt(n))) - kernel.B
    beta = kernel.B / (own + k * kernel.B) * (n * d - own)
    return (d * m - beta) / own


def _last_layer_variance(k: int, n: int) -> float:
    """What remains of the start's covariance: nngp(1) - q' Q^-1 q, over k for the input layer's factor."""
    own, kappa = 0.5 - kernel.B, float(kernel.nngp(1 / math.sqrt(n)))
    d = kappa - kernel.B
    beta = kernel.B / (own + k * kernel.B) * (n * d - own)
    return (0.5 - (n * (d - beta) * kappa - (k - n) * beta * kernel.B) / own) / k


STANDARD = Form(
    "standard",
    _last_layer_mean,
    _last_layer_variance,
    lambda k: (0.5 - kernel.B, 0.5 - kernel.B + k * kernel.B),
    lambda k, width: k / width,
    lambda k, width: k / width,
)
NTK = Form(
    "ntk",
    lambda k, n, m: kernel.mean(k, 1, n, m),
    lambda k, n: kernel.variance(k, n) / k,
    kernel.eigenvalues,
    lambda k, width: 1.0,
    lambda k, width: 0.0,
)
NTK_UNIT = NTK._replace(name="ntk, unit", variance=kernel.variance)


def accuracy(form: Form, k: int, networks: int) -> float:
    """The expected share of strings whose every bit an ensemble gets right. Outputs are independent over networks."""
    one, other = form.mean(k, ONES, 1), form.mean(k, ONES, 0)
    root = math.sqrt(networks / form.variance(k, ONES))
    return (1 - tail(one * root)) ** ONES * (1 - tail(-other * root)) ** (k - ONES)


def predicted(form: Form, k: int, target: float) -> int:
    """The smallest ensemble whose expected accuracy reaches the target."""
    needed = networks_needed(lambda networks: 1 - accuracy(form, k, networks), 1 - target)
    assert needed is not None
    return needed


def trained_predictions(form: Form, k: int, networks: int, width: int, seed: int) -> np.ndarray:
    """Networks of this form trained on the identity, on every string with ONES ones: float64 [networks, strings, k].

    A network with the factor 1/sqrt(k) is one without it that is trained on sqrt(k) times the labels.
    """
    keys = jax.random.split(jax.random.key(seed), networks)
    start = jax.vmap(lambda key: initialise(key, "plain", width, k, k))(keys)
    zeros = (np.zeros((networks, width), np.float32), np.zeros((networks, k), np.float32))
    ensemble = Ensemble(start.hidden[:, 0], jnp.asarray(zeros[0]), start.output[:, 0], jnp.asarray(zeros[1]))
    smallest, largest = form.eigenvalues(k)
    ratio = math.sqrt(largest / smallest)
    rate, momentum = 4 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2, ((ratio - 1) / (ratio + 1)) ** 2
    relative = (form.hidden_rate(k, width), form.bias_rate(k, width), 1.0, form.bias_rate(k, width))
    rates = Ensemble(*(jnp.float32(rate * each) for each in relative))
    labels = jnp.eye(k, dtype=jnp.float32) * np.float32(math.sqrt(k))
    velocity = jax.tree.map(jnp.zeros_like, ensemble)
    error = math.inf
    for _ in range(20):
        ensemble, velocity, largest_error = _descend(ensemble, velocity, labels, rates, np.float32(momentum))
        error = float(largest_error)
        if error <= TOLERANCE:
            break
    if not error <= TOLERANCE:
        raise ArithmeticError(f"{form.name}, {k} bits: an error of {error:.2g} is left; {width} units are too few")
    return np.asarray(_on_strings(ensemble, strings(k)), np.float64) / math.sqrt(k)


@jax.jit
def _descend(ensemble: Ensemble, velocity: Ensemble, labels: jax.Array, rates: Ensemble, momentum: jax.Array):
    """BLOCK steps of gradient descent with momentum, each part at its own rate. Also the largest error."""

    def error(ensemble: Ensemble) -> jax.Array:
        return _output(ensemble, jnp.swapaxes(ensemble.hidden, 1, 2)) - labels[None]

    def step(_, carry):
        ensemble, velocity = carry
        gradient = jax.grad(lambda ensemble: 0.5 * jnp.sum(error(ensemble) ** 2))(ensemble)
        velocity = jax.tree.map(lambda v, g, rate: momentum * v - rate * g, velocity, gradient, rates)
        return jax.tree.map(jnp.add, ensemble, velocity), velocity

    ensemble, velocity = jax.lax.fori_loop(0, BLOCK, step, (ensemble, velocity))
    return ensemble, velocity, jnp.abs(error(ensemble)).max()


def _output(ensemble: Ensemble, sums: jax.Array) -> jax.Array:
    """From what enters the units, biases aside, float32 [networks, inputs, units]: float32 [networks, inputs, k]."""
    active = jax.nn.relu(sums + ensemble.hidden_bias[:, None])
    scale = np.sqrt(sums.shape[2], dtype=np.float32)
    return jnp.einsum("rsu,ruo->rso", active, ensemble.output) / scale + ensemble.output_bias[:, None]


@jax.jit
def _on_strings(ensemble: Ensemble, inputs: jax.Array) -> jax.Array:
    """float32 [networks, strings, outputs]."""
    return _output(ensemble, jnp.einsum("rui,si->rsu", ensemble.hidden, inputs))


def strings(k: int) -> np.ndarray:
    """Every string of k bits with ONES ones, at unit norm: float32 [strings, k]."""
    rows = np.zeros((math.comb(k, ONES), k), np.float32)
    for row, ones in enumerate(itertools.combinations(range(k), ONES)):
        rows[row, list(ones)] = 1 / math.sqrt(ONES)
    return rows


def measured(form: Form, k: int, targets: tuple[float, ...], width: int, report: Callable[[int], None]) -> list[int]:
    """Networks trained until the ensemble's accuracy first reaches each target, in one sequence of networks."""
    right = strings(k) > 0
    total, count = np.zeros(right.shape), 0
    found: list[int] = []
    for batch in itertools.count():
        for prediction in trained_predictions(form, k, BATCH, width, seed=batch):
            total, count = total + prediction, count + 1
            share = ((total > 0) == right).all(1).mean()
            while len(found) < len(targets) and share >= targets[len(found)]:
                found.append(count)
            if len(found) == len(targets):
                return found
        report(count)
    raise AssertionError("unreachable")


def measure(quick: bool, progress: Progress) -> Table:
    """Networks to reach 90 % and 99.9 % of the strings, by formula and by training, beside the paper's."""
    sizes = (5, 7, 10) if quick else tuple(TARGETS[0.9])
    width = 512 if quick else WIDTH
    most_trained = 100 if quick else MOST_TRAINED
    trained: dict[tuple[str, int, float], int] = {}
    for k, form in itertools.product(sizes, (STANDARD, NTK)):
        if form is NTK and k not in BOTH_FORMS:
            continue
        targets = tuple(
            each for each, counts in TARGETS.items() if k in counts and predicted(form, k, each) <= most_trained
        )
        most = max((predicted(form, k, each) for each in targets), default=1)
        if targets:
            report = functools.partial(_report, progress, f"training {form.name} networks: {k} bits", most)
            for target, number in zip(targets, measured(form, k, targets, width, report), strict=True):
                trained[form.name, k, target] = number
    rows: list[tuple[Cell, ...]] = [
        (
            f"{target:.1%}",
            k,
            counts[k],
            predicted(STANDARD, k, target),
            trained.get((STANDARD.name, k, target)),
            predicted(NTK, k, target),
            trained.get((NTK.name, k, target)),
            predicted(NTK_UNIT, k, target),
        )
        for target, counts in TARGETS.items()
        for k in sizes
        if k in counts
    ]
    return Table(
        "Networks in an ensemble that permutes k bits (strings with two ones, sign readout, plain starts)",
        COLUMNS,
        tuple(rows),
        (
            f"Trained: networks of width {width} are added until the share of all strings with two ones that come out "
            "right first reaches the target; one sequence, so the count scatters. The paper's: the results stored with "
            "the code of its version 1 (opallab/permlearn), width 50,000, up to 1,000 strings, one sequence. "
            "Predicted: the size whose expected share reaches it, at infinite width.",
            "The paper's figures are those of the standard parametrisation, in which the last layer alone moves. The "
            "count goes with the variance of the untrained function beside the labels: a smaller start needs fewer "
            "networks, and an antisymmetric start, which is 0, one.",
            *filter(None, (_growth(rows, f"{target:.1%}") for target in TARGETS)),
        ),
        tuple(_panel(rows, target) for target in TARGETS),
    )


COLUMNS = (
    "strings right",
    "bits k",
    "paper, trained",
    "standard, predicted",
    "standard, trained",
    "ntk, predicted",
    "ntk, trained",
    "ntk without 1/sqrt(k), predicted",
)


def _growth(rows: list[tuple[Cell, ...]], target: str) -> str:
    """The exponents of the counts that reach one target, with their standard errors; nothing of too few sizes."""
    found = []
    for column in range(2, len(COLUMNS)):
        points = [
            (float(str(row[1])), float(str(row[column])))
            for row in rows
            if row[0] == target and row[column] is not None and int(str(row[1])) >= FITTED_FROM
        ]
        if len(points) >= 3:
            law = growth.fit(*zip(*points, strict=True))
            found.append(f"{COLUMNS[column]}, {law} ({len(points)} sizes)")
    said = f"Exponent of k in the count for {target}, from {FITTED_FROM} bits on: {'; '.join(found)}."
    return said if found else ""


def _report(progress: Progress, what: str, most: int, count: int) -> None:
    progress(f"{what}, {count} networks", min(1.0, count / most))


def _panel(rows: list[tuple[Cell, ...]], target: float) -> Panel:
    mine = [row for row in rows if row[0] == f"{target:.1%}"]
    x = tuple(float(str(row[1])) for row in mine)

    def curve(column: int, style: str, family: str) -> Curve:
        cells = (row[column] for row in mine)
        return Curve(
            COLUMNS[column], x, tuple(None if isinstance(cell, str) else cell for cell in cells), style, family
        )

    curves = (
        curve(2, "points", "standard"),
        curve(4, "line", "standard"),
        curve(3, "dashed", "standard"),
        curve(6, "line", "ntk"),
        curve(5, "dashed", "ntk"),
    )
    k, paper, standard, ntk = (mine[-1][column] for column in (1, 2, 3, 5))
    title = (
        f"For {k} bits the paper needed {paper} networks; the formula says {standard} where the last layer alone "
        f"moves, {ntk} where both do"
    )
    return Panel(title, "bits k", f"networks for {100 * target:g} % of the strings", curves, log="y")
