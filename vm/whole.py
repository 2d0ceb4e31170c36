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
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from assembler import Image
from assembler.image import signed
from learned_units import bits
from learned_units.unit import weakness
from learned_units.whole.machine import WholeMachine
from learned_units.whole.state import Boundary, WholeSpec, as_words
from vm import one_function
from vm.chunk import Chunk, Record
from vm.margin import format_margin, verified_margin, with_doubt
from vm.outcome import Divergence, Outcome, halt_message, source_line
from vm.reference import ReferenceMachine, Stop
from vm.run import Pace, check_budget, deferred_interrupt
from vm.snapshot import WHOLE, Place, Snapshot, check_fits, image_digest
from vm.state import WORDS, Halt

CHUNK_ROWS = 4096  # instructions a chunk records at most, fewer where memories are large
STATE_WORDS = 1 << 18
FIRST_BUDGET = 64


class States(NamedTuple):
    """The machine after each instruction of a chunk: uint32 limbs, T rows, one filled for each instruction."""

    memory: jax.Array  # [T, cells, L]
    pc: jax.Array  # [T, L]
    margin: jax.Array  # float32 [T], smallest of the instruction's decisions


def room_for_states(spec: WholeSpec) -> States:
    """Room for the states of a chunk."""
    rows = min(CHUNK_ROWS, max(1, STATE_WORDS // spec.cells))
    limbs = bits.limb_count(spec.word_bits)
    memory, pc = jnp.zeros((rows, spec.cells, limbs), jnp.uint32), jnp.zeros((rows, limbs), jnp.uint32)
    return States(memory, pc, jnp.zeros(rows, jnp.float32))


class Executed(NamedTuple):
    """What `run_chunk` leaves: the state it reached, and what it took to get there."""

    state: jax.Array  # float32 [state bits]
    steps: jax.Array  # int32 [], instructions executed
    margin: jax.Array  # float32 [], smallest of all decisions
    states: States | None


def _rests(boundary: Boundary) -> jax.Array:
    """Whether a state is a fixpoint: its pc is negative, or its fault bit set."""
    return (boundary.pc[-1] > 0) | (boundary.fault[0] > 0)


@functools.partial(jax.jit, static_argnames=("spec",))
def run_chunk(params: Any, state: jax.Array, budget: jax.Array, states: States | None, *, spec: WholeSpec) -> Executed:
    """Execute instructions until the state is a fixpoint or `budget` of them are done, recording each if asked to.

    An instruction that ends with the fault bit set was not executed. To stop at a fixpoint saves time, no more.
    """

    def going(given: Any, done: Executed) -> jax.Array:
        return ~_rests(spec.decode(done.state)) & (done.steps < given[1])

    def body(given: Any, done: Executed) -> Executed:
        state, margin = spec.instruction(given[0], done.state)
        after = spec.decode(state)
        states = done.states
        if states is not None:
            words = jax.vmap(lambda word: bits.bits_to_limbs(word > 0, spec.word_bits))
            row = (words(after.memory), words(after.pc[None])[0], margin)
            update = functools.partial(jax.lax.dynamic_update_index_in_dim, index=done.steps, axis=0)
            states = States(*(update(rows, new) for rows, new in zip(states, row, strict=True)))
        executed = (after.fault[0] == 0).astype(jnp.int32)
        return Executed(state, done.steps + executed, jnp.minimum(done.margin, margin), states)

    start = Executed(state, jnp.int32(0), jnp.float32(jnp.inf), states)
    return one_function.while_loop(going, body, (params, budget), start)


class _Found(NamedTuple):
    """The states of a chunk on the host, as unsigned words."""

    memory: np.ndarray  # [steps, cells]
    pcs: np.ndarray  # [steps], after each instruction
    margins: np.ndarray  # float32 [steps]


class WholeRun:
    """One image on a whole machine, checked against the reference after each instruction.

    numbers: what the program is given, from word S - 2 downwards, each -2^(W-1) .. 2^W - 1. Raises ValueError for a
    whole machine of another width, instruction set or size, for a number that does not fit or whose word the image
    uses, and for an image that names the console.
    """

    notes = ()  # its steps are not looked at for what is likely not meant

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
        self._checked = check
        self._states = room_for_states(spec) if check else None
        self._records = False
        self._pace = Pace(FIRST_BUDGET, CHUNK_ROWS if self._states is None else len(self._states.pc))
        self._put(words, image.entry, 0)

    def _put(self, words: Sequence[int], pc: int, steps: int) -> None:
        """Put the machine between two instructions: unsigned words, [cells]; steps since boot."""
        spec = self.whole.spec
        self.steps = steps
        self.divergence: Divergence | None = None
        self._state = self.whole.boot(words, pc)
        self._reference = None
        if self._checked:
            self._reference = ReferenceMachine(words, spec.word_bits, spec.isa, pc, spec.cells)

    @property
    def size(self) -> int:
        """Words of memory."""
        return self.whole.spec.cells

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

    def record_operands(self) -> None:
        """From here on, chunks hold their steps, also where nothing is checked. The loop is compiled for that."""
        self._records = True
        if self._states is None:
            self._states = room_for_states(self.whole.spec)
            self._pace = Pace(FIRST_BUDGET, len(self._states.pc))

    def run(self, max_steps: int | None = None, on_chunk: Callable[[Chunk], None] | None = None) -> Outcome:
        """Execute instructions until the machine rests, or `max_steps` of them.

        `on_chunk` is given the instructions of each chunk once they were checked. Ctrl-C raises KeyboardInterrupt, with
        the machine as it was after the last chunk. Raises ValueError for a negative max_steps.
        """
        check_budget(max_steps)
        began, first, smallest = time.monotonic(), self.steps, float("inf")
        halt = self._rest()
        with deferred_interrupt() as interrupted:
            while halt is Halt.RUNNING and not interrupted():
                chunk = self._advance(None if max_steps is None else max_steps - (self.steps - first))
                smallest = float(np.minimum(smallest, chunk.margin))  # a NaN stays
                halt = self._rest()
                if on_chunk is not None:
                    on_chunk(chunk)
                if halt is Halt.RUNNING and max_steps is not None and self.steps - first == max_steps:
                    halt = Halt.BUDGET
        if interrupted():
            raise KeyboardInterrupt
        steps = self.steps - first
        message = with_doubt(self._message(halt, steps), smallest, verified_margin(self.whole.manifest))
        return Outcome(halt, message, steps, 0, smallest, b"", self.divergence, time.monotonic() - began)

    def prepare_loop(self) -> None:
        """Compile the loop: `run` then begins at once."""
        self.run(0)

    def snapshot(self) -> Snapshot:
        """The machine as it stands between two instructions. Raises ValueError for one that diverged."""
        if self.divergence is not None:
            raise ValueError("a machine that diverged has no state to save")
        place = Place(
            image=image_digest(self.image),
            unit=WHOLE + self.whole.unit,
            word_bits=self.image.word_bits,
            isa=self.image.isa,
            input_mode=self.image.input_mode,
            pc=self.pc,
            steps=self.steps,
            bytes_read=0,
            bytes_written=0,
            input_ended=True,
        )
        return Snapshot(place, bits.words_to_limbs(self.memory.astype(np.uint64), self.image.word_bits), b"")

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot. Raises SnapshotError, and changes nothing, if it does not fit this machine."""
        check_fits(snapshot, self.image, WHOLE + self.whole.unit, self.size, self.image.input_mode)
        words = bits.limbs_to_words(snapshot.memory, self.image.word_bits).tolist()
        self._put(words, snapshot.place.pc, snapshot.place.steps)

    def _advance(self, left: int | None) -> Chunk:
        """Run one chunk of at most `left` instructions and check it; at a divergence put the machine before it."""
        budget = self._pace.steps if left is None else min(self._pace.steps, left)
        before = (self.memory, self.pc) if self._records else None
        started = time.monotonic()
        executed = run_chunk(self.whole.params, self._state, np.int32(budget), self._states, spec=self.whole.spec)
        steps = int(executed.steps)
        self._pace.measure(steps, time.monotonic() - started)
        found, first, margin = self._found(executed, steps), self.steps, float(executed.margin)
        mismatch = None if found is None else self._check(executed, found)
        if mismatch is None:
            self._state, self.steps = executed.state, first + steps
        else:
            divergence, start = mismatch
            self._put(start.memory, start.pc, divergence.step)
            self.divergence, steps = divergence, divergence.step - first
            margin = float(found.margins[:steps].min(initial=np.inf)) if found is not None else margin
        if found is None or before is None:
            return Chunk.unseen(first, steps, margin, self.pc, b"")
        return self._steps_of(first, margin, before, _Found(*(each[:steps] for each in found)))

    def _found(self, executed: Executed, steps: int) -> _Found | None:
        """The recorded states, if there are any."""
        if executed.states is None:
            return None
        width = self.image.word_bits
        memory, pcs, margins = (np.asarray(each)[:steps] for each in executed.states)
        return _Found(bits.limbs_to_words(memory, width), bits.limbs_to_words(pcs, width), margins)

    def _steps_of(self, first: int, margin: float, before: tuple[np.ndarray, int], found: _Found) -> Chunk:
        """Instructions as the rows of a trace, from the states between them. before: memory and pc at the beginning.

        Networks that are wrong, and not checked, may execute what lies outside memory; its last cells are shown then.
        """
        count, cells = len(found.pcs), self.size
        rows = np.arange(count)
        memory = np.concatenate([before[0][None], found.memory])
        pcs = [before[1], *found.pcs.tolist()][:count]
        places = np.array([min(pc, cells - WORDS) for pc in pcs], np.int64)
        a, b, c = (memory[rows, places + k] for k in range(WORDS))
        written = np.minimum(b, cells - 1).astype(np.int64)
        words, olds = found.memory[rows, written], memory[rows, written]
        record = Record(np.array(pcs, b.dtype), b, words, olds, found.margins, np.zeros(count, np.bool_))
        return Chunk.of(first, margin, record, self.pc, b"", np.stack([a, c], axis=1))

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

    def _check(self, executed: Executed, found: _Found) -> tuple[Divergence, ReferenceMachine] | None:
        """Compare a chunk with the reference: pc and every word of memory after each instruction, and the rest.

        Returns the first difference, with the reference just before it.
        """
        reference, steps = self._reference, len(found.pcs)
        if reference is None:
            return None
        before = (list(reference.memory), reference.pc)
        replay = reference.run(steps)
        width = self.image.word_bits
        memory, pcs, _ = found
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
            return self._describe(self.steps + k, start, (memory[k].tolist(), int(pcs[k])), expects), start
        after = self.whole.spec.decode(executed.state)
        state = (self._words(after.memory).tolist(), int(self._words(after.pc)))
        faulted = bool(np.asarray(after.fault)[0] > 0)
        agrees = state == (reference.memory, reference.pc) and faulted == self._faults(reference)
        if not agrees and (faulted or state[1] >> (width - 1)):
            expects = (list(reference.memory), reference.pc)
            return self._describe(self.steps + steps, reference, state, expects, faulted), reference
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
        weak = min(iterations, key=lambda each: weakness(each.margin))
        margin = format_margin(weak.margin, digits=3)
        lines.append(f"  smallest margin {margin}: {weak.name}, in iteration {iterations.index(weak)}")
        return Divergence(step, before.pc, "\n".join(lines))

    def _message(self, halt: Halt, steps: int) -> str:
        pc, memory = self.pc, self.memory
        if halt is Halt.BAD_ADDRESS and (1 << self.image.word_bits) - 1 in memory[pc : pc + 2]:
            line = source_line(self.image, pc)
            return f"the instruction at pc {pc}{line} has the operand -1; {console_advice(self.size)}"
        return halt_message(halt, self.image, pc, steps, memory, self.divergence)


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
