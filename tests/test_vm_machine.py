"""What one step means, on every unit, sentence by sentence."""

from typing import Any

import numpy as np
import pytest
from marks import slow
from unit_bench import SIZE, Bench, every_unit

from assembler import Image, assemble
from assembler.image import INPUT_MODES, signed
from vm import Halt, Machine
from vm.reference import ReferenceMachine

SEED = 20_250_217

either_unit = pytest.mark.parametrize("name", ["native", *slow("ntk-limit")])


@pytest.fixture
def bench(request, unit_of) -> Bench:
    return Bench(unit_of(*request.param))


@pytest.fixture
def native(unit_of):
    return lambda word_bits=16, isa="sbn": Bench(unit_of("native", word_bits, isa))


# --- subtraction and branch -------------------------------------------------------------------------------------------


@every_unit
def test_the_source_is_subtracted_from_the_destination(bench):
    machine = bench.after([3, 4, 6, 1, 7])
    assert machine.memory.tolist() == [3, 4, 6, 1, 6] + [0] * 11
    assert machine.pc == 3


@every_unit
def test_the_branch_looks_at_the_wrapped_result(bench):
    least, most = bench.least, bench.least - 1
    assert bench.subtract(2, 5) == (2**bench.word_bits - 3, True)
    assert bench.subtract(5, 2) == (3, False)
    assert bench.subtract(5, 5) == (0, bench.zero_branches)
    assert bench.subtract(least, 1) == (most, False)
    assert bench.subtract(0, least) == (least, True)
    assert bench.subtract(most, bench.console) == (least, True)
    assert bench.subtract(0, 1) == (bench.console, True)
    assert bench.subtract(bench.console, bench.console) == (0, bench.zero_branches)


@every_unit
def test_a_cell_minus_itself_is_zero_and_branches_under_subleq_only(bench):
    for word in (0, 1, bench.least - 1, bench.least, bench.console):
        machine = bench.after([3, 3, 6, word])
        assert (int(machine.memory[3]), machine.pc) == (0, 6 if bench.zero_branches else 3)


# --- fetch ------------------------------------------------------------------------------------------------------------


@every_unit
def test_code_modifies_itself(bench):
    machine = bench.after([9, 4, 3, 10, 12, 6, 0, 0, 0, 1, 2, 5], 2)
    assert machine.memory.tolist()[4] == 11
    assert machine.memory.tolist()[11] == 3
    assert machine.pc == 6


@every_unit
def test_an_instruction_just_written_is_the_one_executed(bench):
    # 0: sbn 9, 5 makes the target of the instruction at 3 from 7 to 6, which is then taken
    machine = bench.after([9, 5, 3, 9, 10, 7, 0, 0, 0, 1, 0], 2)
    assert machine.pc == 6


@every_unit
def test_an_instruction_is_fetched_whole_before_anything_is_written(bench):
    overwrites_its_target = bench.after([4, 2, 7, 0, 10])
    assert (int(overwrites_its_target.memory[2]), overwrites_its_target.pc) == (2**bench.word_bits - 3, 7)
    overwrites_its_source = bench.after([3, 0, 6, 5])
    assert (int(overwrites_its_source.memory[0]), overwrites_its_source.pc) == (2**bench.word_bits - 2, 6)
    read_over_its_target = bench.after([bench.console, 2, 6], input=b"\x05")
    assert (int(read_over_its_target.memory[2]), read_over_its_target.pc) == (5, 3)


@every_unit
def test_an_instruction_may_stand_at_any_address(bench):
    machine = bench.machine([0, 0, 5, 6, 1, 3, 7], entry=2)
    machine.run(1)
    assert (int(machine.memory[6]), machine.pc) == (4, 5)


# --- halting and errors -----------------------------------------------------------------------------------------------


@every_unit
def test_any_negative_pc_halts(bench):
    for target in (bench.console, bench.least, bench.least + 2):
        machine = bench.machine([3, 4, target, 1, 0])
        outcome = machine.run(1)
        assert (outcome.halt, outcome.steps, machine.pc) == (Halt.HALTED, 1, target)
        again = machine.run(5)
        assert (again.halt, again.steps, machine.steps, machine.pc) == (Halt.HALTED, 0, 1, target)


@every_unit
def test_a_negative_entry_halts_after_no_step(bench):
    machine = bench.machine([3, 3, 6, 1], entry=bench.least)
    outcome = machine.run()
    assert (outcome.halt, outcome.steps, machine.pc, outcome.margin) == (Halt.HALTED, 0, bench.least, float("inf"))


@either_unit
def test_falling_through_the_largest_positive_pc_halts(name, unit_of):
    machine = Bench(unit_of(name, 4, "sbn")).machine([0] * 16, entry=6)
    outcome = machine.run()
    assert (outcome.halt, outcome.steps, machine.pc) == (Halt.HALTED, 1, 9)


