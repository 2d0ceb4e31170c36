"""Running an image on a whole machine of networks, every instruction checked against the reference.

The host writes the image into the first state, with the program's input in word S - 2 (of S; further numbers below
it), and looks at the states between instructions; word S - 1 is the program's output. Everything in between is the
networks' doing: see `learned_units/whole/machine.py`. There is no console: an operand of -1 is no cell.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from assembler import Image
from assembler.image import signed
from learned_units import bits
from learned_units.whole.machine import WholeMachine
from learned_units.whole.state import Boundary, WholeSpec, as_words
from vm.margin import format_margin
from vm.outcome import Divergence, budget_message, source_line
from vm.reference import ReferenceMachine, Stop
from vm.state import WORDS, Halt

CHUNK_ROWS = 4096  # instructions a chunk records at most, fewer where memories are large
TRACE_WORDS = 1 << 18
FIRST_BUDGET = 64
CHUNK_SECONDS = 0.05  # so that Ctrl-C is answered and progress is shown


class Trace(NamedTuple):
    """The machine after each instruction of a chunk: uint32 limbs, T rows, the first `steps` of them filled."""

    memory: jax.Array  # [T, cells, L]
    pc: jax.Array  # [T, L]


def make_trace(spec: WholeSpec) -> Trace:
    """Room for a trace."""
    rows = min(CHUNK_ROWS, max(1, TRACE_WORDS // spec.cells))
    limbs = bits.limb_count(spec.word_bits)
    return Trace(jnp.zeros((rows, spec.cells, limbs), jnp.uint32), jnp.zeros((rows, limbs), jnp.uint32))


class Chunk(NamedTuple):
    """What `run_chunk` returns."""

    state: jax.Array  # float32 [state bits]
    steps: jax.Array  # int32 [], instructions executed
    margin: jax.Array  # float32 [], smallest of all decisions
    trace: Trace | None


def _rests(boundary: Boundary) -> jax.Array:
    """Whether a state is a fixpoint: its pc is negative, or its fault bit set."""
    return (boundary.pc[-1] > 0) | (boundary.fault[0] > 0)


@functools.partial(jax.jit, static_argnames=("spec",))
def run_chunk(params: Any, state: jax.Array, budget: jax.Array, trace: Trace | None, *, spec: WholeSpec) -> Chunk:
    """Execute instructions until the state is a fixpoint or `budget` of them are done, recording each if asked to.

    An instruction that ends with the fault bit set was not executed. To stop at a fixpoint saves time, no more.
    """

    def going(chunk: Chunk) -> jax.Array:
        return ~_rests(spec.decode(chunk.state)) & (chunk.steps < budget)

    def body(chunk: Chunk) -> Chunk:
        state, margin = spec.instruction(params, chunk.state)
        after = spec.decode(state)
        trace = chunk.trace
        if trace is not None:
            words = jax.vmap(lambda word: bits.bits_to_limbs(word > 0, spec.word_bits))
            trace = Trace(
                jax.lax.dynamic_update_index_in_dim(trace.memory, words(after.memory), chunk.steps, 0),
                jax.lax.dynamic_update_index_in_dim(trace.pc, words(after.pc[None])[0], chunk.steps, 0),
            )
        executed = (after.fault[0] == 0).astype(jnp.int32)
        return Chunk(state, chunk.steps + executed, jnp.minimum(chunk.margin, margin), trace)

    return jax.lax.while_loop(going, body, Chunk(state, jnp.int32(0), jnp.float32(jnp.inf), trace))


@dataclass(frozen=True)
class WholeOutcome:
    """What one call of `WholeRun.run` did."""

    halt: Halt
    message: str  # the halt in words, with what to do
    steps: int  # instructions executed
    margin: float  # smallest of all decisions
    divergence: Divergence | None
    seconds: float


class WholeRun:
    """One image on a whole machine, checked against the reference after each instruction.

    numbers: what the program is given, from word S - 2 downwards, each -2^(W-1) .. 2^W - 1. Raises ValueError for a
    whole machine of another width, instruction set or size, for a number that does not fit or whose word the image
    uses, and for an image that names the console.
    """

    def __init__(self, image: Image, whole: WholeMachine, numbers: Sequence[int] = (), check: bool = True) -> None:
        spec = whole.spec
        for what, mine, theirs in (("word_bits", spec.word_bits, image.word_bits), ("isa", spec.isa, image.isa)):
            if mine != theirs:
                raise ValueError(f"the whole machine has {what} {mine}, the image {theirs}")
        if len(image.words) > spec.cells:
            raise ValueError(f"an image of {len(image.words)} words does not fit {spec.cells} cells")
        refuse_console(image)
        self.image, self.whole = image, whole
        words = list(image.words) + [0] * (spec.cells - len(image.words))
        for cell, number in zip(range(spec.cells - 2, -1, -1), numbers, strict=False):
            if words[cell]:
                raise ValueError(f"input {number} has no place: the program uses word {cell}")
            words[cell] = int(bits.as_words(number, spec.word_bits, "a number of the input"))
        self.steps = 0
        self.divergence: Divergence | None = None
        self._state = whole.boot(words, image.entry)
        self._reference = None
        if check:
            self._reference = ReferenceMachine(words, spec.word_bits, spec.isa, image.entry, spec.cells)
        self._budget = FIRST_BUDGET
        self._trace = make_trace(spec) if check else None

    @property
    def memory(self) -> np.ndarray:
        """A copy of the memory: words, int64 [cells] (uint64 at 64 bits)."""
        return self._words(self.whole.spec.decode(self._state).memory)

    @property
    def pc(self) -> int:
        """Address of the next instruction, 0 .. 2^word_bits - 1."""
        return int(self._words(self.whole.spec.decode(self._state).pc))

    @property
    def output(self) -> int:
        """Word S - 1, as a signed number."""
        return signed(int(self.memory[-1]), self.image.word_bits)

    def run(self, max_steps: int | None = None, on_chunk: Callable[[int], None] | None = None) -> WholeOutcome:
        """Execute instructions until the machine rests, or `max_steps` of them.

        `on_chunk(steps)` is called with all steps since boot, each checked. Ctrl-C raises KeyboardInterrupt, with the
        machine as it was after the last chunk. Raises ValueError for a negative max_steps.
        """
        if max_steps is not None and max_steps < 0:
            raise ValueError(f"max_steps is {max_steps}; it is 0 or more")
        began, first, smallest = time.monotonic(), self.steps, float("inf")
        halt = self._rest()
        while halt is Halt.RUNNING:
            room = CHUNK_ROWS if self._trace is None else len(self._trace.pc)
            left = room if max_steps is None else max_steps - (self.steps - first)
            budget = min(self._budget, room, left)
            started = time.monotonic()
            chunk = run_chunk(self.whole.params, self._state, np.int32(budget), self._trace, spec=self.whole.spec)
            steps = int(chunk.steps)
            seconds = time.monotonic() - started
            if steps and steps == self._budget:
                measured = int(steps * CHUNK_SECONDS / max(seconds, 1e-6))
                self._budget = max(1, min(measured, 8 * self._budget))
            smallest = float(np.minimum(smallest, float(chunk.margin)))
            self.divergence = self._check(chunk, steps)
            if self.divergence is not None:
                self.steps = self.divergence.step
                halt = Halt.DIVERGED
                break
            self._state, self.steps = chunk.state, self.steps + steps
            halt = self._rest()
            if on_chunk is not None:
                on_chunk(self.steps)
            if halt is Halt.RUNNING and max_steps is not None and self.steps - first == max_steps:
                halt = Halt.BUDGET
        message = self._message(halt, self.steps - first)
        return WholeOutcome(halt, message, self.steps - first, smallest, self.divergence, time.monotonic() - began)

    def _words(self, found: Any) -> np.ndarray:
        return as_words(found, self.image.word_bits)

    def _rest(self) -> Halt:
        """Why the machine does not go on, as its own state tells: the sign of pc, and the fault bit."""
        if self.divergence is not None:
            return Halt.DIVERGED
        after = self.whole.spec.decode(self._state)
        if np.asarray(after.fault)[0] > 0:
            return Halt.BAD_ADDRESS if self._inside(self.pc) else Halt.PC_OUTSIDE
        return Halt.HALTED if np.asarray(after.pc)[-1] > 0 else Halt.RUNNING

    def _inside(self, pc: int) -> bool:
        return pc < 1 << (self.image.word_bits - 1) and pc + WORDS <= self.whole.spec.cells

    def _check(self, chunk: Chunk, steps: int) -> Divergence | None:
        """Compare a chunk with the reference: pc and every word of memory after each instruction, and the rest."""
        reference, trace = self._reference, chunk.trace
        if reference is None or trace is None:
            return None
        before = (list(reference.memory), reference.pc)
        replay = reference.run(steps)
        width = self.image.word_bits
        memory = bits.limbs_to_words(np.asarray(trace.memory)[:steps], width)
        pcs = bits.limbs_to_words(np.asarray(trace.pc)[:steps], width)
        expected = np.empty((len(replay.pcs), len(before[0])), memory.dtype)
        now = np.array(before[0], memory.dtype)
        for k, (address, word) in enumerate(zip(replay.addresses, replay.words, strict=True)):
            if address < len(now):  # else the console, which is no cell
                now[address] = word
            expected[k] = now
        following = np.array([*replay.pcs[1:], reference.pc][: len(replay.pcs)], pcs.dtype)
        done = len(replay.pcs)
        wrong = (memory[:done] != expected).any(1) | (pcs[:done] != following)
        wrong |= np.array([address >= len(now) for address in replay.addresses], bool)
        if wrong.any() or done < steps:
            k = int(wrong.argmax()) if wrong.any() else done
            start = ReferenceMachine(before[0], width, self.image.isa, before[1], len(before[0]))
            start.run(k)
            expects = (expected[k].tolist(), int(following[k])) if k < done and replay.addresses[k] < len(now) else None
            return self._describe(self.steps + k, start, (memory[k].tolist(), int(pcs[k])), expects)
        after = self.whole.spec.decode(chunk.state)
        found = (self._words(after.memory).tolist(), int(self._words(after.pc)))
        faulted = bool(np.asarray(after.fault)[0] > 0)
        agrees = found == (reference.memory, reference.pc) and faulted == self._faults(reference)
        if not agrees and (faulted or found[1] >> (width - 1)):
            return self._describe(self.steps + steps, reference, found, (list(reference.memory), reference.pc), faulted)
        return None

    def _faults(self, reference: ReferenceMachine) -> bool:
        """Whether the next instruction cannot be executed without a console: what the fault bit must say."""
        stop = reference.run(0).stop
        if stop in (Stop.PC_OUTSIDE, Stop.BAD_ADDRESS):
            return True
        return stop is not Stop.HALTED and -1 in self._operands(reference)

    def _operands(self, reference: ReferenceMachine) -> list[int]:
        """The two operands of the instruction at pc, as signed numbers."""
        return [signed(word, self.image.word_bits) for word in reference.memory[reference.pc : reference.pc + 2]]

    def _describe(
        self,
        step: int,
        before: ReferenceMachine,
        found: tuple[list[int], int],
        expected: tuple[list[int], int] | None,
        faulted: bool = False,
    ) -> Divergence:
        """The report on an instruction after which machine and reference differ. before: the reference just before."""
        lines = [f"step {step:,} at pc {before.pc}{source_line(self.image, before.pc)} differs"]
        if expected is None:
            lines.append("  the reference does not execute it, or needs a console for it")
        else:
            cells = [k for k, (one, other) in enumerate(zip(found[0], expected[0], strict=True)) if one != other]
            for k in cells[:4]:
                lines.append(f"  cell {k}: reference {expected[0][k]}, machine {found[0][k]}")
            if len(cells) > 4:
                lines.append(f"  and {len(cells) - 4} more cells")
            if found[1] != expected[1]:
                lines.append(f"  next pc: reference {expected[1]}, machine {found[1]}")
        if faulted != self._faults(before):
            lines.append(f"  fault bit: {int(faulted)}, but {int(not faulted)} is right")
        iterations = self.whole.explain(self.whole.boot(before.memory, before.pc))
        weak = min(iterations, key=lambda each: each.margin)
        margin = format_margin(weak.margin, digits=3)
        lines.append(f"  smallest margin {margin}: {weak.name}, in iteration {iterations.index(weak)}")
        return Divergence(step, before.pc, "\n".join(lines))

    def _message(self, halt: Halt, steps: int) -> str:
        pc, cells = self.pc, self.whole.spec.cells
        line = source_line(self.image, pc)
        if halt is Halt.BAD_ADDRESS:
            operands = [signed(int(word), self.image.word_bits) for word in self.memory[pc : pc + 2]]
            if -1 in operands:
                return f"the instruction at pc {pc}{line} has the operand -1; {console_advice(cells)}"
            return (
                f"bad address: the instruction at pc {pc}{line} has the operands {operands[0]} and {operands[1]}, and "
                f"the machine has {cells} cells; correct the operand, or give the machine more memory"
            )
        if halt is Halt.PC_OUTSIDE:
            return f"pc {pc}{line} leaves no room for an instruction in {cells} cells; a program ends by jumping to -1"
        if halt is Halt.BUDGET:
            return budget_message(self.image, pc, steps)
        return "the networks and the reference disagree" if halt is Halt.DIVERGED else "halted"


def console_advice(cells: int) -> str:
    """What to do instead of using the console."""
    return (
        f"a whole machine has no console: its input is word {cells - 2} before the first instruction, its output "
        f"word {cells - 1} after the last"
    )


_INSTRUCTION = re.compile(r"\s*(?:[A-Za-z_]\w*\s*:\s*)*(?:sbn|subleq)\b", re.IGNORECASE)


def refuse_console(image: Image) -> None:
    """Raise ValueError for an image whose source has an instruction with an operand of -1, naming the line.

    Where an instruction was made by a macro the call is named. Words of unknown source are judged as they run.
    """
    console = (1 << image.word_bits) - 1
    for run in image.source_map or ():
        if run.end - run.start == WORDS and _INSTRUCTION.match(run.origin.text):
            if console in image.words[run.start : run.start + 2]:
                named = run.origin.calls[-1] if run.origin.calls else run.origin
                statement = named.text.partition(";")[0].strip()
                raise ValueError(
                    f"{named.file}:{named.line}: `{statement}` has an operand of -1, the console; "
                    "a whole machine has none: it takes its input from the second-to-last word, and leaves its output "
                    "in the last"
                )
