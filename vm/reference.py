"""The machine in plain Python: what every other executor is compared with.

SBN, subtract and branch if negative, is the only instruction. It is three words `A B C` at `pc`, `pc + 1`, `pc + 2`:

    mem[B] <- mem[B] - mem[A];  if the result is negative, pc <- C, else pc <- pc + 3

SUBLEQ is the same with "negative or zero". Words are `word_bits` wide, two's complement, kept here as 0 ... 2^W - 1,
so a word is negative when it is 2^(W-1) or more. Address 2^W - 1, that is -1, is the console and never memory:
as A it reads a byte (-1 at the end of the input), as B it writes one; such an instruction does not branch. Other
input modes make it do so, or read 0 at the end, or read and write numbers in decimal digits.
"""

import enum
import re
from collections.abc import Iterable
from typing import NamedTuple

DEFAULT_MEMORY_LIMIT = 65_536  # words; the default memory is 2^W words, or this where that is more


class Stop(enum.Enum):
    """Why a run came to rest."""

    BUDGET = "the step budget is spent"
    HALTED = "pc is negative"
    PC_OUTSIDE = "the instruction at pc does not lie inside memory"
    BAD_ADDRESS = "an operand address lies outside memory"


class Run(NamedTuple):
    """What one call of `ReferenceMachine.run` did; the lists have one entry for each executed instruction."""

    stop: Stop
    bad_address: int | None  # the address at fault, with BAD_ADDRESS only
    pcs: list[int]  # where the instruction stood
    addresses: list[int]  # where it wrote; 2^W - 1 for the console
    words: list[int]  # what it wrote; a byte for the console


class ReferenceMachine:
    """One machine, from boot to rest.

    `isa` is "sbn" or "subleq". `input_mode` says how a byte v enters a cell: "set" it to v, "add" v or "sub"tract v;
    with "_numbers" added, v is the next number in the input, and what is written is a number in a line of its own;
    with "_zero", v is 0 at the end of the input; with "_branch_in" a read goes to C if the cell is negative
    then (or zero, in SUBLEQ), and with "_branch_io" a write, too, if 0 minus what it was given is.

    Attributes:
      memory: the words, each 0 ... 2^W - 1.
      pc: address of the next instruction.
      steps: instructions executed since boot.
      input: the bytes to read; more may be appended between runs.
      input_position: how many of them were read.
      output: the bytes written since boot.
    """

    def __init__(
        self,
        words: Iterable[int],
        word_bits: int = 16,
        isa: str = "sbn",
        entry: int = 0,
        memory_size: int | None = None,
        input_mode: str = "set",
        input: bytes = b"",
    ) -> None:
        if isa not in ("sbn", "subleq"):
            raise ValueError(f"isa is 'sbn' or 'subleq', not {isa!r}")
        mode = re.fullmatch("(set|add|sub)(_numbers)?(_zero)?(_branch_in|_branch_io)?", input_mode)
        if mode is None:
            raise ValueError(
                f"input_mode is 'set', 'add' or 'sub', then possibly '_numbers', '_zero', and "
                f"'_branch_in' or '_branch_io', not {input_mode!r}"
            )
        self.word_bits = word_bits
        self.isa = isa
        self.input_mode = input_mode
        self._combine, numbers, zero, branching = mode.groups()
        self._numbers = numbers is not None
        self._end = 0 if zero else -1
        self._branching = branching or ""
        self._mask = 2**word_bits - 1
        self.memory = [word & self._mask for word in words]
        if memory_size is None:
            memory_size = max(len(self.memory), min(2**word_bits, DEFAULT_MEMORY_LIMIT))
        if memory_size < len(self.memory):
            raise ValueError(f"an image of {len(self.memory)} words does not fit into {memory_size} words of memory")
        self.memory += [0] * (memory_size - len(self.memory))
        self.pc = entry & self._mask
        self.steps = 0
        self.input = bytearray(input)
        self.input_position = 0
        self.output = bytearray()

    def run(self, max_steps: int) -> Run:
        """Executes at most `max_steps` instructions.

        A stop other than BUDGET is a property of the state alone: it is reported even when the budget is spent too,
        and again, after no step, by every later call.
        """
        memory = self.memory
        mask = self._mask
        negative = 2 ** (self.word_bits - 1)
        pc_end = min(negative, len(memory) - 2)  # from here on, pc is negative or outside
        data_end = min(mask, len(memory))  # from here on, an address is the console or bad
        subleq = self.isa == "subleq"
        pcs: list[int] = []
        addresses: list[int] = []
        words: list[int] = []
        record_pc, record_address, record_word = pcs.append, addresses.append, words.append
        pc = self.pc
        for _ in range(max_steps):
            if pc >= pc_end:
                break
            a, b, c = memory[pc], memory[pc + 1], memory[pc + 2]
            if a < data_end and b < data_end:
                word = memory[b] = (memory[b] - memory[a]) & mask
                branch = word >= negative or (subleq and word == 0)
            elif self._fault(a, b) is None:
                word, deciding = self._console(a, b)
                branch = deciding is not None and (deciding >= negative or (subleq and deciding == 0))
            else:
                break
            record_pc(pc)
            record_address(b)
            record_word(word)
            pc = c if branch else (pc + 3) & mask
        self.pc = pc
        self.steps += len(pcs)
        return Run(*self._rest(), pcs, addresses, words)

    def _rest(self) -> tuple[Stop, int | None]:
        """Why the machine does not go on, as its state alone tells."""
        pc = self.pc
        if pc >= 2 ** (self.word_bits - 1):
            return Stop.HALTED, None
        if pc + 2 >= len(self.memory):
            return Stop.PC_OUTSIDE, None
        fault = self._fault(self.memory[pc], self.memory[pc + 1])
        if fault is not None:
            return Stop.BAD_ADDRESS, fault
        return Stop.BUDGET, None

    def _fault(self, a: int, b: int) -> int | None:
        """The first of two operand addresses that is neither the console nor in memory."""
        for address in (a, b):
            if address != self._mask and address >= len(self.memory):
                return address
        return None

    def _console(self, a: int, b: int) -> tuple[int, int | None]:
        """Executes a console instruction; returns the word or byte it wrote, and the word it branches on, if any."""
        console = self._mask
        if a == console:
            value = self._read()
        else:
            value = self.memory[a]
        if b == console:
            return self._write(value), -value & self._mask if self._branching == "_branch_io" else None
        if self._combine == "add":
            value = self.memory[b] + value
        elif self._combine == "sub":
            value = self.memory[b] - value
        self.memory[b] = value & self._mask
        return self.memory[b], self.memory[b] if self._branching else None

    def _write(self, value: int) -> int:
        """Writes a byte or a number; returns it, as a word."""
        if not self._numbers:
            self.output.append(value & 255)
            return value & 255
        word = value & self._mask
        self.output += b"%d\n" % (word - (self._mask + 1 if word >> (self.word_bits - 1) else 0))
        return word

    def _read(self) -> int:
        """The next input byte or number, or what the mode has at the end of the input."""
        if self._numbers:
            found = re.compile(rb"-?\d{1,1000}").search(self.input, self.input_position)
            if found is None:
                return self._end
            self.input_position = found.end()
            return int(found[0])
        if self.input_position == len(self.input):
            return self._end
        self.input_position += 1
        return self.input[self.input_position - 1]