@every_unit
def test_an_instruction_must_lie_inside_memory_whole(bench):
    if bench.word_bits == 4:
        return  # from 8 on, pc is negative
    for pc, steps in ((13, 1), (14, 0), (15, 0), (16, 0), (bench.least - 1, 0)):
        machine = bench.machine([0] * 15 + [90], entry=pc)
        outcome = machine.run()
        assert (outcome.halt, outcome.steps) == (Halt.PC_OUTSIDE, steps)
        assert machine.pc == (pc if not steps else 90 if bench.zero_branches else 16)
        again = machine.run(3)
        assert (again.halt, again.steps, machine.steps) == (Halt.PC_OUTSIDE, 0, steps)


@every_unit
def test_a_bad_target_is_an_error_of_the_next_step_only(bench):
    if bench.word_bits == 4:
        return
    machine = bench.machine([3, 4, 90, 1, 0])
    outcome = machine.run()
    assert (outcome.halt, outcome.steps, machine.pc) == (Halt.PC_OUTSIDE, 1, 90)
    untaken = bench.after([4, 5, 90, 0, 1, 7])
    assert untaken.pc == 3


@every_unit
def test_an_address_outside_memory_is_an_error_that_changes_nothing(bench):
    if bench.word_bits == 4:
        return
    console = bench.console
    for words, at_fault in (
        ([16, 3, 6], "A = 16"),
        ([3, 16, 6], "B = 16"),
        ([70, 80, 6], "A = 70"),
        ([80, 70, 6], "A = 80"),
        ([console, 80, 6], "B = 80"),
        ([70, console, 6], "A = 70"),
        ([console - 1, console - 2, 6], f"A = {console - 1}"),
        ([bench.least, 3, 6], f"A = {bench.least}"),
    ):
        machine = bench.machine(words, input=b"x")
        before = machine.memory.tolist()
        for steps in (None, 5):
            outcome = machine.run(steps)
            assert (outcome.halt, outcome.steps, outcome.output) == (Halt.BAD_ADDRESS, 0, b"")
            assert f"at pc 0 has an operand {at_fault}, outside the memory of 16 words" in outcome.message
            assert (machine.memory.tolist(), machine.pc, machine.steps) == (before, 0, 0)


def test_a_step_in_error_reads_no_input(native):
    machine = native().machine([0xFFFF, 70, 6, 0xFFFF, 0xFFFF, 6], input=b"x")
    assert machine.run().halt is Halt.BAD_ADDRESS
    echo = native().machine([0xFFFF, 9, 3, 70, 0xFFFF, 6], input=b"x")
    assert (echo.run().steps, int(echo.memory[9])) == (1, ord("x"))


@pytest.mark.parametrize("memory", [1, 2])
@either_unit
def test_a_memory_with_no_room_for_an_instruction_has_every_pc_outside(memory, name, unit_of):
    machine = Machine(Image([0] * memory, memory=memory), unit_of(name))
    for steps in (0, 1, None):
        outcome = machine.run(steps)
        assert (outcome.halt, outcome.steps, machine.pc) == (Halt.PC_OUTSIDE, 0, 0)
    assert machine.memory.tolist() == [0] * memory
    assert Machine(Image([0] * memory, memory=memory, entry=-1), unit_of(name)).run().halt is Halt.HALTED


@either_unit
def test_a_memory_of_three_words_holds_one_instruction(name, unit_of):
    machine = Machine(Image([1, 2, -1], memory=3), unit_of(name))
    outcome = machine.run()  # mem[2] = -1 - 2 = -3: negative, to -1
    assert (outcome.halt, outcome.steps, machine.memory.tolist()) == (Halt.HALTED, 1, [1, 2, 0xFFFD])
    assert Machine(Image([3, 0, 0], memory=3), unit_of(name)).run().halt is Halt.BAD_ADDRESS


@either_unit
def test_an_operand_address_with_its_top_bit_set_is_legal_below_the_size_of_memory(name, unit_of):
    words = [0x80, 0xFE, -1] + [0] * 253
    words[0x80], words[0xFE] = 5, 3
    machine = Machine(Image(words, 8), unit_of(name, 8))
    assert machine.size == 256
    assert machine.run().halt is Halt.HALTED
    assert int(machine.memory[0xFE]) == 254


@either_unit
def test_the_console_is_no_memory_even_where_memory_has_that_address(name, unit_of):
    words = [15, 15, 3, 15, 9, 6, 15, 10, -1] + [0] * 6 + [5]
    machine = Machine(Image(words, 4), unit_of(name, 4), input=b"\x07\x02")
    outcome = machine.run(3)
    assert machine.output == b"\x07"
    assert machine.memory.tolist()[9:] == [2, 15, 0, 0, 0, 0, 5]
    assert (outcome.steps, outcome.console_steps, outcome.margin) == (3, 3, float("inf"))


