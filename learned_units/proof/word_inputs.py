"""What one network for the whole word can receive, each network by itself, from every pair of short words.

Once the passes before it are right, a network sees only what right passes write. So its inputs are those of a run in
which every pass answers what its templates specify; they are found without any weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits
from learned_units.circuits import subtract_branch
from learned_units.circuits.passes import Prediction, Predictor, matched_family, run_schedule
from learned_units.circuits.templates import TemplateSet

MOST_BITS = 8  # of a word whose pairs are all listed


def by_network(word_bits: int) -> dict[str, np.ndarray]:
    """The distinct inputs of each network, int8 [inputs, positions]: the family at each position, or -1.

    `select` reads target and fall-through as well: for either flag, any set of positions. `any`, which only SUBLEQ
    needs: any set of positions. Where a schedule has no pass `prefix`, it receives none. Raises ValueError for words
    whose pairs are too many.
    """
    if word_bits > MOST_BITS:
        raise ValueError(
            f"all pairs of {word_bits}-bit words are too many to list; up to {MOST_BITS} bits they are few"
        )
    sets = subtract_branch.template_sets(word_bits)
    every = np.arange(1 << word_bits, dtype=np.uint64)
    minuend, subtrahend = (each.reshape(-1) for each in np.meshgrid(every, every))
    one, other = (jnp.asarray(bits.words_to_limbs(each, word_bits).T) for each in (minuend, subtrahend))
    nothing = jnp.zeros_like(one)
    fields = subtract_branch.input_fields(one, other, nothing, nothing, word_bits)
    steps = subtract_branch.schedule(word_bits, "sbn", word_bits)
    _, traces = run_schedule(steps, sets, fields, _specified(sets))
    found = {name: np.empty((0, each.group), np.int8) for name, each in sets.items()}
    for step, trace in zip(steps, traces, strict=True):
        met = np.asarray(matched_family(trace.matched))[0].T.astype(np.int8)
        found[step.network] = np.unique(np.concatenate([found[step.network], met]), axis=0)
    chosen = (every[:, None] >> np.arange(word_bits, dtype=np.uint64) & np.uint64(1)) > 0
    either = np.concatenate([np.where(chosen, flag, -1) for flag in (0, 1)])
    found["select"] = np.unique(either.astype(np.int8), axis=0)
    found["any"] = sets["any"].reachable_inputs()
    return found


def _specified(sets: Mapping[str, TemplateSet]) -> Predictor:
    """A predictor that says 1 where a matched template asserts the output, with the threshold at one half."""

    def predict(network: str, matched: tuple[jax.Array, ...]) -> Prediction:
        asserted = jnp.einsum("fgpn,fo->gopn", jnp.stack(matched), sets[network].assertions())
        half = jnp.full((1, 1, 1, 1), 0.5, jnp.float32)
        return Prediction((asserted > 0).astype(jnp.float32), half, half)

    return predict
