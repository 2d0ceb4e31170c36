"""The machine: one pure step on a unit, and the jitted loop that runs chunks of steps.

One step: a negative pc has halted the machine; pc + 2 outside memory, or an operand address outside memory that
is not the console, is an error that changes nothing; then mem[B] <- mem[B] - mem[A], and pc is the target C or
the fall-through pc + 3, all three computed by the unit. A console instruction (an address of -1) moves a byte
and asks the unit nothing that is used; it branches only in input modes that say so, natively.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits
from learned_units.unit import Spec
from vm.state import WORDS, Halt, MachineState, Stops


class Rows(NamedTuple):
    """What each step of a chunk did, one row a step: T rows, the first `steps` of them filled.

    `rows` holds [pc, address written, word written, word that was there before, margin as raw bits, bytes of input
    consumed], words as L limbs each: uint32 [T, 4 L + 2]. Where the console was written, the word before says nothing.
    Rows of 6 L + 2 columns hold the operands A and C as well; the operand B is the address written. They are decoded in
    `vm.chunk`.
    """

    rows: jax.Array
    steps: jax.Array  # int32 []


def _is_negative(word: jax.Array, word_bits: int) -> jax.Array:
    return (word[-1] >> ((word_bits - 1) % bits.LIMB_BITS)) & 1 == 1


def _inside(word: jax.Array, size: int) -> jax.Array:
    """Whether a word is an address below `size` (at most 2^31)."""
    inside = word[0] < np.uint32(size)
    return inside & (word[1] == 0) if word.shape[0] > 1 else inside


def _add(word: jax.Array, increment: jax.Array | int, word_bits: int) -> jax.Array:
    """word + increment modulo 2^word_bits; the increment is a word, or a small constant."""
    masks = bits.limb_masks(word_bits)
    if isinstance(increment, int):
        increment = jnp.array([increment, 0], jnp.uint32)[: word.shape[0]]
    low = word[0] + increment[0]
    if word.shape[0] == 1:
        return (low & masks[0])[None]
    carry = (low < word[0]).astype(jnp.uint32)
    return jnp.stack([low, (word[1] + increment[1] + carry) & masks[1]])


def _negate(word: jax.Array, word_bits: int) -> jax.Array:
    """-word modulo 2^word_bits."""
    return _add(word ^ bits.limb_masks(word_bits), 1, word_bits)


class _ConsoleMode(NamedTuple):
    """What an input mode is made of."""

    combine: str  # what a byte does to the word: "set", "add" or "sub"
    numbers: bool  # or bytes
    zero_at_end: bool  # or -1
    reads_branch: bool
    writes_branch: bool


def _console_mode(input_mode: str) -> _ConsoleMode:
    """The parts of a mode's name, such as `add_zero_branch_io`."""
    combine, *words = input_mode.split("_")
    return _ConsoleMode(combine, "numbers" in words, "zero" in words, "branch" in words, "io" in words)


class Fetched(NamedTuple):
    """The instruction at pc and the words its operands name, as read before it writes anything.

    It is fetched as soon as the previous instruction has written, and carried round the loop. So no read of memory
    can come after a write in one iteration, and XLA updates the memory in place instead of copying it every step.
    """

    a: jax.Array  # uint32 [L]
    b: jax.Array  # uint32 [L]
    c: jax.Array  # uint32 [L]
    subtrahend: jax.Array  # uint32 [L], mem[a]
    minuend: jax.Array  # uint32 [L], mem[b]


def fetch(memory: jax.Array, pc: jax.Array) -> Fetched:
    """Read the instruction at pc and its operands. What lies outside memory is read at address 0 and not used."""
    size, limbs = memory.shape

    def at(word: jax.Array) -> jax.Array:
        return jnp.where(_inside(word, size), word[0], np.uint32(0))

    start = jnp.where(_inside(pc, size - WORDS + 1), pc[0], np.uint32(0))
    a, b, c = jax.lax.dynamic_slice(memory, (start, np.uint32(0)), (WORDS, limbs))
    operand = functools.partial(jax.lax.dynamic_index_in_dim, memory, axis=0, keepdims=False)
    return Fetched(a, b, c, operand(at(a)), operand(at(b)))


