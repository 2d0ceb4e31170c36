"""Running an image on a unit: the chunk loop, and checking."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assembler import Image, Note, assemble
from assembler.image import INPUT_MODES, InputModeName
from learned_units import bits, catalog
from learned_units.store import Wanted
from learned_units.unit import Unit
from vm.chunk import Chunk, RawChunk, steps_until_still, trace_columns
from vm.lockstep import Checker, Mismatch
from vm.machine import run_chunk
from vm.margin import verified_margin, with_doubt
from vm.outcome import Divergence, Outcome, Watch, halt_message
from vm.reference import ReferenceMachine, Stop
from vm.run import Pace, check_budget, deferred_interrupt, shown_steps
from vm.state import Halt, Input, MachineState, Stops, boot, output_held

if TYPE_CHECKING:
    from vm.kept_loop import Loop
    from vm.page.document import Page
    from vm.snapshot import Snapshot

TRACE_ROWS = 1 << 16  # steps a chunk records at most
FIRST_BUDGET = 1 << 10

REFERENCE_STOP = {
    Halt.HALTED: Stop.HALTED,
    Halt.BAD_ADDRESS: Stop.BAD_ADDRESS,
    Halt.PC_OUTSIDE: Stop.PC_OUTSIDE,
}


class _Examined(NamedTuple):
    """A chunk that was decoded and compared."""

    chunk: Chunk
    mismatch: Mismatch | None
    console_steps: int
    notes: list[tuple[int, Note]]  # each with its step


class Machine:
    """One SBN machine on a unit, checked step by step against the reference.

    program: an Image, or source text. unit: a name, or a Unit of the image's width and instruction set. input: bytes;
    None makes the console interactive: `run` stops with NEED_INPUT until `feed` or `end_input` is called. memory: in
    words; default the image's, else 2^word_bits up to 65,536. progress(what, part) is called while a unit is trained or
    proved; by default that, and a long run, shows itself on a terminal or in a notebook; with False it does not.
    Raises ValueError and TypeError for a misuse, AssemblyError for bad source, WeightsError if there are no acceptable
    weights.
    """

    def __init__(
        self,
        program: Image | str,
        unit: str | Unit = catalog.DEFAULT_UNIT,
        input: bytes | None = b"",
        *,
        memory: int | None = None,
        input_mode: InputModeName | str | None = None,
        check: bool = True,
        seed: int = 0,
        progress: Wanted = None,
    ) -> None:
        image = as_image(program)
        self._source = program if isinstance(program, str) else None
        if isinstance(unit, str):
            unit = catalog.load_unit(unit, image.word_bits, image.isa, seed=seed, progress=progress)
        check_unit(unit, image)
        if input is not None and not isinstance(input, (bytes, bytearray)):
            raise TypeError(f"input is bytes or None, not {type(input).__name__}")
        check_input_mode(input_mode)
        self.image = image
        self.unit = unit
        self.input_mode = input_mode or image.input_mode
        self.size = image.memory_size(memory)
        self.steps = 0
        self.halt = Halt.RUNNING
        self.divergence: Divergence | None = None
        self._output = bytearray()
        self._written = 0  # bytes of output before those in _output: none, but in a restored machine
        self._given = None if input is None else bytes(input)
        text = bytes(input or b"")
        self._input = Input(text, input is not None, self.input_mode, image.word_bits)
        self._received = len(text)  # bytes of input since boot, read or not
        self._checker = self._check_from(image.words, image.entry, text) if check else None
        self._watch = Watch(image, self.size) if image.source_map is not None else None
        self._state = self._boot(image.words, image.entry)
        self._pace = Pace(FIRST_BUDGET, TRACE_ROWS)
        self._unreleased: Future[_Examined] | None = None  # the last chunk, until it is handed out
        self._console_steps = 0
        self._notes: list[Note] = []
        self._margin = float("inf")
        self._rows = np.zeros((TRACE_ROWS, trace_columns(image.word_bits)), np.uint32)
        self._stops: Stops | None = None
        self._kept_loop: Loop | None = None  # where the loop of such a run was looked up in the cache
        self._shows_progress = progress is None

    def __repr__(self) -> str:
        from vm import cards

        return cards.machine_line(self)

    def _repr_html_(self) -> str:
        from vm import cards

        return cards.machine_card(self)

    @property
    def is_checked(self) -> bool:
        """Whether every step is compared with the reference."""
        return self._checker is not None

    @property
    def output(self) -> bytes:
        """Everything written since boot, or since the machine was restored."""
        return bytes(self._output)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the steps showed that is no error and likely not what was meant, since this object was made."""
        return tuple(self._notes)

    @property
    def memory(self) -> np.ndarray:
        """A copy of the memory: words, int64 [size] (uint64 at 64 bits)."""
        return bits.limbs_to_words(np.asarray(self._state.memory)[: self.size], self.image.word_bits)

    @property
    def pc(self) -> int:
        """Address of the next instruction, 0 .. 2^word_bits - 1."""
        return int(bits.limbs_to_words(np.asarray(self._state.pc), self.image.word_bits))

    def feed(self, data: bytes) -> None:
        """Give an interactive console more bytes to read. Raises ValueError once its input has ended."""
        if self._input.ended:
            raise ValueError("the machine's input has ended")
        self._input.append(data)
        self._received += len(data)
        if self._checker is not None:
            self._checker.append_input(data)
        if self.halt is Halt.NEED_INPUT:
            self.halt = Halt.RUNNING

    def end_input(self) -> None:
        """Tell an interactive console that no more bytes will come: reads give -1 from here on."""
        self._input.ended = True
        if self.halt is Halt.NEED_INPUT:
            self.halt = Halt.RUNNING

    def run(
        self,
        max_steps: int | None = None,
        on_chunk: Callable[[Chunk], None] | None = None,
        stops: Stops | None = None,
    ) -> Outcome:
        """Run until the machine stops, or for `max_steps` steps (None: without end).

        `on_chunk` is given the steps of each chunk once they were checked; what it raises ends the run, and the next
        one begins with the chunk after. `stops` (see `make_stops`) says after which steps to leave with STOP.
        Ctrl-C is answered between two chunks: it raises KeyboardInterrupt with the machine in a state from which `run`
        goes on. Running a stopped machine gives the same halt and 0 steps. Raises ValueError for a negative max_steps.
        """
        check_budget(max_steps)
        began, first_output, first_console = time.monotonic(), len(self._output), self._console_steps
        first_note = len(self._notes)
        self._margin = float("inf")
        if self.halt in (Halt.BUDGET, Halt.STOP):
            self.halt = Halt.RUNNING
        self._stops = stops
        shows = self._shows_progress and on_chunk is None  # who takes the steps shows them as well
        with (
            shown_steps(shows, max_steps) as tell,
            deferred_interrupt() as interrupted,
            ThreadPoolExecutor(1) as checking,
        ):
            self._release(self._unreleased, on_chunk)
            first_step = self.steps
            while self.halt is Halt.RUNNING and not interrupted():
                left = None if max_steps is None else max_steps - (self.steps - first_step)
                raw = self._advance(left, on_chunk is not None)
                tell(self.steps - first_step)
                # The chunk before this one was checked while this one ran.
                before, self._unreleased = self._unreleased, checking.submit(self._examine, raw)
                self._release(before, on_chunk)
                if self.halt is not Halt.RUNNING or interrupted():
                    self._release(self._unreleased, on_chunk)  # may feed a machine that waits for input
            self._release(self._unreleased, on_chunk)
            if self.halt in REFERENCE_STOP:
                self._compare_whole()
        # Asked once Ctrl-C is no longer deferred: none that was pressed before that is lost.
        if interrupted():
            raise KeyboardInterrupt
        return Outcome(
            self.halt,
            self._message(self.steps - first_step),
            self.steps - first_step,
            self._console_steps - first_console,
            self._margin,
            bytes(self._output[first_output:]),
            self.divergence,
            time.monotonic() - began,
            tuple(self._notes[first_note:]),
        )

    def page(self) -> Page:
        """The run page of the program on this unit, as HTML text; a notebook shows it.

        The run in it starts from the beginning, with the input this machine was made with; that of an interactive
        machine is typed in the page. Raises ValueError for a memory that is too large for a browser.
        """
        from vm.page.document import program_page

        image = replace(self.image, memory=self.size, input_mode=self.input_mode)
        return program_page(image, self.unit, "program", self._given, self._source)

    def prepare_loop(self) -> None:
        """Take the compiled loop from the cache folder, or compile it and keep it there: `run` then begins at once."""
        from vm.kept_loop import compiled_loop

        self._kept_loop = compiled_loop(*self._chunk(0), self.unit.spec, self.input_mode)

    def record_operands(self) -> None:
        """From here on, chunks hold the operands A and C of their steps. The loop is compiled for that."""
        self._kept_loop = None
        self._rows = np.zeros((TRACE_ROWS, trace_columns(self.image.word_bits, operands=True)), np.uint32)

    def snapshot(self) -> Snapshot:
        """The machine as it stands between two steps. Raises ValueError for one that diverged."""
        from vm.snapshot import Place, Snapshot, image_digest

        self._release(self._unreleased, None)  # a chunk that `on_chunk` did not come to hear of
        if self.halt is Halt.DIVERGED:
            raise ValueError("a machine that diverged has no state to save")
        unread = self._input.unread(self._state)
        place = Place(
            image=image_digest(self.image),
            unit=self.unit.name,
            word_bits=self.image.word_bits,
            isa=self.image.isa,
            input_mode=self.input_mode,
            pc=self.pc,
            steps=self.steps,
            bytes_read=self._received - len(unread),
            bytes_written=self._written + len(self._output),
            input_ended=self._input.ended,
        )
        return Snapshot(place, np.asarray(self._state.memory)[: self.size], unread)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot. Raises SnapshotError, and changes nothing, if it does not fit this machine."""
        from vm.snapshot import check_fits

        check_fits(snapshot, self.image, self.unit.name, self.size, self.input_mode)
        place = snapshot.place
        words = bits.limbs_to_words(snapshot.memory, self.image.word_bits)
        self.put(words, place.pc, place.steps, snapshot.unread, place.input_ended, self._checker is not None)
        self._written = place.bytes_written
        self._received = place.bytes_read + len(snapshot.unread)

    def put(self, memory: np.ndarray, pc: int, steps: int, unread: bytes, input_ended: bool, check: bool) -> None:
        """Put the machine into any state between two steps; `output` starts over from here.

        memory: unsigned words, [size]. steps: since boot. unread: input that was received and not read yet;
        input_ended: whether the end follows it. check: as for a new machine, from this state on.
        """
        self.divergence = None
        self._unreleased = None
        self.steps = steps
        self._output = bytearray()
        self._input = Input(unread, input_ended, self.input_mode, self.image.word_bits)
        self._checker = self._check_from(memory.tolist(), pc, unread) if check else None
        if self._watch is not None:
            self._watch.restart()
        self._state = self._boot(memory, pc)
        self._rows = np.zeros(self._rows.shape, np.uint32)  # a run that was broken off may have lost them

    def change_unit(self, unit: Unit) -> None:
        """Let another unit compute from here on. Raises ValueError for one of another width or instruction set."""
        check_unit(unit, self.image)
        self.unit = unit
        self._kept_loop = None

    def _check_from(self, words: Sequence[int], pc: int, unread: bytes) -> Checker:
        """A checker that starts from this memory and pc, with this input."""
        image = self.image
        start = ReferenceMachine(words, image.word_bits, image.isa, pc, self.size, self.input_mode, unread)
        return Checker(start, self.steps)

    def _boot(self, words: Sequence[int] | np.ndarray, pc: int) -> MachineState:
        numbers = INPUT_MODES[self.input_mode].numbers
        state = boot(words, pc, self.size, self.image.word_bits, numbers)
        self.halt = Halt(int(state.halt))
        return state

    def _advance(self, left: int | None, keep: bool) -> RawChunk:
        """Run one chunk of at most `left` steps; afterwards self.halt says whether the machine goes on."""
        budget = self._pace.steps if left is None else min(self._pace.steps, left)
        began = time.monotonic()
        if self._kept_loop is not None and self._stops is None:
            state, trace = self._kept_loop(*self._chunk(budget))
        else:
            state, trace = run_chunk(
                *self._chunk(budget), spec=self.unit.spec, input_mode=self.input_mode, stops=self._stops
            )
        steps = int(trace.steps)
        self._pace.measure(steps, time.monotonic() - began)
        self._rows = trace.rows
        halt = Halt(int(state.halt))
        if halt is Halt.NEED_INPUT and (filled := self._input.refilled(state)) is not None:
            state, halt = filled, Halt.RUNNING
        if halt in (Halt.RUNNING, Halt.OUTPUT_FULL):
            halt = Halt.BUDGET if left is not None and steps == left else Halt.RUNNING
            rows = np.asarray(trace.rows)[:steps]
            moving = steps_until_still(rows, np.asarray(state.pc), self.image.word_bits) if steps else None
            # A budget is a number of steps that was asked for, and is spent; without one the run would never end.
            if moving is not None and left is None:
                steps, halt = moving, Halt.STANDS_STILL
        self._state = state
        self.halt = halt
        sent = np.asarray(state.output)[: int(state.output_length)]
        raw = RawChunk(
            first_step=self.steps,
            steps=steps,
            rows=np.array(trace.rows)[:steps] if keep or self._checker is not None else None,
            next_pc=self.pc,
            output=output_held(sent, self.input_mode, self.image.word_bits),
            console_steps=int(state.console_steps),
            margin=float(state.margin),
        )
        self.steps += steps
        return raw

    def _chunk(self, budget: int) -> tuple[MachineState, Any, Any, np.int32]:
        """The traced arguments of the loop: a state that runs, room for the rows, the weights, the budget."""
        state = self._state._replace(
            halt=np.int32(Halt.RUNNING),
            margin=np.float32(np.inf),
            console_steps=np.int32(0),
            output_length=np.int32(0),
        )
        return state, self._rows, self.unit.params, np.int32(budget)

    def _examine(self, raw: RawChunk) -> _Examined:
        """Decode a chunk's rows and compare them with the reference. Runs beside the next chunk, in a thread."""
        chunk = raw.decoded(self.input_mode, self.image.word_bits)
        if chunk.record is None:
            return _Examined(chunk, None, raw.console_steps, [])
        mismatch = None
        if self._checker is not None:
            mismatch = self._checker.advance(chunk.pcs, chunk.addresses, chunk.words, chunk.next_pc)
        notes = self._watch.look(chunk.first_step, chunk.record) if self._watch is not None else []
        return _Examined(chunk, mismatch, raw.console_steps, notes)

    def _release(self, examination: Future[_Examined] | None, on_chunk: Callable[[Chunk], None] | None) -> None:
        """Hand out a chunk, if there is one, once it is checked; on a mismatch put the machine back."""
        if examination is None:
            return
        chunk, mismatch, console_steps, notes = examination.result()
        if self._unreleased is examination:
            self._unreleased = None
        if mismatch is not None:
            self._unreleased = None  # what ran after it never happened
            chunk = self._put_back(chunk, mismatch)
            console_steps = chunk.margins.count(float("inf"))  # no network decided
        self._notes += [note for step, note in notes if step < chunk.first_step + chunk.steps]
        self._console_steps += console_steps
        self._margin = float(np.minimum(self._margin, chunk.margin))  # a NaN stays
        self._output += chunk.output
        if on_chunk is not None:
            on_chunk(chunk)

    def _put_back(self, chunk: Chunk, mismatch: Mismatch) -> Chunk:
        """Bring the machine to just before the diverging step. Returns the part of the chunk that agreed."""
        assert self._checker is not None
        k = mismatch.offset
        step = chunk.first_step + k
        before = self._checker.before(step)
        from vm.divergence import describe

        self.divergence = describe(self.image, self.unit, before, chunk, mismatch)
        self._state = self._boot(before.memory, before.pc)
        unread = bytes(before.input[before.input_position :])
        self._input = Input(unread, self._input.ended, self.input_mode, self.image.word_bits)
        self.steps, self.halt = step, Halt.DIVERGED
        return chunk.first(k, before.pc, bytes(before.output[len(self._output) :]))

    def _compare_whole(self) -> None:
        """At a final stop: the reference stops too, and the whole memories are equal."""
        if self._checker is None:
            return
        pc, report = self.pc, None
        if not self._checker.agrees_to_stop(REFERENCE_STOP[self.halt]):
            report = f"after {self.steps:,} equal steps the machine stops at pc {pc} and the reference does not"
        else:
            address = self._checker.differing_address(self.memory.tolist())
            if address is not None:
                report = f"after {self.steps:,} equal steps the memories differ at address {address}"
        if report is not None:
            self.divergence = Divergence(self.steps, pc, report)
            self.halt = Halt.DIVERGED

    def _message(self, steps: int) -> str:
        """How this call of `run` ended."""
        message = halt_message(self.halt, self.image, self.pc, steps, self.memory, self.divergence)
        return with_doubt(message, self._margin, verified_margin(self.unit.manifest))


def as_image(program: Image | str) -> Image:
    """A program as an image. Raises TypeError for what is neither an image nor text, AssemblyError for bad source."""
    if isinstance(program, str):
        return assemble(program)
    if not isinstance(program, Image):
        raise TypeError(f"a program is an Image or source text, not {type(program).__name__}")
    return program


def check_input_mode(input_mode: str | None) -> None:
    """Raise ValueError unless it is one of INPUT_MODES, or None for the image's."""
    if input_mode not in (None, *INPUT_MODES):
        raise ValueError(f"input_mode is one of {', '.join(map(repr, INPUT_MODES))}, not {input_mode!r}")


def check_unit(unit: Unit, image: Image) -> None:
    """Raise ValueError unless the unit is of the image's width and instruction set, TypeError for what is no unit."""
    if not isinstance(unit, Unit):
        raise TypeError(f"unit is the name of a unit or a Unit, not {type(unit).__name__}")
    if (unit.word_bits, unit.isa) != (image.word_bits, image.isa):
        raise ValueError(f"the unit is {unit.word_bits}-bit {unit.isa} and the image {image.word_bits}-bit {image.isa}")
