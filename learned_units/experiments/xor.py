"""A task that no linear map can do, learned in the way of the units: the exclusive or of two words.

The network reads each bit of two words of g positions and its negation, one coordinate for each, and nothing else: no
conjunction is made for it. It is trained on 4 g examples of two literals, a_i = u and b_i = v, whose label is
u xor v at position i and 0 elsewhere, and must then be right on all 4^g pairs of words. On a pair exactly 2 g
coordinates are 1, so that one constant threshold serves every input; it lies halfway between the two values that the
infinitely wide network predicts.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.networks import kernel, two_layer
from learned_units.networks.two_layer import Network
from learned_units.store import Progress

POSITIONS = (2, 4, 6)
WIDTHS = (512, 1024, 2048, 4096, 8192, 16384)
SEEDS = (0, 1, 2)
TOLERANCE = 1e-4  # largest error left on an example
BLOCK = 50  # steps between two looks at the error
MOST_STEPS = 2000


class Task(NamedTuple):
    """Examples and the inputs to be right on. Rows of inputs have norm 1."""

    examples: np.ndarray  # float32 [4 g, 4 g]
    labels: np.ndarray  # float32 [4 g, g]
    inputs: np.ndarray  # float32 [4^g, 4 g]
    answers: np.ndarray  # bool [4^g, g]


def task(positions: int) -> Task:
    """The task on words of `positions` bits. Coordinates: a, not a, b, not b, each of `positions`."""
    examples, labels = [], []
    for i in range(positions):
        for u in (0, 1):
            for v in (0, 1):
                row = np.zeros((2, 2, positions))  # [operand, negated, position]
                row[0, 1 - u, i] = row[1, 1 - v, i] = np.sqrt(0.5)
                examples.append(row.reshape(-1))
                labels.append(np.eye(positions)[i] * (u ^ v))
    code = np.arange(1 << 2 * positions)[:, None] >> np.arange(2 * positions) & 1
    a, b = code[:, :positions], code[:, positions:]
    inputs = np.concatenate([a, 1 - a, b, 1 - b], axis=1) / np.sqrt(2 * positions)
    return Task(np.array(examples, np.float32), np.array(labels, np.float32), inputs.astype(np.float32), a != b)


def limit(given: Task) -> np.ndarray:
    """What the infinitely wide network predicts after training: float64 [inputs, outputs]."""
    examples, inputs = given.examples.astype(np.float64), given.inputs.astype(np.float64)
    weights = np.linalg.solve(kernel.ntk(examples @ examples.T), given.labels.astype(np.float64))
    return kernel.ntk(inputs @ examples.T) @ weights


def calibrated(given: Task) -> tuple[float, float]:
    """Threshold and half gap: halfway between the largest value for 0 and the smallest for 1."""
    value = limit(given)
    low, high = value[~given.answers].max(), value[given.answers].min()
    return float(low + high) / 2, float(high - low) / 2


def train(given: Task, width: int, seed: int) -> Network:
    """One mirrored network, by full-batch gradient descent with momentum. Raises ArithmeticError if it is left short of
    the tolerance."""
    network = two_layer.initialise(
        jax.random.key(seed), "mirrored", width, given.inputs.shape[1], given.labels.shape[1]
    )
    spectrum = np.linalg.eigvalsh(kernel.ntk(given.examples.astype(np.float64) @ given.examples.T))
    smallest, largest = np.sqrt(spectrum[[0, -1]])
    rate, momentum = 4 / (smallest + largest) ** 2, ((largest - smallest) / (largest + smallest)) ** 2
    velocity, error = jax.tree.map(jnp.zeros_like, network), np.inf
    for _ in range(MOST_STEPS // BLOCK):
        network, velocity, left = _descend(
            network, velocity, given.examples, given.labels, np.float32(rate), np.float32(momentum)
        )
        error = float(left)
        if error <= TOLERANCE:
            return network
    raise ArithmeticError(f"width {width}, seed {seed}: an error of {error:.2g} is left after {MOST_STEPS} steps")


def predict(network: Network, inputs: jax.Array | np.ndarray, activation=jax.nn.relu) -> jax.Array:
    """float32 [inputs, outputs]."""
    halves, units, _ = network.hidden.shape
    scale = two_layer.half_weights(halves) / np.sqrt(units, dtype=np.float32)
    hidden = activation(jnp.einsum("huc,ic->hiu", network.hidden, inputs))
    return jnp.einsum("hiu,huo,h->io", hidden, network.output, scale)


@jax.jit
def _descend(network: Network, velocity: Network, examples, labels, rate, momentum):
    """BLOCK steps. Also the largest error after them."""

    def error(network: Network) -> jax.Array:
        return predict(network, examples) - labels

    def step(_, carry):
        network, velocity = carry
        gradient = jax.grad(lambda network: 0.5 * jnp.sum(error(network) ** 2))(network)
        velocity = jax.tree.map(lambda v, g: momentum * v - rate * g, velocity, gradient)
        return jax.tree.map(jnp.add, network, velocity), velocity

    network, velocity = jax.lax.fori_loop(0, BLOCK, step, (network, velocity))
    return network, velocity, jnp.abs(error(network)).max()


def judged(given: Task, value: np.ndarray, threshold: float, half_gap: float) -> tuple[int, float]:
    """Inputs with a wrong output, and the smallest margin in half gaps."""
    margin = np.where(given.answers, 1, -1) * (np.asarray(value, np.float64) - threshold) / half_gap
    return int((~(margin > 0)).any(1).sum()), float(margin.min())


def measure(quick: bool, progress: Progress) -> Table:
    """For each number of positions: the limit, least squares, and trained networks of growing width."""
    rows: list[tuple[Cell, ...]] = []
    positions, widths, seeds = (POSITIONS[:2], WIDTHS[2:3], SEEDS[:1]) if quick else (POSITIONS, WIDTHS, SEEDS)
    for g in positions:
        given = task(g)
        read = calibrated(given)
        cells = (g, len(given.examples), len(given.inputs))
        rows.append((*cells, "limit", None, *judged(given, limit(given), *read), None))
        fitted = np.linalg.lstsq(given.examples.astype(np.float64), given.labels.astype(np.float64), rcond=None)[0]
        value = given.inputs @ fitted
        # It says the same on every input, so no threshold helps: the better constant is 0 or 1 everywhere.
        constant = float(value.max() - value.min()) < 1e-6
        wrong = min(int(each.any(1).sum()) for each in (given.answers, ~given.answers))
        rows.append((*cells, "least squares, linear", None, wrong if constant else None, None, None))
        for k, width in enumerate(widths):
            progress(f"{g} positions, width {width}", k / len(widths))
            wrong, identity, margin = 0, 0, np.inf
            for seed in seeds:
                network = train(given, width, seed)
                found = judged(given, np.asarray(predict(network, given.inputs)), *read)
                wrong, margin = max(wrong, found[0]), min(margin, found[1])
                replaced = np.asarray(predict(network, given.inputs, lambda z: z))
                identity = max(identity, judged(given, replaced, *read)[0])
            rows.append((*cells, "trained", width, wrong, margin, identity))
    return Table(
        "The exclusive or of two words from their bits alone: width against margin",
        ("positions", "examples", "inputs", "map", "width", "inputs wrong", "smallest margin", "wrong with identity"),
        tuple(rows),
        (
            f"One mirrored network; the worst of {len(seeds)} seeds, over every pair of words. Margins are in half "
            "gaps of the limit. 'Wrong with identity': the same weights without the relu.",
            "Least squares on the same examples gives a linear map that says the same on every pair, whatever the "
            "bits: no linear map of the bits and their negations is the exclusive or, with any threshold.",
        ),
        (_panel(rows),),
    )


def _panel(rows: list[tuple[Cell, ...]]) -> Panel:
    curves, needed = [], []
    for g in dict.fromkeys(row[0] for row in rows):
        mine = [(row[4], row[6]) for row in rows if row[0] == g and isinstance(row[4], int)]
        y = tuple(margin if isinstance(margin, float) else None for _, margin in mine)
        curves.append(Curve(f"{g} positions", tuple(float(width) for width, _ in mine if width is not None), y))
        right = [width for width, margin in mine if isinstance(margin, float) and margin > 0]
        needed.append(f"{g} positions from {right[0]:,}" if right else f"{g} positions at none of the widths")
    title = f"Trained networks are right on every pair: {', '.join(needed)} units on"
    return Panel(title, "width, units", "smallest margin, half gaps (right above 0)", tuple(curves), log="x")
