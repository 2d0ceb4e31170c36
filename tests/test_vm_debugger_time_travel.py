"""Time travel is exact: after any walk the session stands where a fresh run to that step stands."""

import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from assembler import Image
from learned_units import load_unit
from vm.debugger.commands import execute
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.reference import ReferenceMachine

WORD_BITS, SIZE, CONSOLE = 8, 48, 255
words = st.lists(st.one_of(st.integers(0, SIZE - 1), st.sampled_from([CONSOLE, 128, 200])), min_size=9, max_size=SIZE)
addresses = st.integers(0, SIZE - 1)


@dataclasses.dataclass(eq=False)
class Change:
    """A change by hand, as the model keeps it."""

    step: int
    word: tuple[int, int] | None = None
    pc: int | None = None
    input: bytes = b""


class Timeline:
    """The model: an image, its input and the changes by hand; every state is computed again by the reference."""

    def __init__(self, image: Image, given: bytes) -> None:
        self.image, self.given = image, given
        self.changes: list[Change] = []

    def at(self, step: int) -> ReferenceMachine:
        image = self.image
        machine = ReferenceMachine(image.words, WORD_BITS, image.isa, image.entry, SIZE, input=self.given)
        for k in range(step + 1):
            for change in (change for change in self.changes if change.step == k):
                machine.input += change.input
                if change.word is not None:
                    machine.memory[change.word[0]] = change.word[1]
                if change.pc is not None:
                    machine.pc = change.pc
            if k < step:
                assert len(machine.run(1).pcs) == 1, "the session went where the machine stops before"
        return machine

    def executes(self, step: int) -> tuple[int, int] | None:
        """pc and written address of a step, None where the machine stops."""
        done = self.at(step).run(1)
        return (done.pcs[0], done.addresses[0]) if done.pcs else None


class Walk(RuleBasedStateMachine):
    """Random programs, that may modify themselves, and random walks through their time."""

    unit_name = "native"

    @initialize(words=words, isa=st.sampled_from(["sbn", "subleq"]), given=st.binary(max_size=4))
    def load(self, words: list[int], isa: str, given: bytes) -> None:
        image = Image(words, WORD_BITS, isa, memory=SIZE)
        self.session = Session(image, load_unit(self.unit_name, WORD_BITS, isa), given)
        self.model = Timeline(image, given)
        self.end = 0  # of what is recorded
        self.breaks: set[int] = set()
        self.watched: set[int] = set()

    def do(self, line: str) -> str:
        said = execute(self.session, line)
        assert "diverged" not in said and "differ" not in said
        return said

    @property
    def step(self) -> int:
        return self.session.present.step

    def change(self, change: Change) -> None:
        self.model.changes.append(change)
        self.end = self.step

    @rule(count=st.integers(1, 12))
    def forward(self, count: int) -> None:
        began = self.step
        said = self.do(f"step {count}")
        self.end = max(self.end, self.step)
        if self.step < began + count:
            stops = "break" in said or "watch" in said
            assert stops or self.model.executes(self.step) is None
        for k in range(began, self.step - 1):
            _, written = self.model.executes(k) or (None, None)
            assert written not in self.watched and self.model.at(k + 1).pc not in self.breaks, "ran past a stop"

    @rule(count=st.integers(1, 12))
    def back(self, count: int) -> None:
        expected = max(self.step - count, 0)
        self.do(f"back {count}")
        assert self.step == expected

    @rule(part=st.floats(0, 1))
    def goto(self, part: float) -> None:
        target = round(part * self.end)
        self.do(f"goto {target}")
        assert self.step == target

    @rule()
    def reverse_continue(self) -> None:
        began = self.step
        expected = 0
        for k in range(began - 1, -1, -1):
            touched = [
                c for c in self.model.changes if c.step == k + 1 < began and c.word and c.word[0] in self.watched
            ]
            if touched:
                expected = k + 1
                break
            pc, written = self.model.executes(k) or (-1, -1)
            if pc in self.breaks or written in self.watched:
                expected = k
                break
        said = self.do("reverse-continue")
        assert self.step == expected
        if self.watched and "written by" in said:
            pc, written = self.model.executes(expected) or (-1, -1)
            assert f"written by step {expected} at pc {pc}" in said and written in self.watched

    @rule(address=addresses)
    def add_break(self, address: int) -> None:
        self.do(f"break {address}")
        self.breaks.add(address)

    @rule(address=addresses)
    def add_watch(self, address: int) -> None:
        self.do(f"watch {address}")
        self.watched.add(address)

    @rule()
    def delete_all(self) -> None:
        self.do("delete all")
        self.breaks.clear()
        self.watched.clear()

    @rule(address=addresses, word=st.integers(-128, 255))
    def set_word(self, address: int, word: int) -> None:
        self.do(f"set {address} = {word}")
        self.change(Change(self.step, word=(address, word & 255)))

    @rule(address=addresses)
    def set_pc(self, address: int) -> None:
        self.do(f"pc = {address}")
        self.change(Change(self.step, pc=address))

    @rule(byte=st.integers(0, 255))
    def give_input(self, byte: int) -> None:
        self.do(f'input "\\x{byte:02x}"')
        self.change(Change(self.step, input=bytes([byte])))

    @precondition(lambda self: any(change.step <= self.step for change in self.model.changes))
    @rule()
    def undo(self) -> None:
        self.do("undo")
        last = [change for change in self.model.changes if change.step <= self.step][-1]
        assert self.step == last.step
        self.model.changes = self.model.changes[: self.model.changes.index(last)]
        self.end = self.step

    @precondition(lambda self: hasattr(self, "session"))
    @invariant()
    def stands_where_a_fresh_run_stands(self) -> None:
        self.model.changes = [change for change in self.model.changes if change.step <= self.end]
        present, fresh = self.session.present, self.model.at(self.step)
        assert present.memory.tolist() == fresh.memory
        assert (present.pc, present.input_position) == (fresh.pc, fresh.input_position)
        assert bytes(present.output) == bytes(fresh.output)
        assert bytes(present.input) == bytes(fresh.input)


