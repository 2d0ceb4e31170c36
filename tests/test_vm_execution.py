"""Running a machine: budgets, what it is made of, the console's host side, chunks and interrupts."""

import os
import signal
import threading

import numpy as np
import pytest
from marks import slow
from small_images import CONSOLE, COUNTDOWN, COUNTDOWN_STEPS, COUNTER, ECHO, SIZE, machine_of

import programs
from assembler import AssemblyError, Image, SourceMap, assemble
from assembler.image import Origin, SourceRun
from vm import Chunk, Halt, Machine, execution
from vm.reference import ReferenceMachine
from vm.state import INPUT_BYTES, OUTPUT_BYTES

quick_units = pytest.mark.parametrize("name", ["native", "ntk-limit"])


@pytest.fixture
def native(unit_of):
    return unit_of("native")


# --- budgets and stops ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ntk-limit", *slow("native", "ntk")])
def test_a_program_of_exactly_n_steps_halts_under_a_budget_of_n(name, unit_of):
    outcome = machine_of(COUNTDOWN, unit_of(name)).run(COUNTDOWN_STEPS)
    assert (outcome.halt, outcome.steps, outcome.message) == (Halt.HALTED, COUNTDOWN_STEPS, "halted")
    short = machine_of(COUNTDOWN, unit_of(name))
    outcome = short.run(COUNTDOWN_STEPS - 1)
    assert (outcome.halt, outcome.steps) == (Halt.BUDGET, COUNTDOWN_STEPS - 1)
    assert "the budget of 12 steps is spent at pc 0" in outcome.message
    outcome = short.run(1)
    assert (outcome.halt, outcome.steps, short.steps) == (Halt.HALTED, 1, COUNTDOWN_STEPS)


@quick_units
def test_a_run_in_pieces_is_the_run(name, unit_of):
    whole, pieces = (machine_of(COUNTDOWN, unit_of(name)) for _ in range(2))
    whole.run()
    budgets = [0, 1, 5, 0, 2, 100]
    steps = [pieces.run(budget).steps for budget in budgets]
    assert steps == [0, 1, 5, 0, 2, 5]
    assert pieces.memory.tolist() == whole.memory.tolist()
    assert (pieces.pc, pieces.steps, pieces.halt) == (whole.pc, whole.steps, whole.halt)


def test_a_budget_of_nothing_runs_nothing(native):
    machine = machine_of(COUNTDOWN, native)
    outcome = machine.run(0)
    assert (outcome.halt, outcome.steps, outcome.margin) == (Halt.BUDGET, 0, float("inf"))
    assert machine.memory.tolist()[:12] == [word % 65_536 for word in COUNTDOWN]


