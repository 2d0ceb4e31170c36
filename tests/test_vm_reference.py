"""The reference executor against the definition of the machine, sentence by sentence."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vm.reference import ReferenceMachine, Stop

CONSOLE = 0xFFFF  # the console's address at the default width
MIN, MAX = 0x8000, 0x7FFF

both_isas = pytest.mark.parametrize("isa", ["sbn", "subleq"])


def one_step(words: list[int], **options) -> ReferenceMachine:
    """A machine that has executed exactly one instruction."""
    machine = ReferenceMachine(words, **options)
    assert len(machine.run(1).pcs) == 1
    return machine


def subtract(minuend: int, subtrahend: int, isa: str = "sbn", word_bits: int = 16) -> tuple[int, bool]:
    """The difference one instruction leaves, and whether it branched."""
    machine = one_step([3, 4, 6, subtrahend, minuend, 0, 0, 0, 0], isa=isa, word_bits=word_bits)
    assert machine.pc in (3, 6)
    return machine.memory[4], machine.pc == 6


# --- subtraction and branch -------------------------------------------------------------------------------------------


@both_isas
def test_the_source_is_subtracted_from_the_destination(isa):
    machine = one_step([3, 4, 6, 5, 12], isa=isa)
    assert machine.memory[:5] == [3, 4, 6, 5, 7]
    assert machine.pc == 3


@both_isas
def test_a_negative_result_branches(isa):
    assert subtract(2, 5, isa) == (0x10000 - 3, True)


def test_a_zero_result_branches_under_subleq_only():
    assert subtract(5, 5, "sbn") == (0, False)
    assert subtract(5, 5, "subleq") == (0, True)


def test_sbn_of_a_cell_from_itself_clears_it_and_never_branches():
    for word in (0, 1, MAX, MIN, 0xFFFF):
        machine = one_step([3, 3, 6, word])
        assert (machine.memory[3], machine.pc) == (0, 3)


def test_subleq_of_a_cell_from_itself_clears_it_and_always_branches():
    for word in (0, 1, MAX, MIN, 0xFFFF):
        machine = one_step([3, 3, 6, word], isa="subleq")
        assert (machine.memory[3], machine.pc) == (0, 6)


@both_isas
def test_the_branch_looks_at_the_wrapped_result(isa):
    assert subtract(MIN, 1, isa) == (MAX, False)
    assert subtract(0, MIN, isa) == (MIN, True)
    assert subtract(MAX, 0xFFFF, isa) == (MIN, True)


@both_isas
@pytest.mark.parametrize("word_bits", [4, 5])
def test_every_pair_of_small_words_agrees_with_the_definition(isa, word_bits):
    modulus = 2**word_bits
    for minuend in range(modulus):
        for subtrahend in range(modulus):
            difference = (minuend - subtrahend) % modulus
            negative = difference >= modulus // 2
            branch = negative or (isa == "subleq" and difference == 0)
            assert subtract(minuend, subtrahend, isa, word_bits) == (difference, branch)


@given(word_bits=st.integers(4, 64), data=st.data())
def test_words_of_any_width_agree_with_the_definition(word_bits, data):
    word = st.integers(0, 2**word_bits - 1)
    minuend, subtrahend = data.draw(word), data.draw(word)
    difference = (minuend - subtrahend) % 2**word_bits
    assert subtract(minuend, subtrahend, "sbn", word_bits) == (difference, difference >= 2 ** (word_bits - 1))


def test_sixty_four_bit_words_wrap_at_sixty_four_bits():
    smallest = 2**63
    assert subtract(smallest, 1, word_bits=64) == (smallest - 1, False)
    assert subtract(0, smallest, word_bits=64) == (smallest, True)
    assert subtract(0, 1, word_bits=64) == (2**64 - 1, True)


# --- fetch ------------------------------------------------------------------------------------------------------------


def test_an_instruction_may_stand_at_any_address():
    machine = one_step([0, 0, 5, 6, 9, 3, 10], entry=2)
    assert machine.memory[6] == 7
    assert machine.pc == 5


def test_code_modifies_itself():
    machine = ReferenceMachine([9, 4, 3, 10, 12, 6, 0, 0, 0, 1, 2, 40])
    run = machine.run(2)
    assert run.addresses == [4, 11]
    assert run.words == [11, 38]


def test_an_instruction_is_fetched_whole_before_anything_is_written():
    overwrites_its_target = one_step([4, 2, 7, 0, 10])
    assert overwrites_its_target.memory[2] == 0x10000 - 3
    assert overwrites_its_target.pc == 7
    overwrites_its_source = one_step([3, 0, 6, 5])
    assert overwrites_its_source.memory[0] == 0x10000 - 2
    assert overwrites_its_source.pc == 6
    read_over_its_target = one_step([CONSOLE, 2, 6, 0], input=b"\x09")
    assert read_over_its_target.memory[2] == 9
    assert read_over_its_target.pc == 3


def test_a_bad_branch_target_is_an_error_of_the_next_step_only():
    machine = ReferenceMachine([3, 4, 500, 1, 0], memory_size=100)
    run = machine.run(1)
    assert len(run.pcs) == 1
    assert machine.pc == 500
    assert machine.run(1).stop is Stop.PC_OUTSIDE


def test_an_unused_bad_branch_target_is_no_error():
    machine = ReferenceMachine([4, 5, 500, 3, 1, 7], memory_size=100)
    machine.run(1)
    assert machine.pc == 3


# --- halting and errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [-1, MIN, -300])
def test_any_negative_pc_halts(target):
    machine = ReferenceMachine([3, 4, target, 1, 0])
    run = machine.run(10)
    assert run.stop is Stop.HALTED
    assert len(run.pcs) == machine.steps == 1
    assert machine.pc == target % 0x10000


def test_a_negative_pc_halts_even_where_memory_lies():
    machine = ReferenceMachine([3, 3, 6, 0] + [0] * 12, word_bits=4, entry=8, memory_size=16)
    assert machine.run(5).stop is Stop.HALTED
    assert machine.steps == 0


def test_falling_through_the_largest_positive_pc_halts():
    machine = ReferenceMachine([0] * 16, word_bits=4, entry=6)
    run = machine.run(5)
    assert run.pcs == [6]
    assert run.stop is Stop.HALTED
    assert machine.pc == 9


@pytest.mark.parametrize(("pc", "steps"), [(5, 1), (6, 0), (7, 0), (8, 0), (MAX, 0)])
def test_an_instruction_must_lie_inside_memory_whole(pc, steps):
    machine = ReferenceMachine([0] * 8, entry=pc, memory_size=8)
    assert machine.run(9).stop is Stop.PC_OUTSIDE
    assert machine.steps == steps


def test_an_instruction_does_not_wrap_around_the_end_of_memory():
    machine = ReferenceMachine([0] * 0x8000, entry=0x7FFE, memory_size=0x8000)
    assert machine.run(1).stop is Stop.PC_OUTSIDE
    assert machine.steps == 0


def test_an_address_is_bad_from_the_size_of_memory_on():
    assert one_step([7, 6, 3], memory_size=8).steps == 1
    run = ReferenceMachine([8, 6, 3], memory_size=8).run(1)
    assert (run.stop, run.bad_address) == (Stop.BAD_ADDRESS, 8)
    run = ReferenceMachine([7, 8, 3], memory_size=8).run(1)
    assert (run.stop, run.bad_address) == (Stop.BAD_ADDRESS, 8)


@pytest.mark.parametrize(
    ("a", "b", "at_fault"),
    [(70, 80, 70), (80, 70, 80), (1, 80, 80), (CONSOLE, 80, 80), (70, CONSOLE, 70), (-2, -3, 0xFFFE)],
)
def test_a_is_tested_before_b_in_console_instructions_too(a, b, at_fault):
    run = ReferenceMachine([a, b, 3], memory_size=60, input=b"x").run(1)
    assert (run.stop, run.bad_address) == (Stop.BAD_ADDRESS, at_fault)


def test_an_operand_address_with_its_top_bit_set_is_legal_below_the_size_of_memory():
    machine = one_step([0xFFFE, 0x8000, 3], memory_size=0x10000)
    assert machine.pc == 3
    machine = ReferenceMachine([9, 12, 3, 0, 0, 0, 0, 0, 0, 5, 0, 0, 2], word_bits=4)
    machine.run(1)
    assert machine.memory[12] == 13


@pytest.mark.parametrize("words", [[70, 3, 6, 1], [CONSOLE, 70, 6, 1], [70, CONSOLE, 6, 1]])
def test_an_instruction_in_error_changes_nothing_and_is_not_counted(words):
    machine = ReferenceMachine(words, memory_size=60, input=b"x")
    before = list(machine.memory)
    first = machine.run(5)
    assert first.stop is Stop.BAD_ADDRESS
    assert first.pcs == first.addresses == first.words == []
    assert machine.memory == before
    assert (machine.pc, machine.steps, machine.input_position, machine.output) == (0, 0, 0, b"")
    assert machine.run(5) == first
    assert machine.run(0) == first


@pytest.mark.parametrize("stop", [Stop.HALTED, Stop.PC_OUTSIDE, Stop.BAD_ADDRESS])
def test_a_stopped_machine_stops_again_for_the_same_reason_after_no_step(stop):
    words = {
        Stop.HALTED: [3, 4, -1, 1, 0],
        Stop.PC_OUTSIDE: [3, 4, 90, 1, 0],
        Stop.BAD_ADDRESS: [8, 9, 5, 0, 0, 77, 77, 0, 1, 0],
    }[stop]
    machine = ReferenceMachine(words, memory_size=60)
    first = machine.run(10)
    assert (first.stop, len(first.pcs)) == (stop, 1)
    again = machine.run(10)
    assert (again.stop, again.bad_address, again.pcs) == (first.stop, first.bad_address, [])
    assert machine.steps == 1


# --- budget -----------------------------------------------------------------------------------------------------------

COUNTDOWN = [9, 11, -1, 10, 10, 6, 9, 10, 0, 1, 0, 4]  # 0: sbn one, n, -1 · 3: sbn zero, zero · 6: sbn one, zero, 0


def test_a_run_executes_no_more_than_its_budget():
    machine = ReferenceMachine(COUNTDOWN)
    assert machine.run(0).stop is Stop.BUDGET
    assert machine.steps == 0
    run = machine.run(5)
    assert run.stop is Stop.BUDGET
    assert len(run.pcs) == machine.steps == 5


def halting_program(steps: int) -> list[int]:
    """Clears a cell `steps - 1` times, then jumps to -1."""
    last = 3 * (steps - 1)
    one, cell = last + 3, last + 4
    return [word for pc in range(0, last, 3) for word in (cell, cell, pc + 3)] + [one, cell, -1, 1, 0]


@given(steps=st.integers(1, 12))
def test_a_program_of_n_steps_halts_under_a_budget_of_n(steps):
    machine = ReferenceMachine(halting_program(steps))
    run = machine.run(steps)
    assert run.stop is Stop.HALTED
    assert len(run.pcs) == steps
    machine = ReferenceMachine(halting_program(steps))
    assert machine.run(steps - 1).stop is Stop.BUDGET


def test_an_error_is_tested_before_the_budget_too():
    machine = ReferenceMachine([3, 4, 90, 1, 0], memory_size=60)
    assert machine.run(1).stop is Stop.PC_OUTSIDE


@given(pieces=st.lists(st.integers(0, 7), max_size=8))
def test_a_run_in_pieces_is_the_run(pieces):
    whole, piecewise = ReferenceMachine(COUNTDOWN), ReferenceMachine(COUNTDOWN)
    expected = whole.run(sum(pieces))
    runs = [piecewise.run(piece) for piece in pieces]
    assert [pc for run in runs for pc in run.pcs] == expected.pcs
    assert [address for run in runs for address in run.addresses] == expected.addresses
    assert [word for run in runs for word in run.words] == expected.words
    assert (piecewise.memory, piecewise.pc, piecewise.steps) == (whole.memory, whole.pc, whole.steps)


# --- console ----------------------------------------------------------------------------------------------------------


@both_isas
def test_reading_stores_the_next_byte_and_falls_through(isa):
    machine = ReferenceMachine([CONSOLE, 9, -1, CONSOLE, 10, -1, 0, 0, 0, 7, 7], isa=isa, input=b"\x00\xff")
    run = machine.run(2)
    assert machine.memory[9:11] == [0, 255]
    assert machine.pc == 6
    assert run.addresses == [9, 10]
    assert run.words == [0, 255]


@both_isas
def test_reading_past_the_end_stores_minus_one_every_time_and_does_not_branch(isa):
    machine = ReferenceMachine([CONSOLE, 7, 60, CONSOLE, 7, 60, 0, 0], isa=isa)
    run = machine.run(2)
    assert run.words == [0xFFFF, 0xFFFF]
    assert machine.pc == 6
    assert machine.input_position == 0


@both_isas
def test_writing_sends_the_low_byte_and_falls_through(isa):
    machine = ReferenceMachine([6, CONSOLE, 60, 7, CONSOLE, 60, 0x1241, 0xFFFF], isa=isa)
    run = machine.run(2)
    assert machine.output == b"\x41\xff"
    assert machine.memory[6:8] == [0x1241, 0xFFFF]
    assert machine.pc == 6
    assert run.addresses == [CONSOLE, CONSOLE]
    assert run.words == [0x41, 0xFF]


@both_isas
@pytest.mark.parametrize("input_mode", ["set", "add", "sub"])
def test_the_console_as_both_operands_copies_a_byte(isa, input_mode):
    machine = ReferenceMachine([-1, -1, 60] * 2, isa=isa, input=b"a", input_mode=input_mode)
    run = machine.run(2)
    assert machine.output == b"a\xff"
    assert run.addresses == [CONSOLE, CONSOLE]
    assert run.words == [97, 255]
    assert machine.pc == 6


def test_the_console_is_no_memory_even_where_memory_has_that_address():
    words = [15, 15, 6, 15, 9, 6] + [0] * 9 + [5]
    machine = ReferenceMachine(words, word_bits=4, input=b"\x07\x02")
    machine.run(2)
    assert machine.output == b"\x07"
    assert machine.memory[9] == 2
    assert machine.memory[15] == 5


@pytest.mark.parametrize(("input_mode", "word"), [("set", 5), ("add", 105), ("sub", 95)])
def test_the_input_mode_says_how_a_byte_enters_memory(input_mode, word):
    run = ReferenceMachine([CONSOLE, 3, 0, 100], input_mode=input_mode, input=b"\x05").run(1)
    assert run.words == [word]


@pytest.mark.parametrize(("input_mode", "word"), [("set", 0xFFFF), ("add", 99), ("sub", 101)])
def test_the_end_of_input_enters_memory_as_minus_one_in_every_mode(input_mode, word):
    run = ReferenceMachine([CONSOLE, 3, 0, 100], input_mode=input_mode).run(1)
    assert run.words == [word]


@pytest.mark.parametrize(("input_mode", "word"), [("set_zero", 0), ("add_zero", 100), ("sub_zero_branch_in", 100)])
def test_the_end_of_input_is_zero_in_the_modes_that_say_so(input_mode, word):
    run = ReferenceMachine([CONSOLE, 3, 0, 100], input_mode=input_mode).run(1)
    assert run.words == [word]
    echoing = ReferenceMachine([CONSOLE, CONSOLE, 0], input_mode=input_mode)
    echoing.run(1)
    assert echoing.output == b"\0"


@pytest.mark.parametrize(
    ("isa", "input_mode", "input", "next_pc"),
    [
        ("subleq", "set", b"\0", 3),
        ("subleq", "set_branch_in", b"\0", 60),
        ("subleq", "set_branch_in", b"\1", 3),
        ("subleq", "set_branch_in", b"", 60),
        ("subleq", "set_zero_branch_in", b"", 60),
        ("sbn", "set_zero_branch_in", b"", 3),
        ("sbn", "set_branch_in", b"", 60),
        ("sbn", "sub_branch_in", b"\x65", 60),  # 100 - 101
        ("sbn", "sub_branch_in", b"\x64", 3),
        ("subleq", "sub_branch_io", b"\x64", 60),
        ("subleq", "add_branch_in", b"\1", 3),
    ],
)
def test_a_read_branches_on_what_it_stored_in_the_modes_that_say_so(isa, input_mode, input, next_pc):
    machine = ReferenceMachine([CONSOLE, 3, 60, 100], isa=isa, input_mode=input_mode, input=input)
    machine.run(1)
    assert machine.pc == next_pc


@pytest.mark.parametrize(
    ("isa", "input_mode", "word", "next_pc"),
    [
        ("subleq", "set_branch_in", 1, 3),
        ("subleq", "set_branch_io", 1, 60),
        ("subleq", "set_branch_io", 0, 60),
        ("sbn", "set_branch_io", 0, 3),
        ("sbn", "set_branch_io", 1, 60),
        ("sbn", "add_zero_branch_io", -1, 3),
    ],
)
def test_a_write_branches_on_the_negative_of_the_word_in_the_modes_that_say_so(isa, input_mode, word, next_pc):
    machine = ReferenceMachine([3, CONSOLE, 60, word], isa=isa, input_mode=input_mode)
    machine.run(1)
    assert machine.pc == next_pc
    assert machine.output == bytes([word & 255])


def test_an_echo_is_a_write_to_the_modes():
    for input_mode, next_pc in (("set_branch_in", 3), ("set_branch_io", 60)):
        machine = ReferenceMachine([CONSOLE, CONSOLE, 60], isa="sbn", input_mode=input_mode, input=b"a")
        machine.run(1)
        assert machine.pc == next_pc


def test_input_arithmetic_wraps():
    machine = one_step([CONSOLE, 3, 0, 0xFFFF], input_mode="add", input=b"\x02")
    assert machine.memory[3] == 1
    machine = one_step([CONSOLE, 3, 0, 1], input_mode="sub", input=b"\x02")
    assert machine.memory[3] == 0xFFFF
    machine = one_step([15, 3, 0, 0], word_bits=4, input=b"\xab")
    assert machine.memory[3] == 0xB


def test_at_eight_bits_byte_255_and_the_end_of_input_are_the_same_word():
    run = ReferenceMachine([0xFF, 9, 0, 0xFF, 9, 0, 0, 0, 0, 0], word_bits=8, input=b"\xff").run(2)
    assert run.words == [0xFF, 0xFF]


def test_input_may_be_appended_between_runs():
    machine = ReferenceMachine([-1, -1, 0] * 3, input=b"a")
    machine.run(1)
    machine.input += b"bc"
    machine.run(2)
    assert machine.output == b"abc"


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word_bits", "size"), [(4, 16), (8, 256), (16, 65_536), (17, 65_536), (64, 65_536)])
def test_memory_is_all_addresses_up_to_a_limit(word_bits, size):
    assert len(ReferenceMachine([1, 2, 3], word_bits=word_bits).memory) == size


def test_memory_is_never_smaller_than_the_image():
    assert len(ReferenceMachine([0] * 70_000, word_bits=32).memory) == 70_000
    with pytest.raises(ValueError, match="4 words does not fit into 3"):
        ReferenceMachine([0, 0, 0, 0], memory_size=3)


def test_a_sixteen_word_machine_runs():
    machine = ReferenceMachine([9, 10, 3, 10, 15, 6, 9, 11, -1, 1, 6, 0], word_bits=4)
    run = machine.run(10)
    assert machine.output == b"\x05"
    assert run.stop is Stop.HALTED
    assert run.pcs == [0, 3, 6]


def test_words_may_be_given_signed():
    assert ReferenceMachine([-1, -2], word_bits=8, memory_size=2).memory == [0xFF, 0xFE]


def test_the_image_is_copied():
    words = [3, 3, 3, 9]
    ReferenceMachine(words).run(1)
    assert words == [3, 3, 3, 9]


def test_an_unknown_instruction_set_or_input_mode_is_refused():
    with pytest.raises(ValueError, match="'sbn' or 'subleq', not 'sbnz'"):
        ReferenceMachine([], isa="sbnz")
    with pytest.raises(ValueError, match="'set', 'add' or 'sub', .* not 'xor'"):
        ReferenceMachine([], input_mode="xor")


# --- whole runs -------------------------------------------------------------------------------------------------------


def slow_reference(words, isa, steps, memory_size, input):
    """The definition written a second time: signed words, one step after another, nothing shared, nothing fast."""
    memory = dict(enumerate(words + [0] * (memory_size - len(words))))
    pc, position, trace, output = 0, 0, [], []
    while len(trace) < steps:
        if pc < 0 or pc + 2 >= memory_size:
            break
        a, b, c = (memory[pc + offset] % 256 for offset in range(3))
        if any(address != 255 and address >= memory_size for address in (a, b)):
            break
        value, branch = memory.get(a, 0), False
        if a == 255:
            value = input[position] if position < len(input) else -1
            position += position < len(input)
        if b == 255:
            output.append(value % 256)
            written = value % 256
        else:
            signed = value if a == 255 else memory[b] - value
            signed = (signed + 128) % 256 - 128
            memory[b] = signed
            written = signed % 256
            branch = a != 255 and (signed < 0 or (isa == "subleq" and signed == 0))
        trace.append((pc, b, written))
        pc = (c if branch else pc + 3) % 256
        pc = pc - 256 if pc >= 128 else pc
    return trace, bytes(output), [memory[address] % 256 for address in range(memory_size)], pc % 256


@both_isas
@given(
    words=st.lists(st.one_of(st.integers(0, 45), st.sampled_from([255, 254, 128])), min_size=9, max_size=48),
    input=st.binary(max_size=6),
)
def test_random_programs_agree_with_a_second_writing_of_the_definition(isa, words, input):
    words = [word - 256 if word >= 128 else word for word in words]
    trace, output, memory, pc = slow_reference(words, isa, 60, 48, input)
    machine = ReferenceMachine(words, word_bits=8, isa=isa, memory_size=48, input=input)
    run = machine.run(60)
    assert list(zip(run.pcs, run.addresses, run.words, strict=True)) == trace
    assert (machine.output, machine.memory, machine.pc, machine.steps) == (output, memory, pc, len(trace))


def test_the_reference_imports_neither_jax_nor_numpy_nor_the_learned_units():
    program = "import sys, vm.reference; print(sorted({'jax', 'numpy', 'learned_units'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
