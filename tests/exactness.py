"""One instruction defined in Python integers, the operands it is tested on, and weights that are only noise."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import Unit
from learned_units.proof import operands

ISAS = ("sbn", "subleq")
SEED = 20_250_217

Cases = tuple[np.ndarray, ...]  # minuends, subtrahends, targets, fall-throughs: uint64 [cases] each


def exact(word_bits: int, isa: str, cases: Cases) -> tuple[list[int], list[int]]:
    """Differences and next pcs."""
    differences, next_pcs = [], []
    for minuend, subtrahend, target, fall_through in zip(*(column.tolist() for column in cases), strict=True):
        difference = (minuend - subtrahend) % 2**word_bits
        taken = difference >= 2 ** (word_bits - 1) or (isa == "subleq" and difference == 0)
        differences.append(difference)
        next_pcs.append(target if taken else fall_through)
    return differences, next_pcs


def hard_and_random(word_bits: int, count: int, seed: int = SEED) -> Cases:
    """Half uniform, half adversarial."""
    rng = np.random.default_rng(seed)
    halves = (operands.uniform(rng, count // 2, word_bits), operands.adversarial(rng, count // 2, word_bits))
    return joined(*halves)


def edges(word_bits: int) -> Cases:
    """Every combination of edges in all four places: equal operands, nothing set, everything set, one digit full."""
    high = 2**word_bits - 1
    words = (0, 1, 15, high, 1 << (word_bits - 1), high >> 1)
    targets = ((0, 0), (0, high), (high, 0), (high, 1), (1, 1))
    combined = [(a, b, c, f) for a, b in itertools.product(words, words) for c, f in targets]
    return tuple(np.array(column, np.uint64) for column in zip(*combined, strict=True))


def joined(*parts: Cases) -> Cases:
    """All cases of several sets, in order."""
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def all_pairs(word_bits: int) -> Cases:
    """Every pair of operands, with random targets."""
    every = np.arange(2**word_bits, dtype=np.uint64)
    minuend, subtrahend = (each.reshape(-1) for each in np.meshgrid(every, every))
    rng = np.random.default_rng(SEED)
    return minuend, subtrahend, *(operands.words(rng, len(minuend), word_bits) for _ in range(2))


def check(unit: Unit, cases: Cases) -> np.ndarray:
    """All answers equal the definition, all margins are positive and finite; returns the margins, float32 [cases].

    Native arithmetic has no margins: all must be infinite. Where every input of the weights was run, no margin may be
    below the smallest one found then, but for rounding.
    """
    found = unit.subtract_branch(*cases)
    differences, next_pcs = exact(unit.word_bits, unit.isa, cases)
    assert found.difference.tolist() == differences
    assert found.next_pc.tolist() == next_pcs
    if unit.name == "native":
        assert (found.margin == np.inf).all()
    else:
        assert (found.margin > 0).all() and np.isfinite(found.margin).all()
    verified = unit.manifest and unit.manifest.verified
    if verified and verified.kind.startswith("every input") and verified.smallest_margin is not None:
        assert found.margin.min() >= verified.smallest_margin - 1e-3
    return found.margin


def wrong(unit: Unit, cases: Cases) -> np.ndarray:
    """Which cases the unit answers wrongly: bool [cases]."""
    found = unit.subtract_branch(*cases)
    differences, next_pcs = exact(unit.word_bits, unit.isa, cases)
    return (found.difference != np.array(differences, np.uint64)) | (found.next_pc != np.array(next_pcs, np.uint64))


def with_params(unit: Unit, params: Any) -> Unit:
    """The unit on other parameters, of which nothing was verified."""
    return Unit(unit.name, unit.spec, params, unit.scope)


def noise_like(array: Any, rng: np.random.Generator) -> jax.Array:
    """Gaussian noise of the same shape, float32, and of the same standard deviation."""
    return jnp.asarray(rng.normal(0, np.std(np.asarray(array)), np.shape(array)), jnp.float32)


def with_noise(params: Any, *names: str, seed: int = 0) -> Any:
    """Parameters whose leaves of these names are noise of the same scale; thresholds and the like are kept."""
    rng = np.random.default_rng(seed)

    def replaced(path: Any, leaf: Any) -> Any:
        return noise_like(leaf, rng) if any(getattr(key, "name", None) in names for key in path) else leaf

    return jax.tree_util.tree_map_with_path(replaced, params)