def test_a_budget_longer_than_a_chunk_is_kept_to_the_step(native):
    for steps in (execution.FIRST_BUDGET - 1, execution.FIRST_BUDGET + 1, 200_001):
        machine = machine_of(COUNTER, native)
        outcome = machine.run(steps)
        assert (outcome.halt, outcome.steps, machine.steps) == (Halt.BUDGET, steps, steps)
        assert int(machine.memory[13]) == -((steps + 1) // 2) % 65_536


@pytest.mark.parametrize("budget", [-1, -(10**9)])
def test_a_negative_budget_is_refused(budget, native):
    machine = machine_of(COUNTDOWN, native)
    with pytest.raises(ValueError, match=f"max_steps is {budget}; it is 0 or more"):
        machine.run(budget)
    assert machine.run().steps == COUNTDOWN_STEPS


@pytest.mark.parametrize(
    ("words", "halt", "steps"),
    [
        (COUNTDOWN, Halt.HALTED, COUNTDOWN_STEPS),
        ([3, 4, 90, 1, 0], Halt.PC_OUTSIDE, 1),
        ([8, 9, 5, 0, 0, 77, 77, 0, 1, 0], Halt.BAD_ADDRESS, 1),
    ],
)
def test_running_a_stopped_machine_gives_the_same_halt_and_no_steps(words, halt, steps, native):
    machine = machine_of(words, native)
    first = machine.run()
    assert (first.halt, first.steps) == (halt, steps)
    for budget in (None, 0, 7):
        again = machine.run(budget)
        assert (again.halt, again.steps, again.message, again.output) == (halt, 0, first.message, b"")
        assert (again.console_steps, again.margin) == (0, float("inf"))


def test_messages_name_the_source_line(native):
    runs = SourceMap((SourceRun(0, 3, Origin("prog.sbn", 7, "sbn 70")),))
    machine = Machine(Image([70, 70, 3], source_map=runs), native, memory=SIZE)
    assert "the instruction at pc 0 (prog.sbn:7) has an operand A = 70" in machine.run().message
    stuck = Machine(Image([3, 3, 0, 0], source_map=runs), native, memory=SIZE).run(0)
    assert "at pc 0 (prog.sbn:7); to continue, run again with a larger one" in stuck.message


# --- what a machine is made of ----------------------------------------------------------------------------------------


def test_a_unit_of_another_width_or_instruction_set_is_refused_naming_both(unit_of):
    with pytest.raises(ValueError, match="the unit is 8-bit sbn and the image 16-bit sbn"):
        Machine(Image([0, 0, 0]), unit_of("native", 8))
    with pytest.raises(ValueError, match="the unit is 16-bit subleq and the image 16-bit sbn"):
        Machine(Image([0, 0, 0]), unit_of("native", 16, "subleq"))


def test_misuse_is_refused_before_anything_runs(native):
    with pytest.raises(AssemblyError):
        Machine("sbn nowhere", native)
    with pytest.raises(ValueError, match="unknown unit 'nativ'"):
        Machine(Image([0]), "nativ")
    with pytest.raises(ValueError, match="'set', 'add', 'sub', .*, not 'xor'"):
        Machine(Image([0]), native, input_mode="xor")
    with pytest.raises(TypeError, match="input is bytes or None, not str"):
        Machine(Image([0]), native, input="text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="memory of 2 words is less than the image's 3"):
        Machine(Image([0, 0, 0]), native, memory=2)
    with pytest.raises(ValueError, match="65,536"):
        Machine(Image([0, 0, 0]), native, memory=65_537)


def test_source_text_is_assembled_for_the_unit_named(unit_of):
    machine = Machine(".width 8\n.isa subleq\n subleq x, x, -1\nx: .word 5\n", unit="native")
    assert (machine.unit.word_bits, machine.unit.isa, machine.size) == (8, "subleq", 256)
    assert machine.run().halt is Halt.HALTED


def test_memory_is_a_copy(native):
    machine = machine_of(COUNTDOWN, native)
    view = machine.memory
    view[:] = 0
    machine.run()
    assert int(machine.memory[11]) == 65_535
    assert machine.memory.dtype == np.int64
    wide = Machine(Image([-1, 0, 0], 64, memory=4), "native")
    assert (wide.memory.dtype, int(wide.memory[0])) == (np.uint64, 2**64 - 1)


@pytest.mark.parametrize(("word_bits", "size"), [(4, 16), (8, 256), (16, 65_536), (20, 65_536)])
def test_memory_is_all_addresses_up_to_a_limit(word_bits, size):
    machine = Machine(Image([0, 0, 0], word_bits), "native")
    assert machine.size == len(machine.memory) == size


# --- console ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, INPUT_BYTES - 1, INPUT_BYTES, INPUT_BYTES + 1, 3 * INPUT_BYTES + 5])
@pytest.mark.parametrize("check", [True, False])
def test_input_longer_than_the_buffer_arrives_whole(length, check, unit_of):
    data = np.random.default_rng(length).bytes(length)
    machine = Machine(programs.source("cat"), unit_of("native", assemble(programs.source("cat")).word_bits),
                      input=data, check=check)  # fmt: skip
    outcome = machine.run(1_000_000)
    assert outcome.halt is Halt.HALTED
    assert outcome.output == machine.output == data


def printer(count: int) -> list[int]:
    """Prints that many x (at most 32,768), and computes between any two of them."""
    return [12, CONSOLE, 3, 13, 14, -1, 15, 15, 9, 13, 15, 0, ord("x"), 1, count - 1, 0]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("count", [1, OUTPUT_BYTES - 1, OUTPUT_BYTES, OUTPUT_BYTES + 1, 2 * OUTPUT_BYTES - 1])
def test_output_longer_than_the_buffer_arrives_whole(count, check, native):
    """Also where the buffer fills up and instructions follow that write nothing."""
    pieces = []
    machine = machine_of(printer(count), native, check=check)
    outcome = machine.run(on_chunk=lambda chunk: pieces.append(chunk.output))
    assert outcome.halt is Halt.HALTED
    assert outcome.output == machine.output == b"".join(pieces) == b"x" * count
    assert outcome.console_steps == count
    assert outcome.steps == 4 * count - 2
    unheard = machine_of(printer(count), native, check=check).run()
    assert unheard.output == b"x" * count


def test_a_full_output_is_no_stop_under_any_budget(native):
    """The loop leaves before the write that would overflow; the budget still counts steps alone."""
    machine = machine_of([15, CONSOLE, 3, 15, CONSOLE, 6, 12, 13, 0, 0, 0, 0, 0, -1, 0, 7], native)
    for budget in (OUTPUT_BYTES, 2 * OUTPUT_BYTES + 3, 3):
        before = len(machine.output)
        outcome = machine.run(budget)
        assert (outcome.halt, outcome.steps) == (Halt.BUDGET, budget)
        assert len(machine.output) - before == outcome.console_steps == len(outcome.output)
    assert machine.output == b"\x07" * (2 * (machine.steps // 3) + machine.steps % 3)


@quick_units
def test_an_interactive_console_waits_for_input(name, unit_of):
    machine = machine_of(ECHO, unit_of(name), input=None)
    for _ in range(2):
        outcome = machine.run()
        assert (outcome.halt, outcome.steps, outcome.output) == (Halt.NEED_INPUT, 0, b"")
        assert "waits for input" in outcome.message
    machine.feed(b"ab")
    outcome = machine.run()
    assert (outcome.halt, outcome.output, outcome.steps) == (Halt.NEED_INPUT, b"ab", 6)
    machine.feed(b"")
    assert machine.run().steps == 0
    machine.feed(b"c")
    outcome = machine.run(1)
    assert (outcome.halt, outcome.output) == (Halt.BUDGET, b"")
    machine.end_input()
    outcome = machine.run(5)
    assert (outcome.halt, outcome.output) == (Halt.BUDGET, b"c\xff")
    with pytest.raises(ValueError, match="the machine's input has ended"):
        machine.feed(b"d")
    assert outcome.divergence is None


def test_input_fed_while_running_is_read(native):
    machine = machine_of(ECHO, native, input=None)
    machine.feed(b"x")
    given = [b"y" * (INPUT_BYTES + 3), b"z"]

    def more(chunk: Chunk) -> None:
        if given and chunk.output:
            machine.feed(given.pop(0))

    while given:
        machine.run(on_chunk=more)
    machine.run()
    assert machine.output == b"x" + b"y" * (INPUT_BYTES + 3) + b"z"


def test_input_given_at_the_start_ends_and_interactive_input_does_not(native):
    ended = machine_of(ECHO, native, input=b"")
    with pytest.raises(ValueError, match="has ended"):
        ended.feed(b"x")
    assert ended.run(2).output == b"\xff"


# --- chunks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [True, False])
@quick_units
def test_the_chunks_tell_every_step_once_and_in_order(name, check, unit_of):
    chunks: list[Chunk] = []
    machine = machine_of(COUNTER, unit_of(name), check=check)
    machine.run(20_000, chunks.append)
    machine.run(7, chunks.append)
    reference = ReferenceMachine(COUNTER, memory_size=SIZE)
    run = reference.run(20_007)
    assert [pc for chunk in chunks for pc in chunk.pcs] == run.pcs
    assert [address for chunk in chunks for address in chunk.addresses] == run.addresses
    assert [word for chunk in chunks for word in chunk.words] == run.words
    first = 0
    for chunk, after in zip(chunks, [*chunks[1:], None], strict=True):
        assert chunk.first_step == first
        assert chunk.next_pc == (after.pcs[0] if after else machine.pc)
        first += len(chunk.pcs)


class Refused(Exception):
    pass


def refuse(chunk: Chunk) -> None:
    raise Refused


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("which", [1, 2, 3])
def test_what_on_chunk_raises_ends_the_run_and_loses_nothing(which, check, native):
    heard: list[Chunk] = []

    def listen(chunk: Chunk) -> None:
        heard.append(chunk)
        if len(heard) == which:
            raise Refused

    machine = machine_of([12, CONSOLE, 3, 12, 13, 6, 9, 10, 0, 0, -1, 0, 1, 0], native, check=check)
    with pytest.raises(Refused):
        machine.run(50_000, listen)
    outcome = machine.run(1000, heard.append)
    assert outcome.halt is Halt.BUDGET
    reference = ReferenceMachine([12, CONSOLE, 3, 12, 13, 6, 9, 10, 0, 0, -1, 0, 1, 0], memory_size=SIZE)
    run = reference.run(machine.steps)
    assert [pc for chunk in heard for pc in chunk.pcs] == run.pcs
    assert machine.output == bytes(reference.output) == b"".join(chunk.output for chunk in heard)
    assert machine.memory.tolist() == reference.memory


@pytest.mark.parametrize("check", [True, False])
def test_a_snapshot_after_on_chunk_raised_has_all_steps_and_all_output(check, native):
    words = [12, CONSOLE, 3, 12, 13, 6, 9, 10, 0, 0, -1, 0, 1, 0]
    machine = machine_of(words, native, check=check)
    start, heard = machine.snapshot(), []

    def listen(chunk: Chunk) -> None:
        heard.append(chunk)
        if len(heard) == 2:
            raise Refused

    with pytest.raises(Refused):
        machine.run(50_000, listen)
    snapshot = machine.snapshot()
    reference = ReferenceMachine(words, memory_size=SIZE)
    reference.run(machine.steps)
    assert (snapshot.place.steps, snapshot.place.bytes_written) == (machine.steps, len(reference.output))
    with pytest.raises(Refused):
        machine.run(50_000, refuse)
    machine.restore(start)
    outcome = machine.run(10)
    assert (outcome.halt, outcome.steps, machine.output) == (Halt.BUDGET, 10, b"\x01" * 4)


# --- interrupts -------------------------------------------------------------------------------------------------------


def check_continues(machine: Machine) -> None:
    """The machine goes on from where it is, to the same end as an undisturbed one."""
    total = machine.steps + 1001
    outcome = machine.run(1001)
    assert (outcome.halt, machine.steps) == (Halt.BUDGET, total)
    assert int(machine.memory[13]) == -((total + 1) // 2) % 65_536


@quick_units
def test_ctrl_c_while_a_chunk_is_handed_out_stops_the_run_and_keeps_the_machine(name, unit_of):
    machine = machine_of(COUNTER, unit_of(name))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        machine.run(on_chunk=lambda chunk: signal.raise_signal(signal.SIGINT))
    assert machine.steps > 0
    assert machine.halt is Halt.RUNNING
    assert signal.getsignal(signal.SIGINT) is before
    check_continues(machine)


def test_ctrl_c_from_outside_stops_an_endless_run(native):
    machine = machine_of(COUNTER, native)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    timer.join()
    assert machine.steps > execution.FIRST_BUDGET
    check_continues(machine)


@pytest.mark.parametrize(("words", "halt"), [(COUNTDOWN, Halt.HALTED), (COUNTER, Halt.BUDGET)])
def test_ctrl_c_in_the_last_chunk_is_not_swallowed(words, halt, native):
    """A program that calls `run` for few steps at a time could not be stopped otherwise."""
    machine = machine_of(words, native)
    with pytest.raises(KeyboardInterrupt):
        machine.run(20, on_chunk=lambda chunk: signal.raise_signal(signal.SIGINT))
    assert machine.halt is halt
    if halt is Halt.HALTED:
        outcome = machine.run()
        assert (outcome.halt, outcome.steps) == (Halt.HALTED, 0)
    else:
        check_continues(machine)


def test_a_second_ctrl_c_does_not_wait(native):
    machine = machine_of(COUNTER, native)

    def twice(chunk: Chunk) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second one was deferred")

    with pytest.raises(KeyboardInterrupt):
        machine.run(on_chunk=twice)
    check_continues(machine)


def test_a_machine_runs_in_another_thread_too(native):
    machine = machine_of(COUNTDOWN, native)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(machine.run()))
    thread.start()
    thread.join()
    assert outcomes[0].halt is Halt.HALTED


@pytest.mark.parametrize("budget", [1.5, "9", True])
def test_a_budget_that_is_no_integer_is_refused(budget, native):
    with pytest.raises(TypeError, match="max_steps must be an integer, not "):
        machine_of(COUNTDOWN, native).run(budget)
