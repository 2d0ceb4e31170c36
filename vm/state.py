"""Everything one SBN machine is, as a pytree; and why a machine stops."""

from __future__ import annotations

import enum
from typing import NamedTuple

import jax


class Halt(enum.IntEnum):
    """Why a machine stopped. RUNNING and OUTPUT_FULL are seen between chunks only, never in an Outcome."""

    RUNNING = 0
    HALTED = 1
    BUDGET = 2
    BAD_ADDRESS = 3
    PC_OUTSIDE = 4
    DIVERGED = 5
    NEED_INPUT = 6
    OUTPUT_FULL = 7


class MachineState(NamedTuple):
    """One machine. M words of memory, L limbs a word (bits.limb_count), I and O bytes of console buffers.

    A state whose `halt` is not RUNNING is a fixpoint of `step`. `margin` and `console_steps` count from the
    beginning of the chunk.
    """

    memory: jax.Array  # uint32 [M, L]
    pc: jax.Array  # uint32 [L]
    halt: jax.Array  # int32 [], a Halt code
    margin: jax.Array  # float32 [], smallest margin of any step
    console_steps: jax.Array  # int32 [], steps that were console instructions
    input: jax.Array  # uint8 [I], bytes not yet read begin at input_position
    input_position: jax.Array  # int32 []
    input_length: jax.Array  # int32 [], bytes of `input` that are filled
    input_ended: jax.Array  # bool [], whether the end of input follows them
    output: jax.Array  # uint8 [O]
    output_length: jax.Array  # int32 []
