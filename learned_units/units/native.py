"""The control: integer arithmetic with the interface of a unit. Nothing in it is learned."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits
from learned_units.store import Progress
from learned_units.unit import Decision, Scope, StepResult, Unit

SCOPE = Scope(
    sentence="Integer arithmetic with the same interface: the control. Nothing in it is learned.",
    difference="native",
    decision="native",
    select="native",
    glue="all",
    step_kind="native",
)


@dataclass(frozen=True)
class NativeSpec:
    """uint32 arithmetic on limbs."""

    word_bits: int
    isa: str
    evaluations: int = 0

    def evaluate(
        self, params: None, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> StepResult:
        """Words uint32 [limbs] -> StepResult with margin +inf."""
        del params
        borrow = jnp.uint32(0)
        limbs = []
        for k, mask in enumerate(bits.limb_masks(self.word_bits)):
            limb = minuend[k] - subtrahend[k] - borrow
            borrow = ((minuend[k] < subtrahend[k]) | ((minuend[k] == subtrahend[k]) & (borrow == 1))).astype(jnp.uint32)
            limbs.append(limb & mask)
        difference = jnp.stack(limbs)
        sign = np.uint32(1 << ((self.word_bits - 1) % bits.LIMB_BITS))
        taken = (difference[-1] & sign) != 0
        if self.isa == "subleq":
            taken = taken | (difference == 0).all()
        return StepResult(difference, jnp.where(taken, target, fall_through), jnp.float32(jnp.inf))

    def explain(
        self, params: None, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> list[Decision]:
        """Native arithmetic predicts nothing: no decisions."""
        return []


def load(word_bits: int, isa: str, seed: int = 0, progress: Progress | None = None) -> Unit:
    """The native unit at one width for one instruction set. There is nothing to train."""
    del seed, progress
    return Unit("native", NativeSpec(word_bits, isa), None, SCOPE, detail="integer arithmetic")
