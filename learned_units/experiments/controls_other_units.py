"""What the decisions of the units modular and neural-gpu come from: their networks with activation or weights replaced.

Each network is evaluated by its definition in float64: the modular one on its whole table, the Neural GPU on every pair
of short words, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from learned_units import catalog
from learned_units.experiments.table import Cell
from learned_units.modular.network import every_input
from learned_units.modular.unit import COEFFICIENTS, MODULUS
from learned_units.neural_gpu import tape
from learned_units.store import Progress

SEED = 0  # of what is shuffled and drawn
WORD_BITS = 6  # of the words the Neural GPU is run on, all pairs

Arrays = Mapping[str, np.ndarray]
Activation = Callable[[np.ndarray], np.ndarray]


def replaced(trained: Arrays) -> Iterator[tuple[str, Arrays]]:
    """Weights that are 0, shuffled within each tensor, or noise of the same scale."""
    rng = np.random.default_rng(SEED)
    yield "weights 0", {name: np.zeros_like(each) for name, each in trained.items()}
    yield (
        "weights shuffled",
        {name: rng.permutation(each.ravel()).reshape(each.shape) for name, each in trained.items()},
    )
    yield "weights noise", {name: rng.normal(0, each.std(), each.shape) for name, each in trained.items()}


def modular_outputs(weights: Arrays, activation: Activation, rows: np.ndarray) -> np.ndarray:
    """The network of a - b on values [inputs, 2]: float64 [inputs, classes]."""
    first, second = weights["inner"]
    return activation(first[rows[:, 0]] + second[rows[:, 1]]) @ weights["outer"]


def modular_variants(weights: Arrays) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What stands in place, and for every input whether the answer is wrong and its margin."""
    rows = every_input(MODULUS, 2)
    right = rows @ np.array(COEFFICIENTS) % MODULUS

    def judged(weights: Arrays, activation: Activation = np.square) -> tuple[np.ndarray, np.ndarray]:
        out = modular_outputs(weights, activation, rows)
        own = out[np.arange(len(rows)), right]
        others = np.where(np.arange(MODULUS) == right[:, None], -np.inf, out).max(1)
        return ~(own > others), (own - others) / nominal

    nominal = 1.0
    nominal = float(judged(weights)[1].mean())
    yield "square, as trained", *judged(weights)
    yield "identity", *judged(weights, lambda sums: sums)
    yield "|z|", *judged(weights, np.abs)
    for name, other in replaced(weights):
        yield name, *judged(other)


def gpu_predictions(weights: Arrays, symbols: np.ndarray, squash: Activation, gate: Activation) -> np.ndarray:
    """p1 - p0 of the Neural GPU (`neural_gpu/network.py`), with other nonlinearities: float64 [tapes, positions]."""
    maps = weights["embedding"].shape[1]
    third = maps // 3
    stay = maps - 2 * third

    def moved(x: np.ndarray, by: int) -> np.ndarray:
        out = np.zeros_like(x)
        if by > 0:
            out[:, by:] = x[:, :-by]
        else:
            out[:, :by] = x[:, -by:]
        return out

    def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        from_left, own, from_right = np.split(x @ kernel, 3, axis=-1)
        return moved(from_left, 1) + own + moved(from_right, -1)

    state = squash(weights["embedding"])[symbols]
    for _ in range(symbols.shape[1]):
        opened = gate(convolved(state, weights["gate_kernel"]) + weights["gate_bias"])
        reset, update = opened[..., :maps], opened[..., maps:]
        candidate = squash(convolved(reset * state, weights["candidate_kernel"]) + weights["candidate_bias"])
        kept = np.concatenate(
            [state[..., :stay], moved(state[..., stay : stay + third], 1), moved(state[..., stay + third :], -1)], -1
        )
        state = candidate + update * (kept - candidate)
    return np.tanh((state @ weights["readout_kernel"] + weights["readout_bias"][0]) / 2)


def hard_tanh(x: np.ndarray) -> np.ndarray:
    """The nonlinearity of the state."""
    return np.clip(x, -1, 1)


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    """That of the gates."""
    return np.clip(x / 2 + 0.5, 0, 1)


def gpu_variants(weights: Arrays) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What stands in place, and for every pair of words whether a bit is wrong and the smallest margin of its bits."""
    words = np.arange(1 << WORD_BITS)
    first, second = (tape.to_bits(each.ravel().tolist(), WORD_BITS) for each in np.meshgrid(words, words))
    lengths = np.full(len(first), WORD_BITS)
    symbols = tape.lay_out(tape.SUBTRACT_SBN, first, second, lengths)
    side = 2.0 * tape.answers(tape.SUBTRACT_SBN, first, second, lengths) - 1

    def judged(
        weights: Arrays, squash: Activation = hard_tanh, gate: Activation = hard_sigmoid
    ) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):  # without its nonlinearities the state grows without bound
            margin: np.ndarray = side * gpu_predictions(weights, symbols, squash, gate)
        wrong: np.ndarray = np.any(~(margin > 0), axis=1)
        return wrong, np.where(np.isnan(margin), -1.0, margin).min(1)

    yield "as trained", *judged(weights)
    yield "identity for hard tanh", *judged(weights, squash=lambda x: x)
    yield "no clipping of the gates", *judged(weights, gate=lambda x: x / 2 + 0.5)
    for name, other in replaced(weights):
        yield name, *judged(other)


def rows(progress: Progress) -> list[tuple[Cell, ...]]:
    """As in the table of `controls`: network, in place, inputs, inputs wrong, share, smallest margin."""
    found: list[tuple[Cell, ...]] = []
    for unit, network, variants in (
        ("modular", f"modular: a - b mod {MODULUS}", modular_variants),
        ("neural-gpu", "neural-gpu: SBN", gpu_variants),
    ):
        for replacement, wrong, margin in variants(_weights(unit, progress)):
            progress(f"'{network}', {replacement}", 0.5)
            count = int(wrong.sum())
            found.append((network, replacement, len(wrong), count, count / len(wrong), float(margin.min())))
    return found


def _weights(unit: str, progress: Progress) -> Arrays:
    """The stored tensors of a unit, float64."""
    params = catalog.load_unit(unit, progress=progress).params._asdict()
    return {name: np.asarray(each, np.float64) for name, each in params.items()}