def step(
    state: MachineState, fetched: Fetched, params: Any, *, spec: Spec, input_mode: str
) -> tuple[MachineState, jax.Array, jax.Array]:
    """Execute one instruction. Returns the next state, its trace row uint32 [6 L + 2], and whether it was executed."""
    word_bits = spec.word_bits
    size, limbs = state.memory.shape
    masks = bits.limb_masks(word_bits)
    a, b, c, subtrahend, minuend = fetched

    outside = ~_inside(state.pc, size - WORDS + 1)
    a_console, b_console = (a == masks).all(), (b == masks).all()
    bad = ~((a_console | _inside(a, size)) & (b_console | _inside(b, size)))

    reads = a_console
    writes = b_console
    dry = reads & (state.input_position == state.input_length) & ~state.input_ended
    full = writes & (state.output_length == state.output.shape[0] - 1)
    stopped = state.halt != Halt.RUNNING
    executes = ~(stopped | outside | bad | dry | full)

    fall_through = _add(state.pc, WORDS, word_bits)
    result = spec.evaluate(params, minuend, subtrahend, c, fall_through)

    # Console: v is the next byte or number, or the end; what is written is v, mem[A], or v combined with mem[B] by the
    # input mode.
    mode = _console_mode(input_mode)
    end = np.zeros_like(masks) if mode.zero_at_end else masks
    at_end = state.input_position >= state.input_length
    item = jax.lax.dynamic_index_in_dim(state.input, state.input_position, 0, keepdims=False).astype(jnp.uint32)
    if not mode.numbers:
        item = jnp.where(np.arange(limbs) == 0, item, np.uint32(0))
    value = jnp.where(at_end, end, item & masks)
    if mode.combine == "set":
        received = value
    elif mode.combine == "add":
        received = _add(minuend, value, word_bits)
    else:
        received = _add(minuend, _negate(value, word_bits), word_bits)
    console = reads | writes
    sendable = masks if mode.numbers else np.array([0xFF, 0], np.uint32)[:limbs]
    last = np.zeros_like(sendable) if mode.zero_at_end else sendable
    sent = jnp.where(reads & at_end, last, jnp.where(reads, item, subtrahend) & sendable)
    word = jnp.where(reads, received, result.difference)
    # An instruction that writes no memory writes back the word it read: no select ever touches the memory.
    written = jnp.where(executes & ~writes, word, minuend)
    destination = jnp.where(_inside(b, size), b[0], np.uint32(0))
    memory = jax.lax.dynamic_update_index_in_dim(state.memory, written, destination, 0)
    carried = sent if mode.numbers else sent[0].astype(jnp.uint8)
    output = jax.lax.dynamic_update_index_in_dim(state.output, carried, state.output_length, 0)

    after_console = fall_through
    if mode.reads_branch:
        decides = received
        branches = ~writes
        if mode.writes_branch:
            decides = jnp.where(writes, _negate(jnp.where(reads, value, subtrahend), word_bits), received)
            branches = console
        taken = _is_negative(decides, word_bits)
        if spec.isa == "subleq":
            taken |= (decides == 0).all()
        after_console = jnp.where(branches & taken, c, fall_through)
    next_pc = jnp.where(console, after_console, result.next_pc)
    pc = jnp.where(executes, next_pc, state.pc)
    margin = jnp.where(executes & ~console, result.margin, jnp.float32(jnp.inf))
    halt = jnp.where(
        stopped,
        state.halt,
        jnp.where(
            executes,
            jnp.where(_is_negative(pc, word_bits), Halt.HALTED, Halt.RUNNING),
            jnp.where(
                outside,
                Halt.PC_OUTSIDE,
                jnp.where(bad, Halt.BAD_ADDRESS, jnp.where(dry, Halt.NEED_INPUT, Halt.OUTPUT_FULL)),
            ),
        ),
    )
    address = jnp.where(writes, masks, b)
    record = jnp.where(writes, sent, word)
    consumed = executes & reads & ~at_end
    counted = jnp.stack([jax.lax.bitcast_convert_type(margin, jnp.uint32), consumed.astype(jnp.uint32)])
    row = jnp.concatenate([state.pc, address, record, minuend, counted, a, c])
    return (
        MachineState(
            memory,
            pc,
            halt.astype(jnp.int32),
            jnp.minimum(state.margin, margin),
            state.console_steps + (executes & console).astype(jnp.int32),
            state.input,
            state.input_position + consumed.astype(jnp.int32),
            state.input_length,
            state.input_ended,
            output,
            state.output_length + (executes & writes).astype(jnp.int32),
        ),
        row,
        executes,
    )


