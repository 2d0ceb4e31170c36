"""A machine and the reference differ: the step that is reported, and the state that is left."""

import functools

import jax
import numpy as np
import pytest
from small_images import CONSOLE, COUNTDOWN, COUNTER, ECHO, SIZE, machine_of

import programs
from assembler import Image, assemble
from learned_units import Unit
from vm import Chunk, Halt, Machine, execution
from vm.reference import ReferenceMachine

PROGRAM = [CONSOLE, 12, 3, 12, CONSOLE, 6, 13, 14, 9, 10, 11, 0, -1, 1, 0, 0]  # echo, count 14 down, again


@pytest.fixture
def native(unit_of):
    return unit_of("native")


def planted(monkeypatch, fault) -> None:
    """Let `fault(rows, state, first step of the chunk)` change what the device is seen to have done."""
    done = [0]

    def faulty(state, rows, params, budget, **static):
        state, trace = run_chunk(state, rows, params, budget, **static)
        changed = np.array(trace.rows)
        state = fault(changed, state, done[0], int(trace.steps)) or state
        done[0] += int(trace.steps)
        return state, trace._replace(rows=changed)

    run_chunk = execution.run_chunk
    monkeypatch.setattr(execution, "run_chunk", faulty)


def at_step(step: int, column: int, change: int):
    def fault(rows, state, first, count):
        if first <= step < first + count:
            rows[step - first, column] ^= change

    return fault


def check_put_back(machine: Machine, words, step: int, input: bytes = b"") -> None:
    """The machine stands where the reference is after `step` steps."""
    reference = ReferenceMachine(words, memory_size=SIZE, input=input)
    assert len(reference.run(step).pcs) == step
    assert machine.steps == step
    assert machine.memory.tolist() == reference.memory
    assert (machine.pc, machine.output) == (reference.pc, bytes(reference.output))
    assert (machine.halt, machine.run(5).steps, machine.run().halt) == (Halt.DIVERGED, 0, Halt.DIVERGED)


