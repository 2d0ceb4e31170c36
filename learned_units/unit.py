"""What a unit is: (minuend, subtrahend, target, fall-through) -> (difference, next pc, margin)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits
from learned_units.store import Manifest

if TYPE_CHECKING:
    from learned_units.decisions import Decisions

EVERY_INPUT = "every input verified"  # so a unit's `detail` ends where that is claimed of its weights
BLOCK = 1024  # cases a device evaluates at once: what they take fits the caches


class StepResult(NamedTuple):
    """One instruction's arithmetic on the device."""

    difference: jax.Array  # uint32 [limbs], minuend - subtrahend modulo 2^word_bits
    next_pc: jax.Array  # uint32 [limbs], target if the branch is taken, else fall-through
    margin: jax.Array  # float32 [], the smallest margin of all its decisions


class Results(NamedTuple):
    """`subtract_branch` of many cases: words are int64 (uint64 at 64 bits), margins float32."""

    difference: np.ndarray
    next_pc: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True)
class Decision:
    """One thresholded prediction: what `explain` returns.

    A network that chooses among classes decides by its largest output, the prediction; the next one is the threshold.
    `margin` is > 0 exactly when the decision stands on its side of the threshold; 1 is nominal.
    """

    stage: int  # the pass, from 0
    network: str
    output: str
    bit: int
    matched: int  # templates matched by the network's whole input (or what of it is 1)
    prediction: float
    threshold: float
    value: int  # the bit; of a network that chooses among classes, the class
    margin: float


def weakness(margin: float) -> tuple[bool, float]:
    """A key that orders margins, the weakest first: one that is no number is weaker than any."""
    return margin == margin, margin


def smallest_margin(margins: jax.Array, axes: tuple[int, ...] | None = None) -> jax.Array:
    """The smallest along some axes, or all; a NaN where one of them is NaN or -inf.

    In large arrays XLA's minimum passes over NaN on a processor.
    """
    lowest = jnp.where(jnp.isnan(margins), -jnp.inf, margins).min(axes)
    return jnp.where(lowest == -jnp.inf, jnp.nan, lowest)


@dataclass(frozen=True)
class Scope:
    """What in a unit is learned, closed-form or native: printed by `sbn units` and by run summaries."""

    sentence: str
    difference: str
    decision: str
    select: str
    glue: str
    step_kind: str  # how summaries call its steps: "learned", "closed-form", "analytic" or "native"


