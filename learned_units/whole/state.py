"""What the forms of the whole machine have in common: the state between two instructions, and how one is explained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from learned_units import bits

WORDS = ("pc", "F", "A", "B", "C", "a", "b", "x", "G", "P", "d")  # fields that are words; others are flags


class Boundary(NamedTuple):
    """The machine between two instructions, all of it bits: float32 of 0 and 1.

    A negative pc has halted the machine. `fault` is 1 once pc or an operand was no address: memory and pc are those
    before the instruction that could not be executed. Either is a fixpoint.
    """

    memory: Any  # [cells, word_bits], least significant bit first
    pc: Any  # [word_bits]
    fault: Any  # [1]


class Iteration(NamedTuple):
    """One step of an instruction, as `explain` tells it."""

    name: str
    network: str
    evaluations: int
    matched: int  # templates matched, over all evaluations
    margin: float  # smallest of its decisions
    written: dict[str, int | list[int]]  # what became of the state: words, and flags as the indices of those set


def as_words(found: Any, word_bits: int) -> np.ndarray:
    """Bits [..., word_bits], on the host -> unsigned words: int64 (uint64 at 64 bits)."""
    place = np.uint64(1) << np.arange(word_bits, dtype=np.uint64)
    words = ((np.asarray(found) > 0) * place).sum(-1, dtype=np.uint64)
    return words if word_bits == bits.MAX_WORD_BITS else words.astype(np.int64)


def changes(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray], word_bits: int) -> dict[str, Any]:
    """What an iteration wrote: fields that changed and did not merely fall back to 0, and cells of memory."""
    written: dict[str, Any] = {}
    for name, found in after.items():
        if name not in before or (found == before[name]).all():
            continue
        if name == "memory":
            for cell in np.nonzero((found != before[name]).any(-1))[0]:
                written[f"cell {cell}"] = int(as_words(found[cell], word_bits))
        elif name == "pc" or (name in WORDS and found.any()):
            written[name] = int(as_words(found, word_bits))
        elif found.any():
            written[name] = np.nonzero(found)[0].tolist()
    return written


class WholeSpec(Protocol):
    """The static, hashable half of a whole machine. Everything trained is in `params` and is traced."""

    @property
    def form(self) -> str: ...

    @property
    def cells(self) -> int: ...

    @property
    def word_bits(self) -> int: ...

    @property
    def isa(self) -> str: ...

    @property
    def evaluations(self) -> int:
        """Network evaluations one instruction takes."""
        ...

    def encode(self, boundary: Boundary) -> jax.Array:
        """float32 [state bits]."""
        ...

    def decode(self, state: jax.Array) -> Boundary: ...

    def instruction(self, params: Any, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """A state -> the state one instruction later, and the smallest margin. Pure; for use under jit and vmap."""
        ...

    def explain(self, params: Any, state: jax.Array) -> list[Iteration]:
        """One instruction as its iterations."""
        ...
