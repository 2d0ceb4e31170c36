"""What a run of a machine did: values, and the words for how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assembler import Image
from vm.state import Halt

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
    Halt.STOP: "stopped before pc {pc}{line}, as asked",
}


def source_line(image: Image, pc: int) -> str:
    """Where the word at an address comes from, as " (file:line)", or nothing where no source is known."""
    origin = image.source_map.at(pc) if image.source_map is not None else None
    return "" if origin is None else f" ({origin.file}:{origin.line})"


def budget_message(image: Image, pc: int, steps: int) -> str:
    """A spent budget of `steps` in words, with what to do."""
    return HALT_MESSAGE[Halt.BUDGET].format(steps=steps, pc=pc, line=source_line(image, pc))


def interrupted_message(image: Image, pc: int) -> str:
    """A run that Ctrl-C ended, in words."""
    return f"interrupted at pc {pc}{source_line(image, pc)}"


def halt_message(
    halt: Halt,
    image: Image,
    pc: int,
    steps: int,
    size: int,
    operands: Sequence[int],
    divergence: Divergence | None,
) -> str:
    """Why a machine of `size` words stopped, in words, with what to do. operands: A and B, where an address is bad."""
    console = (1 << image.word_bits) - 1
    outside = [f"{name} = {word}" for name, word in zip("AB", operands, strict=False) if console != word >= size]
    address = outside[0] if outside else ""
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


class Record(NamedTuple):
    """Steps as arrays with one entry for each: what it takes to undo them and to do them again."""

    pcs: np.ndarray
    addresses: np.ndarray  # written; 2^word_bits - 1 is the console
    words: np.ndarray  # written
    olds: np.ndarray  # the words that were there before; where the console was written, they say nothing
    margins: np.ndarray  # float32
    consumed: np.ndarray  # bool: whether a byte of input was consumed

    def first(self, count: int) -> Record:
        """The first steps of these."""
        return Record(*(column[:count] for column in self))


@dataclass(frozen=True)
class Chunk:
    """Steps that were executed and, where checking is on, agreed with the reference. Words are plain integers."""

    first_step: int  # since boot, from 0
    steps: int
    margin: float  # smallest of theirs; +inf where no network decided
    pcs: list[int]  # of each step, as what follows; empty where nobody looks at the steps
    addresses: list[int]  # written; 2^word_bits - 1 is the console
    words: list[int]  # written
    margins: list[float]
    next_pc: int
    output: bytes
    record: Record | None = None  # the same, and more; None where nobody looks at the steps
    operands: np.ndarray | None = None  # unsigned words [steps, 2]: A and C; None unless the machine records them