def _is_stop(stops: Stops, row: jax.Array, pc: jax.Array) -> jax.Array:
    """Whether an executed step that left this trace row and went on to `pc` is one to leave the loop after."""
    size, limbs = stops.mask.shape[0], pc.shape[0]
    margin = jax.lax.bitcast_convert_type(row[4 * limbs], jnp.float32)

    def marked(address: jax.Array, kind: int) -> jax.Array:
        inside = _inside(address, size)
        found = jax.lax.dynamic_index_in_dim(stops.mask, jnp.where(inside, address[0], np.uint32(0)), 0, keepdims=False)
        return inside & (found & np.uint8(kind) != 0)

    low = ~(margin >= stops.margin_floor) & (stops.margin_floor > -np.inf)  # a NaN is below every floor
    return marked(pc, Stops.BREAK) | marked(row[limbs : 2 * limbs], Stops.WATCH) | low


@functools.partial(jax.jit, static_argnames=("spec", "input_mode"), donate_argnums=(0, 1))
def run_chunk(
    state: MachineState,
    rows: jax.Array,
    params: Any,
    budget: jax.Array,
    *,
    spec: Spec,
    input_mode: str,
    stops: Stops | None = None,
) -> tuple[MachineState, Rows]:
    """Run until the machine stops or `budget` (at most T) steps are done, recording each step.

    `state` and `rows` (uint32 [T, 4 L + 2] or [T, 6 L + 2], room for the trace) are given up. A state that comes back
    RUNNING spent its budget. Budget and stops are traced: changing them compiles nothing. Without stops the loop looks
    for none.
    """

    from vm import one_function  # a loop that was kept needs none of it

    def going(given, carry):
        budget = given[1]
        state, _, _, steps = carry
        return (state.halt == Halt.RUNNING) & (steps < budget)

    def body(given, carry):
        params, _, stops = given
        state, fetched, rows, steps = carry
        state, row, executed = step(state, fetched, params, spec=spec, input_mode=input_mode)
        rows = jax.lax.dynamic_update_index_in_dim(rows, row[: rows.shape[1]], steps, 0)
        if stops is not None:
            leaves = executed & (state.halt == Halt.RUNNING) & _is_stop(stops, row, state.pc)
            state = state._replace(halt=jnp.where(leaves, jnp.int32(Halt.STOP), state.halt))
        return state, fetch(state.memory, state.pc), rows, steps + executed.astype(jnp.int32)

    start = (state, fetch(state.memory, state.pc), rows, jnp.int32(0))
    state, _, rows, steps = one_function.while_loop(going, body, (params, budget, stops), start)
    return state, Rows(rows, steps)


def run_lanes(
    lanes: MachineState, allowance: jax.Array, params: Any, budget: jax.Array, *, spec: Spec, input_mode: str
) -> tuple[MachineState, jax.Array]:
    """Run many machines side by side until none is RUNNING, or for `budget` instructions each.

    Every leaf of `lanes` has a leading axis of N machines. allowance: int32 [N], 1 or more; a machine that has executed
    that many steps stops with BUDGET. Returns the machines and the steps each executed, int32 [N]. A machine that
    stopped before the others writes back the word it reads until all are done.
    """
    stepped = jax.vmap(functools.partial(step, params=params, spec=spec, input_mode=input_mode))
    fetched = jax.vmap(fetch)

    def going(carry):
        lanes, _, _, turns = carry
        return (lanes.halt == Halt.RUNNING).any() & (turns < budget)

    def body(carry):
        lanes, instructions, steps, turns = carry
        lanes, _, executed = stepped(lanes, instructions)
        steps = steps + executed.astype(jnp.int32)
        spent = (lanes.halt == Halt.RUNNING) & (steps >= allowance)
        lanes = lanes._replace(halt=jnp.where(spent, jnp.int32(Halt.BUDGET), lanes.halt))
        return lanes, fetched(lanes.memory, lanes.pc), steps, turns + 1

    start = (lanes, fetched(lanes.memory, lanes.pc), jnp.zeros_like(allowance), jnp.int32(0))
    lanes, _, steps, _ = jax.lax.while_loop(going, body, start)
    return lanes, steps
