"""What stands on the tape: the tasks, their symbols and the exact answer. This layout is native, not learned.

Two operands of L bits are aligned, least significant first: position i holds the symbol 1 + 2 a_i + b_i. Behind them
stands one symbol for each end of the task, whose answer is a bit about the whole operation: the carry or borrow, and
whether an instruction set's branch is taken. 0 pads. Every position answers one bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PAD = 0
FIRST_DIGIT = 1  # symbols 1..4 are pairs of bits
FIRST_END = 5


@dataclass(frozen=True)
class Task:
    """An operation on two numbers of L bits. `ends` names the answers after the L bits of the result."""

    name: str
    result: str
    ends: tuple[str, ...]
    zero_taken: bool = False  # whether the branch is also taken where the difference is 0

    @property
    def symbols(self) -> int:
        """How many symbols its tapes use, the padding included."""
        return FIRST_END + len(self.ends)

    @property
    def adds(self) -> bool:
        """Whether it adds; else it subtracts the second operand from the first."""
        return self.result == "sum"

    def answer(self, first: int, second: int, length: int) -> int:
        """The exact answer, bit i of it for position i: plain integer arithmetic on operands of `length` bits."""
        if self.adds:
            return first + second  # the carry is bit `length` of the sum
        difference = (first - second) % (1 << length)
        taken = difference >> (length - 1) == 1 or (self.zero_taken and difference == 0)
        known = {"borrow": first < second, "taken": taken}
        return difference | sum(known[end] << (length + k) for k, end in enumerate(self.ends))


SUBTRACT_SBN = Task("subtract-sbn", "difference", ("borrow", "taken"))
SUBTRACT_SUBLEQ = Task("subtract-subleq", "difference", ("borrow", "taken"), zero_taken=True)
ADD = Task("add", "sum", ("carry",))
TASKS = {task.name: task for task in (SUBTRACT_SBN, SUBTRACT_SUBLEQ, ADD)}
UNIT_TASKS = {"sbn": SUBTRACT_SBN, "subleq": SUBTRACT_SUBLEQ}
# What the machine uses, and no borrow: tapes with one end.
BRANCH_SBN = Task("branch-sbn", "difference", ("taken",))
BRANCH_SUBLEQ = Task("branch-subleq", "difference", ("taken",), zero_taken=True)
BRANCH_TASKS = {"sbn": BRANCH_SBN, "subleq": BRANCH_SUBLEQ}


def lay_out(task: Task, first: np.ndarray, second: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Bits uint8 [count, L] of operands of `lengths` <= L bits -> symbols uint8 [count, L + ends], padded with 0."""
    count, longest = first.shape
    position = np.arange(longest)
    symbols = np.zeros((count, longest + len(task.ends)), np.uint8)
    symbols[:, :longest] = np.where(position < lengths[:, None], FIRST_DIGIT + 2 * first + second, PAD)
    for k in range(len(task.ends)):
        symbols[np.arange(count), lengths + k] = FIRST_END + k
    return symbols


def answers(task: Task, first: np.ndarray, second: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The exact answers, uint8 [count, L + ends]; 0 after the end of a shorter tape."""
    exact = [
        task.answer(a, b, int(length)) for a, b, length in zip(to_ints(first), to_ints(second), lengths, strict=True)
    ]
    return to_bits(exact, first.shape[1] + len(task.ends))


def to_ints(bits: np.ndarray) -> list[int]:
    """uint8 [count, L] of 0 and 1, least significant first -> integers."""
    return [int.from_bytes(row.tobytes(), "little") for row in np.packbits(bits, axis=1, bitorder="little")]


def to_bits(numbers: Sequence[int], length: int) -> np.ndarray:
    """Integers 0 .. 2^length - 1 -> uint8 [count, length] of 0 and 1, least significant first."""
    size = -(-length // 8)
    packed = np.frombuffer(b"".join(number.to_bytes(size, "little") for number in numbers), np.uint8)
    return np.unpackbits(packed.reshape(len(numbers), size), axis=1, count=length, bitorder="little")