# --- console ----------------------------------------------------------------------------------------------------------


@every_unit
def test_reading_stores_the_next_byte_and_past_the_end_minus_one(bench):
    machine = bench.after([bench.console, 9, -1, bench.console, 10, -1, 0, 0, 0, 7, 7], 2, b"\x00\xff")
    assert machine.memory.tolist()[9:11] == [0, 255 & bench.console]
    assert machine.pc == 6
    ended = bench.after([bench.console, 9, -1, bench.console, 10, -1], 2, b"")
    assert ended.memory.tolist()[9:11] == [bench.console] * 2
    assert ended.pc == 6


@every_unit
def test_writing_sends_the_low_byte_and_falls_through(bench):
    machine = bench.after([9, bench.console, -1, 10, bench.console, -1, 0, 0, 0, 5, bench.console], 2)
    assert machine.output == bytes([5, bench.console & 255])
    assert machine.memory.tolist()[9:11] == [5, bench.console]
    assert machine.pc == 6


@every_unit
def test_the_console_as_both_operands_copies_a_byte(bench):
    machine = bench.after([bench.console, bench.console, -1] * 2, 2, b"\xe9")
    assert (machine.output, machine.pc) == (b"\xe9\xff", 6)


def test_sbn_of_the_console_alone_reads_and_writes(native):
    machine = Machine(assemble(".width 16\n sbn -1\n sbn -1\n"), native().unit, input=b"q", memory=SIZE)
    machine.run(2)
    assert machine.output == b"q\xff"


@either_unit
@pytest.mark.parametrize(
    ("input_mode", "words"), [("set", [5, 0xFF, 0xFF]), ("add", [105, 99, 0]), ("sub", [95, 101, 2])]
)
def test_the_input_mode_says_how_a_byte_enters_memory(input_mode, words, name, unit_of):
    image = Image([255, 12, 3, 255, 13, 6, 255, 14, -1, 0, 0, 0, 100, 100, 1], 8)
    machine = Machine(image, unit_of(name, 8), input=b"\x05", memory=SIZE, input_mode=input_mode)
    assert machine.run(3).console_steps == 3
    assert machine.memory.tolist()[12:15] == words
    in_image = Image(image.words, 8, input_mode=input_mode)
    same = Machine(in_image, unit_of(name, 8), input=b"\x05", memory=SIZE)
    same.run(3)
    assert same.memory.tolist() == machine.memory.tolist()