class WalkOnTheClosedForm(Walk):
    unit_name = "ntk-limit"


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestWalkOnTheClosedForm = WalkOnTheClosedForm.TestCase
TestWalkOnTheClosedForm.settings = settings(max_examples=2, stateful_step_count=20, deadline=None)


def counting_session(limit: int) -> Session:
    """A program that counts down from 200 for ever."""
    image = Image([9, 10, 3, 11, 11, 6, 9, 11, 0, 1, 200, 0], WORD_BITS, memory=16)
    return Session(image, load_unit("native", WORD_BITS), limit=limit)


def test_the_oldest_steps_are_dropped_with_notice_and_the_rest_stays_exact() -> None:
    session = counting_session(limit=100)
    dropped: list[int] = []
    session.on_dropped = dropped.append
    execute(session, "step 1000")
    first = session.history.first
    assert dropped and 850 < first <= 900
    assert f"step {first:,} is the oldest that is kept" in execute(session, "back 500")
    fresh = ReferenceMachine(session.image.words, WORD_BITS, "sbn", 0, 16)
    fresh.run(first)
    assert session.present.memory.tolist() == fresh.memory and session.present.step == first
    with pytest.raises(CommandError, match="is not kept any more"):
        execute(session, "goto 1")


def test_a_step_of_history_takes_about_twenty_bytes() -> None:
    for word_bits, most in ((8, 17), (16, 17), (32, 21), (64, 29)):
        session = Session(Image([0] * 6, word_bits, memory=16), load_unit("native", word_bits))
        execute(session, "step")
        [(_, record)] = session.history.slices(0, 1)
        assert sum(column.itemsize for column in record) == most


@pytest.mark.parametrize("word_bits", [4, 16, 33, 64])
def test_every_width_goes_back_and_forward(word_bits: int) -> None:
    minus = (1 << word_bits) - 1
    # x -= -1 twice, writes x, then halts
    image = Image([12, 13, 3, 12, 13, 6, 13, -1, 9, 14, 12, -1, minus, 5, 3], word_bits, memory=16)
    session = Session(image, load_unit("native", word_bits))
    execute(session, "continue")
    states = []
    for step in range(session.present.step, -1, -1):
        execute(session, f"goto {step}")
        states.append((session.present.memory.tolist(), session.present.pc, bytes(session.present.output)))
    assert states[-1][0][:15] == list(image.words)
    assert states[0][2] == b"\x07" and states[-1][2] == b""
    again = []
    for step in range(len(states)):
        execute(session, f"goto {step}")
        again.append((session.present.memory.tolist(), session.present.pc, bytes(session.present.output)))
    assert again == states[::-1]


def test_going_back_asks_no_network() -> None:
    session = counting_session(limit=10_000)
    execute(session, "step 3000")
    session._machine = None
    session.history.go(session.present, 17)
    assert session.present.step == 17
    assert np.count_nonzero(session.present.memory) > 0
