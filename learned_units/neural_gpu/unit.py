"""The Neural GPU as a unit of the machine: difference, borrow and branch decision read off one tape."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits
from learned_units.neural_gpu import network, tape
from learned_units.neural_gpu.network import Network
from learned_units.neural_gpu.tape import Task
from learned_units.unit import Decision, StepResult, smallest_margin

TAKEN = "taken"


@dataclass(frozen=True)
class NeuralGpuSpec:
    """Width and instruction set. The parameters are a Network trained for the instruction set."""

    word_bits: int
    isa: str

    @property
    def task(self) -> Task:
        """What stands on the tape, and what is answered."""
        return tape.UNIT_TASKS[self.isa]

    @property
    def evaluations(self) -> int:
        """Network evaluations one instruction takes: one, in as many steps of the network as the tape has positions."""
        return 1

    def evaluate(
        self, params: Network, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> StepResult:
        """Words uint32 [limbs] -> StepResult. The margin is the smallest |p1 - p0| over all positions."""
        predicted = self._predict(params, minuend, subtrahend)
        difference = bits.bits_to_limbs(predicted[: self.word_bits] > 0, self.word_bits)
        taken = predicted[self.word_bits + self.task.ends.index(TAKEN)] > 0
        return StepResult(difference, jnp.where(taken, target, fall_through), smallest_margin(jnp.abs(predicted)))

    def explain(
        self, params: Network, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> list[Decision]:
        """One decision a position: the bits of the difference, the borrow, and whether the branch is taken."""
        predicted = np.asarray(_trace(params, minuend, subtrahend, spec=self))
        task = self.task
        outputs = [(task.result, bit) for bit in range(self.word_bits)] + [(end, 0) for end in task.ends]
        return [
            Decision(
                stage=0,
                network=task.name,
                output=output,
                bit=bit,
                matched=0,
                prediction=float(value),
                threshold=0.0,
                value=int(value > 0),
                margin=abs(float(value)),
            )
            for (output, bit), value in zip(outputs, predicted, strict=True)
        ]

    def _predict(self, params: Network, minuend: jax.Array, subtrahend: jax.Array) -> jax.Array:
        """p1 - p0 at every position, float32 [word_bits + ends]."""
        first, second = (bits.limbs_to_bits(word, self.word_bits) for word in (minuend, subtrahend))
        digits = (first * np.float32(2) + second).astype(jnp.int32) + tape.FIRST_DIGIT
        ends = np.arange(len(self.task.ends), dtype=np.int32) + tape.FIRST_END
        return self.run(params, jnp.concatenate([digits, ends]))

    @staticmethod
    def run(params: Any, symbols: jax.Array) -> jax.Array:
        """p1 - p0 at every position: int32 [positions] -> float32 [positions]."""
        return network.run(params, symbols)


@functools.partial(jax.jit, static_argnames=("spec",))
def _trace(params: Network, minuend: jax.Array, subtrahend: jax.Array, *, spec: NeuralGpuSpec) -> jax.Array:
    return spec._predict(params, minuend, subtrahend)
