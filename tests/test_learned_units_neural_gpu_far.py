"""The Neural GPU far beyond its training: how far a position can see, and long operands on the kept weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from learned_units.neural_gpu import loading, measuring, network, operands, tape

SEED = 20_151_126


@pytest.mark.slow
def test_a_position_sees_two_neighbours_on_either_side_in_one_step():
    """The candidate reads neighbours times their reset gates, which read theirs: this is no automaton of radius 1."""
    weights = network.initialise(jax.random.key(3), 7, 6)
    state = np.where(np.random.default_rng(SEED).random((11, 6)) < 0.5, -1, 1).astype(np.float32)
    changed = state.copy()
    changed[5] *= -1
    after = [np.asarray(network.step(weights, jnp.asarray(each))[0]) for each in (state, changed)]
    assert np.flatnonzero((after[0] != after[1]).any(1)).tolist() == [3, 4, 5, 6, 7]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adversarial", "uniform"])
def test_the_kept_subtractor_is_right_on_1000_pairs_of_512_bits(kind):
    task, bits, pairs = tape.SUBTRACT_SBN, 512, 1000
    weights, _ = loading.obtain(task, 0, None)
    rng = np.random.default_rng((SEED, bits))
    chosen = (
        operands.adversarial(rng, pairs, bits, task) if kind == "adversarial" else operands.uniform(rng, pairs, bits)
    )
    found = measuring.measure(weights, task, chosen)
    assert (found.cases, found.wrong) == (pairs, 0) and found.smallest_margin > 0, found
