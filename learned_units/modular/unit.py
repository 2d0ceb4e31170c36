"""The modular unit: subtraction digit by digit in base 16, on one expert for a - b modulo 32.

For digit k of A - B:    t_k = a_k - b_k mod 32         all digits at once
                         u_k = t_k - borrow_k mod 32    from the lowest digit up
a_k - b_k - borrow_k lies in -16 .. 15, so modulo 32 nothing is lost: the digit of the difference is u_k mod 16 and the
borrow into the next digit is u_k >= 16. Both evaluations are of the same network. Its outputs become a one-hot vector
(the threshold), and everything else is read off that vector by sums of its entries: the one-hot input of the next
evaluation, the bits of the digit, the borrow. That all bits are 0, which subleq asks for, is told natively.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits
from learned_units.modular.network import Answer, Network, activate, decide
from learned_units.unit import Decision, StepResult, smallest_margin

DIGIT_BITS = 4
MODULUS = 2 << DIGIT_BITS
COEFFICIENTS = (1, -1)  # of the expert

_CLASS = np.arange(MODULUS)
# Which of the 32 one-hot entries each reading sums up.
_IN_BIT = ((_CLASS[:, None] >> np.arange(DIGIT_BITS)) & 1).astype(np.float32)  # [32, 4]
_IN_BORROW = (_CLASS >= MODULUS // 2).astype(np.float32)  # [32]
_PLACES = (1 << np.arange(DIGIT_BITS)).astype(np.float32)


class Trace(NamedTuple):
    """All decisions of one subtraction."""

    first: Answer  # t, of all digits: leading axis D
    second: Answer  # u, of all digits, the lowest first
    margin: jax.Array  # float32 [2, D]


@dataclass(frozen=True)
class ModularSpec:
    """Width and instruction set; grokked or analytic is told by the parameters it is given."""

    word_bits: int
    isa: str

    @property
    def digits(self) -> int:
        """Digits of a word, D; the last one may be partial."""
        return -(-self.word_bits // DIGIT_BITS)

    @property
    def evaluations(self) -> int:
        """Network evaluations one instruction takes."""
        return 2 * self.digits

    def evaluate(
        self, params: Network, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> StepResult:
        """Words uint32 [limbs] -> StepResult. The margin is the smallest of all evaluations."""
        trace = self._run(params, minuend, subtrahend)
        in_digit = jnp.dot(trace.second.one_hot, _IN_BIT, precision=jax.lax.Precision.HIGHEST)  # [D, 4] of 0 and 1
        difference = in_digit.reshape(-1)[: self.word_bits] > 0.5
        taken = difference[-1]
        if self.isa == "subleq":
            taken = taken | (difference.astype(jnp.float32).sum() < 0.5)
        return StepResult(
            bits.bits_to_limbs(difference, self.word_bits),
            jnp.where(taken, target, fall_through),
            smallest_margin(trace.margin),
        )

    def explain(
        self, params: Network, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> list[Decision]:
        """Every evaluation: the largest output as prediction, the next one as threshold, the class as value."""
        del target, fall_through
        trace = _trace(params, minuend, subtrahend, spec=self)
        decisions = []
        for k in range(self.evaluations):
            second, digit = divmod(k, self.digits)
            answer = trace.second if second else trace.first
            decisions.append(
                Decision(
                    stage=1 + digit if second else 0,
                    network=f"a - b mod {MODULUS}",
                    output="u" if second else "t",
                    bit=DIGIT_BITS * digit,
                    matched=len(COEFFICIENTS),  # inputs of the network that are 1
                    prediction=float(answer.best[digit]),
                    threshold=float(answer.second[digit]),
                    value=int(answer.one_hot[digit].argmax()),
                    margin=float(trace.margin[second, digit]),
                )
            )
        return decisions

    def _run(self, params: Network, minuend: jax.Array, subtrahend: jax.Array) -> Trace:
        minus = params.inner[1]
        a, b = (self._digits(word) for word in (minuend, subtrahend))
        first = decide(_outputs(params, params.inner[0][a] + minus[b]))
        # One-hot vectors times the first layer: the rows of t, and of a borrow of 0 or 1.
        rows = jnp.dot(first.one_hot, params.inner[0], precision=jax.lax.Precision.HIGHEST)
        borrow, second = jnp.float32(0), []
        for k in range(self.digits):
            u = decide(_outputs(params, rows[k] + (1 - borrow) * minus[0] + borrow * minus[1]))
            borrow = (u.one_hot * _IN_BORROW).sum()
            second.append(u)
        second = jax.tree.map(lambda *each: jnp.stack(each), *second)
        gap = jnp.stack([first.best - first.second, second.best - second.second])
        return Trace(first, second, gap / params.nominal)

    def _digits(self, word: jax.Array) -> jax.Array:
        """uint32 [limbs] -> int32 [D], the lowest digit first."""
        spread = bits.limbs_to_bits(word, self.word_bits)
        padded = jnp.pad(spread, (0, DIGIT_BITS * self.digits - self.word_bits)).reshape(self.digits, DIGIT_BITS)
        return (padded * _PLACES[None]).sum(1).astype(jnp.int32)


def _outputs(params: Network, hidden: jax.Array) -> jax.Array:
    """The network from the sums of its first layer on, float32 [..., N] -> [..., 32]."""
    return jnp.dot(activate(hidden, 2), params.outer, precision=jax.lax.Precision.HIGHEST)


@functools.partial(jax.jit, static_argnames=("spec",))
def _trace(params: Network, minuend, subtrahend, *, spec: ModularSpec) -> Trace:
    return spec._run(params, minuend, subtrahend)