@pytest.mark.parametrize("step", [0, 1, 7, 1023, 1024, 4321])
@pytest.mark.parametrize(("column", "what"), [(1, "address"), (2, "word")])
def test_a_wrong_address_or_word_is_reported_at_its_step(step, column, what, native, monkeypatch):
    planted(monkeypatch, at_step(step, column, 4))
    machine = machine_of(COUNTER, native)
    chunks: list[Chunk] = []
    outcome = machine.run(10_000, chunks.append)
    assert (outcome.halt, outcome.steps) == (Halt.DIVERGED, step)
    assert outcome.divergence is not None and outcome.divergence is machine.divergence
    assert outcome.divergence.step == step
    pc = 0 if step % 2 == 0 else 3
    report = str(outcome.divergence)
    assert report.startswith(f"step {step:,} at pc {pc} differs")
    assert outcome.message == f"diverged: {report}"
    word = -(step // 2 + 1) % 65_536 if pc == 0 else 65_535
    address = 13 if pc == 0 else 10
    seen = (address ^ 4, word) if what == "address" else (address, word ^ 4)
    assert f"operands   [{address}] = " in report
    assert f"reference  [{address}] <- {word}, next pc {3 - pc}" in report
    assert f"machine    [{seen[0]}] <- {seen[1]}, next pc {3 - pc}" in report
    if what == "word":
        assert "not what the machine recorded" in report
    assert sum(len(chunk.pcs) for chunk in chunks) == step
    check_put_back(machine, COUNTER, step)


def test_a_wrong_next_pc_at_the_end_of_a_chunk_is_reported(native, monkeypatch):
    def fault(rows, state, first, count):
        if first == 0:
            return state._replace(pc=state.pc + np.uint32(1))

    planted(monkeypatch, fault)
    machine = machine_of(COUNTER, native)
    outcome = machine.run(10_000)
    last = execution.FIRST_BUDGET - 1
    assert (outcome.halt, outcome.steps) == (Halt.DIVERGED, last)
    assert "next pc 0\n" in str(outcome.divergence) and "next pc 1" in str(outcome.divergence)
    check_put_back(machine, COUNTER, last)


def test_a_memory_that_changes_unseen_is_found_at_the_end(native, monkeypatch):
    def fault(rows, state, first, count):
        return state._replace(memory=state.memory.at[14, 0].add(1))

    planted(monkeypatch, fault)
    machine = machine_of(COUNTDOWN, native)
    outcome = machine.run()
    assert outcome.halt is Halt.DIVERGED
    assert "after 13 equal steps the memories differ at address 14" in outcome.message
    assert machine.run().halt is Halt.DIVERGED


def test_a_machine_that_stops_where_the_reference_does_not_diverges(native, monkeypatch):
    def fault(rows, state, first, count):
        return state._replace(halt=np.int32(Halt.BAD_ADDRESS))

    planted(monkeypatch, fault)
    outcome = machine_of(COUNTER, native).run(5)
    assert outcome.halt is Halt.DIVERGED
    assert "the machine stops at pc 3 and the reference does not" in outcome.message


@pytest.mark.parametrize("step", [0, 1, 2, 5, 6, 13])
def test_the_console_is_put_back_with_the_rest(step, native, monkeypatch):
    data = b"abcdefgh"
    planted(monkeypatch, at_step(step, 2, 1))
    machine = machine_of(ECHO, native, input=data)
    pieces = []
    outcome = machine.run(500, lambda chunk: pieces.append(chunk.output))
    assert (outcome.halt, outcome.steps) == (Halt.DIVERGED, step)
    assert outcome.output == b"".join(pieces) == machine.output == data[: (step + 1) // 3]
    assert outcome.console_steps <= step
    check_put_back(machine, ECHO, step, data)


def test_what_ran_after_a_divergence_is_not_told(unit_of, monkeypatch):
    """Steps, console steps, margin and output are those of the steps that agreed."""
    planted(monkeypatch, at_step(4, 2, 1))
    machine = machine_of(ECHO, unit_of("ntk-limit"), input=b"abcdefgh" * 40)
    outcome = machine.run(900)
    assert (outcome.steps, outcome.console_steps, outcome.output) == (4, 3, b"a")
    assert 1 - 1e-4 <= outcome.margin < float("inf")


def test_without_checking_nothing_is_noticed(native, monkeypatch):
    planted(monkeypatch, at_step(3, 2, 1))
    assert machine_of(COUNTDOWN, native, check=False).run().halt is Halt.HALTED


def broken(unit: Unit, change) -> Unit:
    """The unit with other weights, which nobody verified."""
    return Unit(unit.name, unit.spec, change(unit.params), unit.scope)


def noise(params):
    rng = np.random.default_rng(0)

    def like(weights):
        return {
            field: np.float32(rng.normal(0, np.std(np.asarray(getattr(weights, field))), getattr(weights, field).shape))
            for field in ("inner", "outer")
        }

    return {name: weights._replace(**like(weights)) for name, weights in params.items()}


def eight_bits(unit: Unit, **options) -> Machine:
    """The countdown on words of 8 bits and all their memory, for which other files compile the same loop."""
    return Machine(Image(COUNTDOWN, 8), unit, **options)


def test_a_machine_on_noise_diverges_with_a_report(unit_of):
    good = unit_of("ntk", 8)
    machine = eight_bits(broken(good, noise))
    outcome = machine.run(100)
    assert (outcome.halt, outcome.steps) == (Halt.DIVERGED, 0)
    report = str(outcome.divergence)
    for line in ("step 0 at pc 0 differs", "operands   [11] = 4, minus [9] = 1, target 255",
                 "reference  [11] <- 3, next pc 3", "machine    [11] <- ", "smallest margin "):  # fmt: skip
        assert line in report
    assert "evaluated again" not in report  # it is, in the form that ran, and comes out the same
    assert eight_bits(good).run(100).halt is Halt.HALTED


@pytest.mark.slow
def test_a_machine_on_a_wrong_closed_form_diverges(unit_of):
    def spoil(params):
        form = params["first"]
        return params | {"first": form._replace(table=form.table.at[0].multiply(-1))}

    outcome = machine_of(COUNTDOWN, broken(unit_of("ntk-limit"), spoil)).run(100)
    assert outcome.halt is Halt.DIVERGED
    assert "smallest margin" in outcome.message
    assert "evaluated again" not in str(outcome.divergence)


@pytest.mark.parametrize(
    ("network", "tensor", "factor"),
    [("first", "outer", 0.4), ("difference", "outer", 0.4), ("select", "inner", 0.4), ("prefix", "outer", 0.3)],
)
def test_one_scaled_tensor_is_caught_on_a_bundled_program(network, tensor, factor, unit_of):
    def scale(params):
        weights = params[network]
        return params | {network: weights._replace(**{tensor: getattr(weights, tensor) * np.float32(factor)})}

    name = "multiply"
    image = assemble(programs.source(name))
    unit = unit_of("ntk", image.word_bits, image.isa)
    run = functools.partial(Machine, image, input=programs.sample_input(name), memory=1 << 13)  # as in lockstep
    assert run(broken(unit, scale)).run(20_000).halt is Halt.DIVERGED
    right = run(unit).run(20_000)
    assert (right.halt, right.output) == (Halt.HALTED, programs.sample_output(name))


def test_margins_that_are_no_numbers_are_told(unit_of):
    def spoil(params):
        return jax.tree.map(lambda leaf: leaf * np.float32(np.nan), params)

    spoiled = broken(unit_of("ntk", 8), spoil)
    assert np.isnan(eight_bits(spoiled, check=False).run(20).margin)
    assert eight_bits(spoiled).run(20).halt is Halt.DIVERGED
