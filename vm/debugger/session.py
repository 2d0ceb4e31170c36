"""A debugging session: one machine, its history, what it stops at. Knows no terminal and prints nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from assembler import Image, Origin
from assembler.image import signed
from vm.chunk import Chunk, Record
from vm.debugger import history, points
from vm.debugger.errors import CommandError, Found, Interrupted
from vm.debugger.expressions import value_of
from vm.debugger.history import History, StepAccount
from vm.debugger.labels import Labels
from vm.debugger.points import Collecting, StopPoint
from vm.debugger.present import Edit, Present, Registers
from vm.debugger.source import Path, Source
from vm.debugger.stack import CallStack
from vm.debugger.typed_lines import TypedLines
from vm.debugger.vectors import Rows
from vm.state import Halt, Stops

if TYPE_CHECKING:
    from learned_units.unit import Unit
    from vm.debugger.comparison import Comparison
    from vm.execution import Machine

Scan = Callable[[Rows], int | None]  # the first of some steps after which to stop


class Session:
    """One program under the debugger.

    input: the program's whole input, or None where it is given by hand. limit: steps of history that are kept.
    reload: makes the image again. load_unit: a unit of this image's width and instruction set, by name. read_source:
    the text of a source file, None where it is not available. check_output: raises ValueError for a file that must
    not be written. unit: None where `use` gives it later; until then there is nothing to compute with.

    `present` is where the machine stands; `vm.debugger.travel` moves it. Nothing raises but CommandError, before
    anything was changed.
    """

    def __init__(
        self,
        image: Image,
        unit: Unit | None,
        input: bytes | None = b"",
        check: bool = True,
        limit: int = history.DEFAULT_STEPS,
        reload: Callable[[], Image] | None = None,
        load_unit: Callable[[str], Unit] | None = None,
        read_source: Callable[[str], str | None] = lambda file: None,
        check_output: Callable[[str], None] = lambda file: None,
    ) -> None:
        self.read_source = read_source
        self.check_output = check_output
        self.reload = reload
        self.load_unit = load_unit
        self.given_input = input
        self.limit = limit
        self.points: list[StopPoint] = []
        self.hit: list[StopPoint] = []  # by the command that runs now
        self.displays: list[str] = []
        self.collecting: Collecting | None = None
        self.scripts = 0  # that are being read, each by the one before
        self.tracing = False
        self.examined: tuple[int, str, int] | None = None  # by `x`: the next address, the format, the distance
        self.memory_place: str | None = None  # what the memory pane shows; None: the word that is written
        self.painted: Callable[[str], str] = str  # what gives a line of source its colours
        self.on_output: Callable[[bytes], None] = lambda data: None
        self.on_dropped: Callable[[int], None] = lambda first: None
        self.on_moved: Callable[[int | None], None] = lambda step: None  # None as a motion begins; where it has got to
        self.stop_requested = threading.Event()
        self._scan: Scan | None = None
        self._numbers = 0
        if check:
            self.add_point(points.DIVERGENCE, "divergence")
        self.start(image, unit)

    def start(self, image: Image, unit: Unit | None) -> None:
        """Start over with an image: nothing was executed, nothing is remembered but what to stop at."""
        self.image = image
        self.size = image.memory_size()
        self.source = Source(image, self.size)
        self._machine: Machine | None = None
        self.comparison: Comparison | None = None
        self.seconds, self.ran = 0.0, 0  # of the last run on the unit
        self.restart()
        if unit is not None:
            self.use(unit)

    def use(self, unit: Unit) -> None:
        """Let this unit compute from the beginning on. Raises ValueError if it is of another width or kind."""
        from vm.execution import Machine

        self.units = [(0, unit.name)]
        self._machine = Machine(self.image, unit, input=self.given_input, check=self.checks)

    def restart(self) -> None:
        """Back to the image as it was loaded, with nothing remembered of what was executed."""
        words = np.zeros(self.size, np.uint64 if self.image.word_bits == 64 else np.int64)
        words[: len(self.image.words)] = np.array(self.image.words, words.dtype)
        given = self.given_input
        mode, bits = self.image.input_mode, self.image.word_bits
        self.present = Present(words, self.image.entry, given or b"", given is not None, mode, bits)
        self.history = History(self.image.word_bits, self.limit)
        for point in self.points:
            point.hits = 0
        self.units = [(0, self.unit.name)] if self.is_ready else []  # from which step on which one computed
        self.halt = Halt.RUNNING
        self.halt_message = ""
        self._is_synchronised = False
        self.loop_stops: Stops | None = None
        self.history.truncate(self.present)
        self.stack = CallStack(self.source, self.history)
        self.typed = TypedLines(len(self.image.words))
        self._name_addresses()
        self.look_at_program()

    def look_at_program(self) -> None:
        """Look at the line of the program, not at what its macros are made of, and not at a caller's."""
        self.level = 0  # of macro expansion
        self.chosen = 0  # the line of the backtrace

    @property
    def is_ready(self) -> bool:
        """Whether there is a unit."""
        return self._machine is not None

    @property
    def machine(self) -> Machine:
        """What computes steps."""
        assert self._machine is not None, "a unit comes before what computes"
        return self._machine

    @property
    def unit(self) -> Unit:
        """What computes."""
        return self.machine.unit

    @property
    def word_bits(self) -> int:
        return self.image.word_bits

    @property
    def console(self) -> int:
        """The console's address."""
        return (1 << self.image.word_bits) - 1

    @property
    def checks(self) -> bool:
        """Whether steps are compared with the reference: that is what `break divergence` means."""
        return any(point.kind == points.DIVERGENCE for point in self.points)

    @property
    def has_halted(self) -> bool:
        """Whether pc is negative."""
        return bool(self.present.pc >> (self.word_bits - 1))

    # --- looking ------------------------------------------------------------------------------------------------------

    def read(self, address: int) -> int:
        """The signed word at an address, which may be given as a negative word. Raises CommandError."""
        return signed(int(self.present.memory[self.checked_address(address)]), self.word_bits)

    def checked_address(self, address: int) -> int:
        """An address of the memory. Raises CommandError."""
        word = address & self.console if -(self.console + 1) // 2 <= address < 0 else address
        if word == self.console:
            raise CommandError(f"address {address} is the console, which holds no word")
        if not 0 <= word < self.size:
            raise CommandError(f"address {address} is outside the memory of {self.size:,} words")
        return word

    def evaluate(self, text: str) -> int:
        """The value of an expression. Raises CommandError."""
        return value_of(text, self.symbols, signed(self.present.pc, self.word_bits), self.present.step, self.read)

    def origin(self, address: int) -> Origin | None:
        """The line that made a word: of the source, or one that was assembled by hand."""
        return self.typed_at(address) or self.source.origin(address)

    def path(self, address: int) -> Path:
        """From the line of the program to the line that made a word; empty where none did."""
        typed = self.typed_at(address)
        return self.source.path(address) if typed is None else (typed,)

    def typed_at(self, address: int) -> Origin | None:
        """The statement assembled by hand that made a word of the memory as it is now."""
        return self.typed.at(address, self.present.step)

    def _name_addresses(self) -> None:
        self.symbols = dict(self.image.symbols) | self.typed.labels
        self.labels = Labels(self.symbols, self.image.constants, self.size, self.source.is_within)

    def add_typed(self, statement: str, labels: dict[str, int], end: int) -> None:
        """Remember the statement whose words the last edit has written; `end` is the address after them."""
        self.typed.add(self.history.edits[-1], statement, labels, end)
        self._name_addresses()

    def _forget_typed(self) -> None:
        """Forget the statements that have been taken back."""
        kept = {id(edit) for edit in self.history.edits}
        if self.typed.keep(lambda edit: id(edit) in kept or edit.step < self.history.first):
            self._name_addresses()

    def last_step(self) -> StepAccount | None:
        """The step before the present, or None where none is kept."""
        return next(iter(self.history.accounts(self.present, 1)), None)

    # --- stops --------------------------------------------------------------------------------------------------------

    def add_point(self, kind: str, text: str, **fields: Any) -> StopPoint:
        """A new thing to stop at."""
        self._numbers += 1
        point = StopPoint(self._numbers, kind, text, **fields)
        self._set_points([*self.points, point])
        return point

    def point(self, number: str) -> StopPoint:
        """A stop by its number, or the last one. Raises CommandError."""
        for point in reversed(self.points):
            if number.strip() in (str(point.number), points.LAST):
                return point
        raise CommandError(f"there is no stop {number.strip() or 'without a number'}", "`info` lists them")

    def delete_point(self, number: int) -> None:
        """Do not stop at that any more. Raises CommandError."""
        unwanted = self.point(str(number))
        self._set_points([point for point in self.points if point is not unwanted])

    def points_changed(self) -> None:
        """Have the loop given other stops."""
        self.loop_stops = None

    def _set_points(self, points: list[StopPoint]) -> None:
        checked = self.checks
        self.points = points
        self.points_changed()
        if self.checks != checked:
            self._is_synchronised = False

    # --- computing ----------------------------------------------------------------------------------------------------

    def compute(self, count: int | None, live: Stops, scan: Scan | None = None) -> str | None:
        """Compute steps at the end of the history. Returns why the machine cannot go on, or None if it can.

        live: what the loop stops at; scan: what is looked for in its steps once they are there.
        """
        machine, began, first = self.machine, time.monotonic(), self.present.step
        if self.halt is Halt.DIVERGED and self.checks:
            # The user has seen it and goes on: the unit's result is taken, and the reference follows from there.
            self._is_synchronised = False
            self._synchronise(check=False)
            machine.run(1, self._record)
            self._is_synchronised = False
            self.halt = Halt.RUNNING
            return None
        self._synchronise(self.checks)
        if self.comparison is not None:
            self.comparison.start(self.present)
        self._scan = scan
        try:
            outcome = machine.run(count, self._record, live)
        except Found:
            self._is_synchronised = False
            self.halt = Halt.RUNNING
            return None
        except KeyboardInterrupt:
            self._is_synchronised = False
            return f"interrupted after {self.present.step - first:,} steps"
        except Interrupted:
            self._is_synchronised = False
            if self.comparison is not None and self.comparison.report is not None:
                return self.comparison.report
            return f"interrupted after {self.present.step - first:,} steps"
        finally:
            self._scan = None
            self.seconds, self.ran = time.monotonic() - began, self.present.step - first
        self.halt = outcome.halt
        if outcome.halt in (Halt.BUDGET, Halt.STOP):
            return None
        if outcome.halt is Halt.NEED_INPUT:
            return f'{outcome.message}; `input "17 25\\n"` gives it some, `input end` ends it'
        return outcome.message

    def _record(self, chunk: Chunk) -> None:
        """Take in steps that were computed and checked."""
        record = chunk.record
        assert record is not None
        next_pc = chunk.next_pc
        if self.comparison is not None:
            agreed = self.comparison.agreeing(record, next_pc)
            if agreed < len(record.pcs):
                next_pc = int(record.pcs[agreed])
                record = record.first(agreed)
        found = None
        if self._scan is not None and len(record.pcs):
            present = self.present
            found = self._scan(Rows(record, present.step, next_pc, present.memory, self.word_bits))
            if found is not None and found + 1 < len(record.pcs):
                next_pc = int(record.pcs[found + 1])
                record = record.first(found + 1)
        first, output = self.history.first, len(self.present.output)
        self.history.append(record, next_pc)
        self._take(record, next_pc)
        if len(self.present.output) > output:
            self.on_output(bytes(self.present.output[output:]))
        if first == 0 < self.history.first:
            self.on_dropped(self.history.first)
        self.on_moved(self.present.step)
        if found is not None:
            raise Found
        if self.stop_requested.is_set() or (self.comparison is not None and self.comparison.report is not None):
            raise Interrupted

    def _take(self, record: Record, next_pc: int) -> None:
        """Bring the present to the end of steps that were just computed."""
        present, console = self.present, record.addresses == self.console
        present.memory[record.addresses[~console].astype(np.int64)] = record.words[~console]
        present.use_console(record.words[console], int(record.consumed.sum()))
        present.pc = next_pc
        present.step += len(record.pcs)

    def _synchronise(self, check: bool) -> None:
        """Put the machine where the present is."""
        present = self.present
        if not self._is_synchronised or self.machine.steps != present.step:
            self.machine.put(present.memory, present.pc, present.step, present.unread, present.input_ended, check)
        self._is_synchronised = True

    def travel(self, step: int) -> None:
        """Go to a step that is kept. What the program writes on the way forward is handed on."""
        output = len(self.present.output)
        self.halt = Halt.RUNNING
        self.history.go(self.present, step)
        if len(self.present.output) > output:
            self.on_output(bytes(self.present.output[output:]))

    # --- changing -----------------------------------------------------------------------------------------------------

    def edit(
        self,
        text: str,
        words: dict[int, int] | None = None,
        pc: int | None = None,
        registers: Registers | None = None,
    ) -> int:
        """Change words, pc, or all registers by hand. Returns how many recorded steps this made untrue."""
        dropped = self.forget_future()
        changed = words or {}
        addresses = np.array(list(changed), np.int64)
        news = np.array(list(changed.values()), self.present.memory.dtype)
        before = self.present.registers()
        after = registers or before
        if pc is not None:
            after = after._replace(pc=pc)
        edit = Edit(self.present.step, text, addresses, self.present.memory[addresses], news, before, after)
        self.present.apply(edit)
        self.history.add_edit(edit)
        self._moved_by_hand()
        return dropped

    def take_back(self) -> Edit | None:
        """Undo the last change made by hand, and forget what came after it."""
        edit = self.history.take_back(self.present)
        if edit is not None:
            self._moved_by_hand()
            self._forget_typed()
        return edit

    def change_unit(self, unit: Unit) -> int:
        """Let another unit compute from here on. Returns how many recorded steps are forgotten."""
        self.machine.change_unit(unit)
        return self.forget_future()

    def forget_future(self) -> int:
        """Forget the recorded steps after the present."""
        dropped = self.history.truncate(self.present)
        if dropped:
            self._is_synchronised = False
            self.stack.forget(self.present.step)
        self._forget_typed()
        self.units = [(step, name) for step, name in self.units if step <= self.present.step]
        if not self.units or self.units[-1][1] != self.unit.name:
            self.units.append((self.present.step, self.unit.name))
        return dropped

    def _moved_by_hand(self) -> None:
        self._is_synchronised = False
        self.halt = Halt.RUNNING
        self.stack.forget(self.present.step)
        self.look_at_program()