@pytest.mark.parametrize("word_bits", [4, 64, *slow(8, 33)])
@pytest.mark.parametrize("input_mode", ["add", "sub"])
def test_input_arithmetic_wraps_at_any_width(word_bits, input_mode, unit_of):
    modulus, sign = 2**word_bits, 1 if input_mode == "add" else -1
    for start in (0, 1, modulus - 1, modulus // 2, 2**32 % modulus, (2**32 - 1) % modulus):
        image = Image([-1, 3, 6, start], word_bits, input_mode=input_mode)
        for input in (b"\xab", b""):
            machine = Machine(image, unit_of("native", word_bits), input=input, memory=SIZE)
            machine.run(1)
            byte = input[0] if input else -1
            assert int(machine.memory[3]) == (start + sign * byte) % modulus


CONSOLE_MODES = [(mode, width, isa) for mode in INPUT_MODES for width in (4, 8, 33) for isa in ("sbn", "subleq")]
QUICK_MODES = {("set_branch_in", 8, "subleq"), ("add_branch_in", 33, "subleq"), ("sub_zero_branch_io", 4, "sbn")}


@pytest.mark.parametrize(
    ("input_mode", "word_bits", "isa"),
    [pytest.param(*form, marks=() if form in QUICK_MODES else pytest.mark.slow) for form in CONSOLE_MODES],
)
def test_every_input_mode_is_that_of_the_reference(input_mode, word_bits, isa, unit_of):
    """Words of which a third is the console; checking is on, so that a step that differs ends the run."""
    mode = INPUT_MODES[input_mode]
    # A byte of a wide word, or the 0 at the end, is not negative.
    never = input_mode == "set_zero_branch_in" and isa == "sbn" and word_bits > 8
    branches, sizes = 0, min(SIZE, 2**word_bits - 1)
    for seed in range(SEED, SEED + 60):
        rng = np.random.default_rng(seed)
        words = [-1 if rng.integers(3) == 0 else int(rng.integers(0, sizes)) for _ in range(sizes)]
        image = Image(words, word_bits, isa, input_mode=input_mode)
        given = rng.integers(-99, 100, int(rng.integers(0, 5))).tolist()
        text = " ".join(map(str, given)).encode() if mode.numbers else bytes(each % 256 for each in given)
        machine = Machine(image, unit_of("native", word_bits, isa), text, memory=sizes)
        chunks: list[Any] = []
        assert machine.run(40, chunks.append).halt is not Halt.DIVERGED
        assert chunks or machine.steps == 0
        before = ReferenceMachine(words, word_bits, isa, 0, sizes, input_mode, machine._given or b"")
        while before.steps < machine.steps:
            is_console = -1 in (signed(word, word_bits) for word in before.memory[before.pc : before.pc + 2])
            after = (before.pc + 3) % 2**word_bits
            before.run(1)
            branches += is_console and before.pc != after
    assert (branches > 0) == ("branch" in input_mode and not never)


def test_a_read_that_goes_to_itself_is_no_standstill_while_there_is_input(unit_of):
    image = Image([-1, 3, 0, 0, 3, -1, 6, -1, -1, -1], 8, "subleq", input_mode="set_branch_in")
    machine = Machine(image, unit_of("native", 8, "subleq"), input=b"\0\0\0", memory=SIZE)
    outcome = machine.run()
    assert (outcome.halt, outcome.steps) == (Halt.STANDS_STILL, 5)  # the end, at the second time, changes nothing
    machine = Machine(image, unit_of("native", 8, "subleq"), input=b"\0\0\0a", memory=SIZE)
    assert machine.run(4).steps == 4
    assert machine.pc == 3


def test_at_eight_bits_byte_255_and_the_end_of_input_are_the_same_word(native):
    machine = native(8).after([0xFF, 9, 0, 0xFF, 10, 0], 2, b"\xff")
    assert machine.memory.tolist()[9:11] == [0xFF, 0xFF]


# --- random programs --------------------------------------------------------------------------------------------------

MEMORY = 48


def random_program(rng: np.random.Generator, word_bits: int) -> list[int]:
    """Ten instructions and 18 words of data. They read and write the console, their own code, edges and nonsense."""
    modulus = 2**word_bits
    edges = [0, 1, modulus - 1, modulus // 2, modulus // 2 - 1, MEMORY - 1, MEMORY]

    def operand() -> int:
        kind = rng.integers(0, 50)
        if kind < 40:
            return int(rng.integers(30, MEMORY))
        return modulus - 1 if kind < 44 else int(rng.integers(0, MEMORY)) if kind < 49 else edges[rng.integers(7)]

    def target() -> int:
        kind = rng.integers(0, 50)
        return int(rng.integers(0, 10)) * 3 if kind < 46 else int(rng.integers(0, MEMORY)) if kind < 49 else modulus - 1

    code = [word for _ in range(10) for word in (operand(), operand(), target())]
    data = [
        edges[rng.integers(7)] if rng.integers(3) == 0 else int(rng.integers(0, 2**64, dtype=np.uint64)) % modulus
        for _ in range(18)
    ]
    return code + data


@pytest.mark.parametrize(
    ("name", "word_bits", "isa", "count"),
    [("native", 8, "sbn", 60), ("native", 64, "subleq", 60), ("ntk", 16, "sbn", 40)]
    + slow(("ntk-limit", 33, "sbn", 60), ("ntk", 16, "subleq", 40))
    + [pytest.param(name, w, isa, 300, marks=pytest.mark.slow)
       for name in ("native", "ntk-limit", "ntk") for w in (8, 16, 33, 64) for isa in ("sbn", "subleq")],
)  # fmt: skip
def test_random_programs_agree_with_the_reference_at_every_step(name, word_bits, isa, count, unit_of):
    """Checking is off, so that it is the machine that is compared, not its checker; the seed of each is in the text."""
    unit, steps = unit_of(name, word_bits, isa), 0
    for seed in range(SEED, SEED + count):
        rng = np.random.default_rng(seed)
        words, input = random_program(rng, word_bits), rng.bytes(int(rng.integers(0, 5)))
        reference = ReferenceMachine(words, word_bits, isa, 0, MEMORY, "set", input)
        expected = reference.run(300)
        machine = Machine(Image(words, word_bits, isa), unit, input=input, memory=MEMORY, check=False)
        found = [], [], []

        def note(chunk, found=found):
            for column, part in zip(found, (chunk.pcs, chunk.addresses, chunk.words), strict=True):
                column.extend(part)

        outcome = machine.run(300, note)
        assert found == (expected.pcs, expected.addresses, expected.words), seed
        assert machine.memory.tolist() == reference.memory, seed
        assert (machine.pc, machine.steps, machine.output) == (reference.pc, reference.steps, reference.output), seed
        if outcome.steps < 300:
            assert outcome.halt.name == expected.stop.name, seed
        steps += outcome.steps
    assert steps > 20 * count
