"""What a run of a machine did: values, the words for how it ended, and what it showed that was likely not meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from assembler import Image, Note, Origin
from vm.chunk import Record
from vm.state import WORDS, Halt

HALT_MESSAGE = {
    Halt.HALTED: "halted",
    Halt.BUDGET: "the budget of {steps:,} steps is spent at pc {pc}{line}; to continue, run again with a larger one",
    Halt.BAD_ADDRESS: (
        "bad address: the instruction at pc {pc}{line} has an operand {address}, outside the memory of {size:,} words; "
        "correct the operand, or give the machine more memory"
    ),
    Halt.PC_OUTSIDE: (
        "pc {pc}{line} leaves no room for an instruction in the memory of {size:,} words; "
        "a program ends by jumping to -1"
    ),
    Halt.DIVERGED: "diverged: {divergence}",
    Halt.NEED_INPUT: "the instruction at pc {pc}{line} waits for input",
    Halt.STANDS_STILL: "stands still at pc {pc}{line}: this instruction changes nothing and goes to itself",
    Halt.STOP: "stopped before pc {pc}{line}, as asked",
}


def source_line(image: Image, pc: int) -> str:
    """Where the word at an address comes from, as " (file:line)", or nothing where no source is known.

    It is the user's line; that of a macro follows it.
    """
    origin = image.source_map.at(pc) if image.source_map is not None else None
    if origin is None:
        return ""
    if not origin.calls:
        return f" ({origin.file}:{origin.line})"
    user = origin.calls[-1]
    return f" ({user.file}:{user.line}, in {origin.file}:{origin.line})"


def budget_message(image: Image, pc: int, steps: int, memory: np.ndarray) -> str:
    """A spent budget of `steps` in words, with what to do. memory: words [size]."""
    message = HALT_MESSAGE[Halt.BUDGET].format(steps=steps, pc=pc, line=source_line(image, pc))
    if not stands_still(image, pc, memory):
        return message
    return f"{message.split(';')[0]}; it {HALT_MESSAGE[Halt.STANDS_STILL].format(pc=pc, line='')}"


def stands_still(image: Image, pc: int, memory: np.ndarray) -> bool:
    """Whether the instruction at pc, in memory, changes nothing and goes to itself."""
    if pc + WORDS > len(memory):
        return False
    a, b, c = (int(word) for word in memory[pc : pc + WORDS])
    if max(a, b) >= len(memory) or c != pc or memory[a]:
        return False
    result = int(memory[b])
    return result >> (image.word_bits - 1) != 0 or (image.isa == "subleq" and result == 0)


def interrupted_message(image: Image, pc: int) -> str:
    """A run that Ctrl-C ended, in words."""
    return f"interrupted at pc {pc}{source_line(image, pc)}"


def halt_message(
    halt: Halt, image: Image, pc: int, steps: int, memory: np.ndarray, divergence: Divergence | None
) -> str:
    """Why a machine stopped, in words, with what to do. memory: words [size]."""
    console, size = (1 << image.word_bits) - 1, len(memory)
    if halt is Halt.HALTED and pc != console:
        return f"halted at pc {pc - (1 << image.word_bits)} (the idiom is -1)"
    if halt is Halt.BUDGET:
        return budget_message(image, pc, steps, memory)
    address = ""
    if halt is Halt.BAD_ADDRESS:
        operands = zip("AB", memory[pc : pc + 2].tolist(), strict=True)
        address = next(f"{name} = {word}" for name, word in operands if console != word >= size)
    line = source_line(image, pc)
    return HALT_MESSAGE[halt].format(pc=pc, line=line, steps=steps, size=size, address=address, divergence=divergence)


@dataclass(frozen=True)
class Divergence:
    """Where the unit and the reference disagree. The machine stands just before this step."""

    step: int  # since boot, from 0
    pc: int
    report: str  # operands, both results, and the decision with the smallest margin

    def __str__(self) -> str:
        return self.report

    def __repr__(self) -> str:
        return f"<Divergence at step {self.step:,}, pc {self.pc}>"


@dataclass(frozen=True)
class Outcome:
    """What one call of `run` did, of a machine or a whole machine, or what one machine of a batch did."""

    halt: Halt
    message: str  # the halt in words, with what to do; and whether the margin contradicts what was verified
    steps: int
    console_steps: int  # of them, instructions that only moved a byte
    margin: float  # smallest of all steps; +inf where no network decided
    output: bytes
    divergence: Divergence | None
    seconds: float
    notes: tuple[Note, ...] = ()  # of a machine that is no whole one and no part of a batch

    def __repr__(self) -> str:
        from vm import cards

        return cards.outcome_line(self)

    def _repr_html_(self) -> str:
        from vm import cards

        return cards.outcome_card(self)


_DATA = re.compile(r"\s*(?:\w+\s*:\s*)*\.(?:word|ascii|asciz|space|\s|$)", re.IGNORECASE)


def code_mask(image: Image, size: int) -> np.ndarray:
    """Which words of memory a line with an instruction made: bool [size]."""
    mask = np.zeros(size, np.bool_)
    for run in image.source_map or ():
        if run.end - run.start == WORDS and not _DATA.match(run.origin.text):
            mask[run.start : run.end] = True
    return mask


_MOST_READS = 1_000  # that find the end of the input, before that is noted
_ODD = (*range(1, 7), *range(14, 27), *range(28, 32), 255)  # bytes that a text has none of


class Watch:
    """Looks at the steps of one machine, in their order, and notes each kind of thing once."""

    def __init__(self, image: Image, size: int) -> None:
        self._image = image
        self._code = code_mask(image, size)
        self._executes_data = False
        self._last_pc: int | None = None
        labels = image.labels
        self._push, self._pop = labels.get("__push"), labels.get("__pop")
        self._room = self._stack_size(labels.get("__stack"))
        self._depth: int | None = 0 if self._room is not None else None  # None: not known, or told already
        self._console = (1 << image.word_bits) - 1
        self._read: set[int] | None = set() if image.input_mode == "set" else None  # bytes; None: not known, or told
        self._reads = np.zeros(size, np.bool_)  # the words of instructions that are the address of the console
        self._reads[: len(image.words)] = np.array(image.words, np.uint64) == self._console
        self._reads &= self._code
        self._left = _MOST_READS  # that may still find the end of the input

    def restart(self) -> None:
        """The machine was put into another state: what is on its stack is not known."""
        self._depth = self._read = None
        self._last_pc = None

    def look(self, first_step: int, record: Record) -> list[tuple[int, Note]]:
        """What some steps show, each with its step."""
        if not len(record.pcs):
            return []
        found: list[tuple[int, Note]] = []
        pcs = record.pcs.astype(np.int64)
        if not self._executes_data:
            inside = self._code[pcs]
            if not inside.all():
                self._executes_data = True
                at = int(np.argmin(inside))
                found.append((first_step + at, self._data_note(first_step + at, int(pcs[at]))))
        if self._depth is not None:
            found += self._look_at_stack(first_step, pcs)
        if self._read is not None:
            found += self._look_at_output(first_step, record)
        if self._left > 0:
            found += self._look_at_input(first_step, pcs, record)
        self._last_pc = int(pcs[-1])
        return sorted(found, key=lambda each: each[0])

    def _look_at_stack(self, first_step: int, pcs: np.ndarray) -> list[tuple[int, Note]]:
        assert self._depth is not None and self._room is not None, "the stack is known"
        depths = self._depth + np.cumsum((pcs == self._push).astype(np.int64) - (pcs == self._pop))
        wrong = (depths < 0) | (depths > self._room)
        if not wrong.any():
            self._depth = int(depths[-1])
            return []
        at = int(np.argmax(wrong))
        caller = int(pcs[at - 1]) if at else self._last_pc
        step = first_step + at
        if depths[at] < 0:
            message = f"step {step:,} takes from the empty stack: a `ret` or `pop` without its `call` or `push`"
        else:
            message = (
                f"step {step:,} needs more than the {self._room:,} words of the stack; `.equ STACK, n` makes it "
                "larger, and a routine that calls itself needs a way to end"
            )
        self._depth = None
        return [(step, self._placed(message, caller))]

    def _look_at_output(self, first_step: int, record: Record) -> list[tuple[int, Note]]:
        """The first byte written that the input did not have and that was likely meant as something else."""
        assert self._read is not None, "it was not told"
        self._read.update(np.unique(record.words[record.consumed]).tolist())
        odd = [byte for byte in _ODD if byte not in self._read]
        writes = np.flatnonzero(record.addresses == self._console)  # few of all steps
        written = writes[np.isin(record.words[writes], odd)]
        if not len(written):
            return []
        self._read = None
        at = int(written[0])
        byte, step = int(record.words[at]), first_step + at
        message = f"step {step:,} writes the byte {byte}, which no terminal shows; `putn a` writes a number in digits"
        if byte == 255:
            message = (
                f"step {step:,} writes the byte 255, as which -1 is written: reading gives -1 at the end of the input"
            )
        return [(step, self._placed(message, int(record.pcs[at])))]

    def _look_at_input(self, first_step: int, pcs: np.ndarray, record: Record) -> list[tuple[int, Note]]:
        """The read that finds the end of the input once too often."""
        vain = np.flatnonzero(self._reads[pcs] & ~record.consumed)
        last = self._left - 1
        self._left -= len(vain)
        if self._left > 0:
            return []
        step = first_step + int(vain[last])
        message = f"step {step:,} reads at the end of the input for the {_MOST_READS:,}th time: each such read gives -1"
        return [(step, self._placed(message, int(pcs[vain[last]])))]

    def _data_note(self, step: int, pc: int) -> Note:
        origin = self._origin(pc)
        label = next((name for name, address in self._image.labels.items() if address == pc), None)
        named = f", `{label}`" if label is not None and not label.startswith("__") else ""
        what = "data" if origin is not None else "outside of the program"
        message = f"step {step:,} executes the word at {pc}{named}, which is {what}; did you forget `halt`?"
        return self._placed(message, pc)

    def _placed(self, message: str, pc: int | None) -> Note:
        origin = None if pc is None else self._origin(pc)
        return Note(message) if origin is None else Note(message, origin.file, origin.line)

    def _origin(self, pc: int) -> Origin | None:
        """The line of the user's that made a word."""
        origin = self._image.source_map.at(pc) if self._image.source_map is not None else None
        return origin.calls[-1] if origin is not None and origin.calls else origin

    def _stack_size(self, address: int | None) -> int | None:
        runs = self._image.source_map or ()
        return next((run.end - run.start for run in runs if run.start == address), None)