class Spec(Protocol):
    """The static, hashable half of a unit. Everything trained is in `params` and is traced."""

    @property
    def word_bits(self) -> int: ...

    @property
    def isa(self) -> str: ...

    @property
    def evaluations(self) -> int:
        """Network evaluations one instruction takes."""
        ...

    def evaluate(
        self, params: Any, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> StepResult:
        """Words uint32 [limbs] -> StepResult. Pure; for use under jit and vmap."""
        ...

    def explain(
        self, params: Any, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> list[Decision]:
        """Every decision of one evaluation, in order of the passes."""
        ...


CHANGED = "other weights than those that were made, nothing verified"


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Unit:
    """A unit at one word width for one instruction set.

    `params` is a pytree of float32 arrays; `detail` says in a few words what the weights are
    ("ensembles of 2 networks ..., every input verified").

    Units are equal that have the same name, spec and weights, bit for bit. To jax a unit is a pytree whose leaves are
    its weights; one that is built from other weights than it was taken apart into claims nothing of them.
    """

    name: str
    spec: Spec
    params: Any
    scope: Scope
    seed: int | None = None
    detail: str = ""
    tensor_hash: str | None = None  # of stored weights
    manifest: Manifest | None = None  # of trained weights that were made or proved here

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unit):
            return NotImplemented
        if self is other:
            return True
        if (self.name, self.spec) != (other.name, other.spec):
            return False
        mine, theirs = jax.tree.flatten(self.params), jax.tree.flatten(other.params)
        return mine[1] == theirs[1] and all(map(_same_bits, mine[0], theirs[0]))

    def __hash__(self) -> int:
        return hash((self.name, self.spec))

    def tree_flatten(self) -> tuple[tuple[Any], _Static]:
        """The weights, and all the rest."""
        return (self.params,), _Static(self)

    @classmethod
    def tree_unflatten(cls, static: _Static, children: tuple[Any]) -> Unit:
        """The unit itself from its own weights; from others one that claims nothing."""
        (params,), unit = children, static.unit
        leaves, own = jax.tree.leaves(params), jax.tree.leaves(unit.params)
        if len(leaves) == len(own) and all(mine is theirs for mine, theirs in zip(leaves, own, strict=True)):
            return unit
        return replace(unit, params=params, seed=None, detail=CHANGED, tensor_hash=None, manifest=None)

    def __repr__(self) -> str:
        detail = f": {self.detail}" if self.detail else ""
        return f"<Unit {self.name}, {self.word_bits}-bit {self.isa}{detail}>"

    def _repr_html_(self) -> str:
        from learned_units import card

        fields = [
            ("weights", self.detail or "none"),
            ("difference", self.scope.difference),
            ("branch decision", self.scope.decision),
            ("next pc", self.scope.select),
            ("native glue", self.scope.glue),
            ("evaluations", f"{self.spec.evaluations} of a network in a step"),
        ]
        if self.manifest is not None:
            found = self.manifest.verified
            verified = [found.kind]
            verified += [f"{found.inputs:,} inputs"] if found.inputs is not None else []
            verified += [f"{found.cases:,} cases"] if found.cases is not None else []
            verified += [f"smallest margin {found.smallest_margin:.3f}"] if found.smallest_margin is not None else []
            fields.append(("verified", ", ".join(verified)))
        if self.tensor_hash is not None:
            fields.append(("tensors", f"{self.tensor_hash}, seed {self.seed}"))
        return card.card(f"Unit {self.name}, {self.word_bits}-bit {self.isa}", fields)

    @property
    def word_bits(self) -> int:
        return self.spec.word_bits

    @property
    def isa(self) -> str:
        return self.spec.isa

    def subtract_branch(self, minuend: Any, subtrahend: Any, target: Any, fall_through: Any) -> Results:
        """Evaluate many cases at once; the arguments are integers or integer arrays that broadcast.

        Values -2^(word_bits-1) .. 2^word_bits - 1 are accepted. Raises ValueError for a value out of range or
        shapes that do not broadcast, TypeError for anything but integers.
        """
        names = ("minuend", "subtrahend", "target", "fall_through")
        given = (minuend, subtrahend, target, fall_through)
        words = [bits.as_words(value, self.word_bits, name) for name, value in zip(names, given, strict=True)]
        shape = np.broadcast_shapes(*(w.shape for w in words))
        flat = np.stack([np.broadcast_to(w, shape).reshape(-1) for w in words])
        none = bits.limbs_to_words(np.empty((0, bits.limb_count(self.word_bits)), np.uint32), self.word_bits)
        parts = [Results(none, none, np.empty(0, np.float32)), *self.in_blocks(flat)]
        return Results(*(np.concatenate(column).reshape(shape) for column in zip(*parts, strict=True)))

    def step(self, minuend: int, subtrahend: int, target: int, fall_through: int) -> Results:
        """`subtract_branch` of one case, evaluated alone, as a machine's loop does it; in a batch the last digits of a
        prediction may be others. Arrays []."""
        given = (minuend, subtrahend, target, fall_through)
        limbs = (bits.words_to_limbs(np.array([word], np.uint64), self.word_bits)[0] for word in given)
        found = jax.tree.map(np.asarray, _evaluate_one(self.params, *limbs, spec=self.spec))
        difference, next_pc = (bits.limbs_to_words(each, self.word_bits) for each in (found.difference, found.next_pc))
        return Results(difference, next_pc, found.margin)

    def in_blocks(self, words: np.ndarray) -> Iterator[Results]:
        """`subtract_branch` of unsigned words [4, cases], a block of at most BLOCK cases at a time, in order."""
        from learned_units import devices  # a machine's steps are not evaluated in blocks

        limbs = bits.words_to_limbs(words.T, self.word_bits)
        block = devices.block_size(len(limbs), BLOCK)
        for _, found in devices.in_blocks(_evaluate_block, self.params, limbs, block, spec=self.spec):
            yield Results(
                bits.limbs_to_words(found.difference, self.word_bits),
                bits.limbs_to_words(found.next_pc, self.word_bits),
                found.margin,
            )

    def explain(self, minuend: int, subtrahend: int, target: int = 0, fall_through: int = 0) -> Decisions:
        """The decisions made in one case, made by the code that `subtract_branch` runs.

        Each argument is one word; an array of several raises ValueError, and otherwise as in `subtract_branch`.
        """
        from learned_units.decisions import Decisions

        names = ("minuend", "subtrahend", "target", "fall_through")
        given = (minuend, subtrahend, target, fall_through)
        words = [bits.as_words(value, self.word_bits, name) for name, value in zip(names, given, strict=True)]
        for name, word in zip(names, words, strict=True):
            if word.shape:
                raise ValueError(f"{name} has the shape {word.shape}; `explain` takes one case, of single words")
        limbs = [jnp.asarray(bits.words_to_limbs(w, self.word_bits)) for w in words]
        return Decisions(self.spec.explain(self.params, *limbs))


@dataclass(frozen=True, eq=False)
class _Static:
    """What of a unit is no weights, as jax compares it: units that differ in nothing else are compiled for once."""

    unit: Unit

    def _told(self) -> tuple[Any, ...]:
        unit = self.unit
        return unit.name, unit.spec, unit.scope, unit.seed, unit.detail, unit.tensor_hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())


def _same_bits(one: Any, other: Any) -> bool:
    """Whether two arrays hold the same bits; so a NaN equals itself."""
    if one is other:
        return True
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@functools.partial(jax.jit, static_argnames=("spec",))
def _evaluate_one(params: Any, *words: jax.Array, spec: Spec) -> StepResult:
    """Words uint32 [limbs]."""
    return spec.evaluate(params, *words)


def _evaluate_block(params: Any, cases: jax.Array, *, spec: Spec) -> StepResult:
    """uint32 [cases, 4, limbs] -> StepResult of arrays with a leading axis of cases."""
    return jax.vmap(lambda case: spec.evaluate(params, *case))(cases)
