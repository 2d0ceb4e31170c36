"""The whole machine: programs run by networks alone, against the reference after every instruction."""

import functools
import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from marks import slow

import programs
from assembler import Image, assemble
from learned_units.circuits.machine_one import templates
from learned_units.whole.machine import load_whole
from vm.cli import main
from vm.console import running
from vm.reference import ReferenceMachine
from vm.state import Halt
from vm.trace import COLUMNS
from vm.whole import WholeRun

whole_of = functools.cache(load_whole)
both_isas = pytest.mark.parametrize("isa", ["sbn", *slow("subleq")])
MACHINES = [("ntk", "grouped"), ("ntk-limit", "one")]
every_machine = pytest.mark.parametrize(("unit", "form"), [MACHINES[1], *slow(MACHINES[0])])
OTHERS = [("ntk-limit", "grouped")]


def image_of(name: str) -> Image:
    return assemble(programs.source(name, programs.WHOLE), name=f"{name}.sbn")


STEPS = 200


def draw(rng: np.random.Generator, cells: int, word_bits: int) -> list[int]:
    """Instructions that read and write code and data alike, jump anywhere, and now and then halt or go astray."""
    last, code = (1 << word_bits) - 1, 3 * (cells // 6)
    words = []
    for _ in range(code // 3):
        source = int(rng.integers(code if rng.random() < 0.8 else 0, cells))
        target = int(rng.integers(0, code // 3)) * 3 if rng.random() < 0.9 else int(rng.integers(0, cells))
        words += [source, int(rng.integers(0, cells)), target if rng.random() < 0.95 else last]
    values = np.array([0, 1, last, 3, last - 2, int(rng.integers(0, last + 1))])
    small = rng.choice(values, cells - code).tolist()
    return words + small


def random_program(rng: np.random.Generator, cells: int, word_bits: int, isa: str) -> list[int]:
    """The next draw that modifies itself: it executes a word it wrote, and runs for ten instructions or more."""
    while True:
        words = draw(rng, cells, word_bits)
        replay = ReferenceMachine(words, word_bits, isa, 0, cells).run(STEPS)
        executed = {address for pc in replay.pcs for address in range(pc, pc + 3)}
        if len(replay.pcs) >= 10 and executed & set(replay.addresses):
            return words


def run_random_programs(unit: str, form: str, isa: str, cells: int, word_bits: int, count: int, seed: int) -> int:
    """Run random self-modifying programs for up to 200 instructions each, checked after every one.

    Returns the number of instructions run.
    """
    rng = np.random.default_rng(seed)
    whole = whole_of(cells, word_bits, isa, unit, form)
    ran = 0
    for number in range(count):
        words = random_program(rng, cells, word_bits, isa)
        machine = WholeRun(Image(words, word_bits, isa, memory=cells), whole)
        outcome = machine.run(STEPS)
        assert outcome.halt is not Halt.DIVERGED, f"program {number} of seed {seed}: {outcome.divergence}"
        reference = ReferenceMachine(words, word_bits, isa, 0, cells)
        reference.run(outcome.steps)
        assert (machine.memory.tolist(), machine.pc) == (reference.memory, reference.pc)
        ran += outcome.steps
    return ran


@both_isas
@every_machine
def test_random_self_modifying_programs_are_exact_after_every_instruction(unit, form, isa):
    assert run_random_programs(unit, form, isa, 32, 8, 6, seed=1) > 200


@pytest.mark.slow
@both_isas
@pytest.mark.parametrize(("unit", "form"), MACHINES + OTHERS)
def test_a_thousand_random_programs_are_exact_after_every_instruction(unit, form, isa):
    assert run_random_programs(unit, form, isa, 32, 8, 1000, seed=2) > 50_000


@pytest.mark.slow
@both_isas
@pytest.mark.parametrize(
    ("unit", "form", "cells", "word_bits"),
    [
        ("ntk", "grouped", 256, 16),
        ("ntk", "grouped", 24, 33),
        ("ntk", "grouped", 12, 4),
        ("ntk-limit", "one", 15, 4),
        ("ntk-limit", "one", 128, 16),
        ("ntk-limit", "one", 24, 33),
        ("ntk", "one", 8, 4),
    ],
)
def test_random_programs_are_exact_on_machines_of_other_sizes(unit, form, cells, word_bits, isa):
    assert run_random_programs(unit, form, isa, cells, word_bits, 50, seed=3) > 500


@pytest.mark.slow
def test_all_forms_give_the_same_states():
    rng = np.random.default_rng(4)
    for words in (random_program(rng, 32, 8, "sbn") for _ in range(5)):
        found = set()
        for unit, form in MACHINES + OTHERS:
            machine = WholeRun(Image(words, 8, "sbn", memory=32), whole_of(32, 8, "sbn", unit, form), check=False)
            outcome = machine.run(50)
            found.add((outcome.halt, outcome.steps, machine.pc, tuple(machine.memory.tolist())))
        assert len(found) == 1


@pytest.mark.parametrize(
    ("name", "numbers", "output"),
    [
        ("multiply", [6, 7], 42),
        ("multiply", [-9, 14], -126),
        ("fibonacci", [0], 0),
        ("fibonacci", [23], 28657),
        ("factorial", [0], 1),
        ("factorial", [7], 5040),
        ("primesum", [12], 197),
    ],
)
def test_the_bundled_programs_compute_what_they_say(name, numbers, output):
    image = image_of(name)
    machine = WholeRun(image, whole_of(image.memory, image.word_bits, image.isa, "ntk-limit"), numbers)
    assert (machine.run(2000).halt, machine.output) == (Halt.HALTED, output)


def test_every_program_for_the_whole_machine_is_tried():
    assert programs.names(programs.WHOLE) == ("factorial", "fibonacci", "multiply", "primesum")


def test_one_bundled_program_executes_what_it_wrote():
    image = image_of("primesum")
    replay = ReferenceMachine([*image.words, *[0] * (62 - len(image.words)), 5, 0], 16).run(100)
    assert {address for pc in replay.pcs for address in range(pc, pc + 3)} & set(replay.addresses)


# --- where the machine rests ------------------------------------------------------------------------------------------


@functools.cache
def following_of(unit: str, form: str, isa: str):
    """The state one instruction later, whatever the state: a function of states of 32 cells x 8 bits."""
    whole = whole_of(32, 8, isa, unit, form)
    instruction = jax.jit(lambda params, state: whole.spec.instruction(params, state)[0])
    return functools.partial(instruction, whole.params)


def stopped_at(unit: str, form: str, isa: str, words: list[int], pc: int) -> WholeRun:
    """A machine of 32 cells x 8 bits that ran until it rested."""
    machine = WholeRun(Image(words, 8, isa, pc, 32), whole_of(32, 8, isa, unit, form))
    outcome = machine.run(1000)
    assert machine.run().halt is outcome.halt, "a machine that rests does so for ever"
    return machine


@both_isas
@every_machine
def test_a_negative_pc_is_a_fixpoint(unit, form, isa):
    whole, following = whole_of(32, 8, isa, unit, form), following_of(unit, form, isa)
    for pc in (0x80, 0xFF, 0xA0):
        state = whole.boot(list(range(32)), pc)
        assert np.array_equal(following(state), state)
        assert stopped_at(unit, form, isa, [0] * 32, pc).steps == 0


@pytest.mark.parametrize("form", ["one", *slow("grouped")])
def test_a_negative_pc_is_a_fixpoint_though_its_low_bits_name_an_instruction_with_a_bad_operand(form):
    whole = whole_of(8, 12, "sbn", "ntk-limit", form)
    state = whole.boot([0, 0, 0x700, 0, 0x700], 0x802)
    assert np.array_equal(whole.spec.instruction(whole.params, state)[0], state)


@every_machine
@both_isas
def test_a_pc_without_room_for_an_instruction_sets_the_fault_bit(unit, form, isa):
    for pc in (30, 31, 32, 33, 64, 127):
        machine = stopped_at(unit, form, isa, [0] * 32, pc)
        assert (machine.run().halt, machine.pc, machine.steps) == (Halt.PC_OUTSIDE, pc, 0)


@every_machine
@both_isas
def test_an_operand_that_is_no_cell_sets_the_fault_bit_and_changes_nothing(unit, form, isa):
    for operands in ((32, 0), (0, 32), (254, 1), (1, 128), (255, 255)):
        words = [*operands, 3, *range(29)]
        machine = stopped_at(unit, form, isa, words, 0)
        outcome = machine.run()
        assert outcome.halt is Halt.BAD_ADDRESS
        assert ("no console" in outcome.message) == (255 in operands)
        assert (machine.memory.tolist(), machine.pc, machine.steps) == (words, 0, 0)


@every_machine
def test_a_fault_outlasts_a_pc_that_would_halt(unit, form):
    whole, following = whole_of(32, 8, "sbn", unit, form), following_of(unit, form, "sbn")
    faulted = following(whole.boot([32, 0, 0], 0))
    again = whole.spec.decode(following(faulted))
    assert again.fault.tolist() == [1] and again.memory[0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0]


@every_machine
def test_the_last_instruction_of_memory_can_be_executed(unit, form):
    machine = stopped_at(unit, form, "sbn", [1] + [0] * 28 + [0, 1, 255], 29)
    assert (machine.run().halt, machine.memory[1], machine.pc) == (Halt.HALTED, 255, 255)


# --- the checks can fail ----------------------------------------------------------------------------------------------


def test_a_planted_fault_is_caught_and_named():
    whole = whole_of(32, 8, "sbn", "ntk-limit", "one")
    offset = templates(32, 8, "sbn").offsets["d"] + 3  # bit 3 of the difference never rises above its threshold
    params = whole.params._replace(counts=whole.params.counts.at[offset].set(1e12))
    image = Image([6, 7, 3, 6, 7, 255, 9, 0], 8, "sbn", memory=32)  # 0 - 9 has bit 3 clear, and -9 - 9 set
    outcome = WholeRun(image, replace(whole, params=params)).run()
    assert outcome.halt is Halt.DIVERGED and outcome.divergence is not None
    assert "cell 7" in outcome.divergence.report


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        "read",
        *slow("decode", "first", "prefix", "difference", "select", "any"),
    ],
)
def test_scrambled_weights_of_any_network_break_the_trained_machine(network):
    whole = whole_of(32, 8, "sbn", "ntk", "grouped")
    inner = np.asarray(whole.params[network].inner)
    scrambled = np.random.default_rng(0).permutation(inner.reshape(-1)).reshape(inner.shape)
    params = whole.params | {network: whole.params[network]._replace(inner=scrambled)}
    outcome = WholeRun(image_of("multiply"), replace(whole, params=params), [6, 7]).run(50)
    assert outcome.halt is Halt.DIVERGED
    assert outcome.divergence is not None and "smallest margin" in outcome.divergence.report


@pytest.mark.slow
def test_a_planted_fault_in_the_trained_machine_is_caught_and_named():
    whole = whole_of(32, 8, "sbn", "ntk", "grouped")
    read = whole.params["read"]
    params = whole.params | {"read": read._replace(outer=read.outer.at[0, 3].set(0))}  # bit 3 is never read
    outcome = WholeRun(Image([6, 7, 3, 6, 7, 255, 9, 0], 8, memory=32), replace(whole, params=params)).run()
    assert outcome.halt is Halt.DIVERGED and outcome.steps == 0
    assert outcome.divergence is not None and "cell 7: reference 247, machine 255" in outcome.divergence.report


def test_noise_in_place_of_the_closed_form_breaks_the_machine():
    whole = whole_of(32, 8, "sbn", "ntk-limit", "one")
    table = np.asarray(whole.params.table)
    noise = np.random.default_rng(0).normal(0, table.std(0), table.shape).astype(np.float32)
    outcome = WholeRun(image_of("multiply"), replace(whole, params=whole.params._replace(table=noise)), [6, 7]).run(50)
    assert outcome.halt is Halt.DIVERGED


@pytest.mark.slow
def test_what_ran_unchecked_is_still_the_machine():
    image = image_of("multiply")
    machine = WholeRun(image, whole_of(32, 8, "sbn", "ntk-limit"), [6, 7], check=False)
    assert (machine.run().halt, machine.output) == (Halt.HALTED, 42)


def test_a_budget_can_be_spent_and_gone_on_from():
    image = image_of("multiply")
    machine = WholeRun(image, whole_of(32, 8, "sbn", "ntk-limit"), [6, 7])
    assert (machine.run(5).halt, machine.run(0).steps, machine.run(19).halt) == (Halt.BUDGET, 0, Halt.HALTED)


# --- the host's side --------------------------------------------------------------------------------------------------


def test_a_number_has_to_fit_and_to_have_a_place():
    whole = whole_of(32, 8, "sbn", "ntk-limit")
    with pytest.raises(ValueError, match="does not fit"):
        WholeRun(image_of("multiply"), whole, [256])
    with pytest.raises(ValueError, match="has no place: the program uses word"):
        WholeRun(image_of("multiply"), whole, [0] * 30)


def test_the_console_is_refused_by_name():
    image = assemble(".isa sbn\n.width 8\n.memory 32\n out x\n x: .word 65\n", name="letter.sbn")
    with pytest.raises(ValueError, match=r"letter.sbn:4: `out x` has an operand of -1"):
        WholeRun(image, whole_of(32, 8, "sbn", "ntk-limit"))


def test_a_machine_of_another_size_is_refused():
    with pytest.raises(ValueError, match="3 to 15 cells"):
        load_whole(16, 4, "sbn", "ntk-limit")
    with pytest.raises(ValueError, match="3 to 256 cells"):
        load_whole(257, 16)
    with pytest.raises(ValueError, match="trained for up to 400"):
        load_whole(32, 8, form="one")
    with pytest.raises(ValueError, match="3 bits|word_bits is 3"):
        load_whole(4, 3)
    with pytest.raises(ValueError, match="seed"):
        load_whole(8, 8, seed=-1)
    with pytest.raises(ValueError, match="no whole machine for the unit 'native'"):
        load_whole(16, 8, "sbn", "native")


def test_the_command_prints_the_output_and_names_what_lies_between(capfdbinary):
    assert main(["run", "--whole", "multiply", "--unit", "ntk-limit", "--input-text", "6 7"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == b"42\n"
    assert b"24 closed-form steps" in err and b"encoder (template matching)" in err and b"threshold (halfway" in err


def test_the_command_tells_the_same_as_json(capfdbinary):
    options = ["--unit", "ntk-limit", "--input-text", "6 7", "--json", "--no-check"]
    assert main(["run", "--whole", "multiply", *options]) == 0
    said = json.loads(capfdbinary.readouterr().err)
    assert (said["halt"], said["output"], said["checked"], said["agrees"]) == ("halted", 42, False, None)


def test_a_trace_has_the_rows_of_exact_arithmetic_checked_or_not(tmp_path, capfdbinary):
    image = image_of("primesum")
    machine = ReferenceMachine([*image.words, *[0] * (62 - len(image.words)), 10, 0], 16)
    expected = []
    for step in range(5000):
        pc, memory = machine.pc, list(machine.memory)
        if not machine.run(1).pcs:
            break
        a, b, c = memory[pc : pc + 3]
        expected.append([step, pc, a, b, c, b, memory[b], machine.memory[b], machine.pc])
    whole = ["run", "--whole", "primesum", "--unit", "ntk-limit"]
    for number, options in enumerate(([], ["--no-check"])):
        file = tmp_path / f"{number}.csv"
        assert main([*whole, "--input-text", "10", "--trace", str(file), *options]) == 0
        heading, *rows = file.read_text().splitlines()
        assert heading == COLUMNS
        assert [list(map(int, row.split(",")[:-1])) for row in rows] == expected
        assert all(float(row.split(",")[-1]) > 0.9 for row in rows)


def test_a_saved_machine_goes_on_and_its_trace_is_the_tail_of_the_whole_one(tmp_path, capfdbinary):
    whole = ["run", "--whole", "primesum", "--unit", "ntk-limit"]
    state, first, second, all_rows = (str(tmp_path / name) for name in ("state", "first", "second", "all"))
    assert main([*whole, "--input-text", "10", "--trace", all_rows]) == 0
    assert main([*whole, "--input-text", "10", "--trace", first, "--save-state", state, "--max-steps", "20"]) == 1
    out, err = capfdbinary.readouterr()
    assert out == b"129\n" and b"stopped: the budget of 20 steps is spent at pc " in err and b"primesum.sbn:" in err
    assert main(["run", "--whole", "primesum", "--resume", state, "--trace", second, "--save-state", state]) == 0
    assert capfdbinary.readouterr().out == b"129\n"
    told = [Path(each).read_text().splitlines(keepends=True) for each in (first, second, all_rows)]
    assert told[0] + told[1][1:] == told[2] and len(told[0]) == 21
    assert main(["run", "hello", "--resume", state]) == 2
    assert b"was saved with --whole; resume it with --whole" in capfdbinary.readouterr().err


@pytest.mark.slow
def test_a_machine_that_diverged_stands_before_the_step():
    whole = whole_of(32, 8, "sbn", "ntk", "grouped")
    select = whole.params["select"]
    params = whole.params | {"select": select._replace(outer=select.outer.at[0, 5].set(0))}
    image = image_of("multiply")
    machine = WholeRun(image, replace(whole, params=params), [6, 7])
    chunks = []
    outcome = machine.run(on_chunk=chunks.append)
    assert outcome.halt is Halt.DIVERGED and sum(chunk.steps for chunk in chunks) == outcome.steps == machine.steps
    reference = ReferenceMachine([*image.words, *[0] * (29 - len(image.words)), 7, 6, 0], 8)
    reference.run(outcome.steps)
    assert (machine.memory.tolist(), machine.pc) == (reference.memory[:32], reference.pc)


@pytest.mark.parametrize(
    "arguments", [["run", "--whole", "x", "--form", "one"], ["compute", "add", "1", "2", "--design", "paper"]]
)
def test_options_that_are_gone_say_what_to_give_instead(capfdbinary, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert re.search(rb"is gone: `--group word` is .* and `--group 8`", capfdbinary.readouterr().err)


@pytest.mark.slow
def test_the_group_chooses_the_form_of_the_whole_machine(capfdbinary):
    for group, told in ((8, "closed form of seven networks"), ("word", "one network of ")):
        options = ["--unit", "ntk-limit", "--input-text", "6 7", "--group", str(group), "--json"]
        assert main(["run", "--whole", "multiply", *options]) == 0
        said = json.loads(capfdbinary.readouterr().err)
        assert said["whole"] == {"group": group, "cells": 32} and said["unit"]["detail"].startswith(told)


@pytest.mark.slow
def test_explain_shows_one_instruction_as_its_iterations(capfdbinary):
    assert main(["explain", "--whole", "5", "7", "--unit", "ntk-limit", "--width", "8", "--json"]) == 0
    said = json.loads(capfdbinary.readouterr().out)
    names = [each["name"] for each in said["iterations"]]
    assert names[:4] == ["decode pc", "fetch", "decode operands", "read operands"] and names[-1] == "write back"
    assert said["iterations"][-1]["written"]["cell 3"] == 254 and said["agrees"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--whole", "multiply", "--group", "4", "--input-text", ""], b"--group is 4; here it is 8, or `word`"),
        (["run", "--whole", "multiply", "--batch", "x"], b"--batch is not for --whole"),
        (["run", "--whole", "multiply", "--weights", "int8"], b"--weights is not for --whole"),
        (["run", "--whole", "multiply", "--unit", "ntk-limit", "--input-text", "six"], b"'six' in the input"),
        (
            ["run", "--whole", "multiply", "--unit", "native", "--input-text", ""],
            b"no whole machine for the unit 'native'",
        ),
        (["run", "--whole", "factoral", "--unit", "ntk-limit"], b"factorial"),
        (["run", "--whole", "programs/sum.sbn", "--input-text", ""], b"does not say how many cells the machine has"),
        (["explain", "--whole", "1", "2", "--fall-through", "2"], b"--fall-through is 2"),
    ],
)
def test_wrong_usage_is_said_in_one_line(capfdbinary, arguments, said):
    assert main(arguments) == 2
    out, err = capfdbinary.readouterr()
    assert out == b"" and said in err and err.count(b"\n") == 1


def test_ctrl_c_names_the_place(tmp_path, monkeypatch, capfdbinary):
    program = tmp_path / "endless.sbn"
    program.write_text(
        ".width 8\n.memory 32\nloop: sbn one, x\n sbn x, x\n sbn one, x, loop\none: .word 1\nx: .word 0\n"
    )
    presses = iter([signal.SIGINT])
    monkeypatch.setattr(running.Meter, "show", lambda *_: [signal.raise_signal(press) for press in presses])
    assert main(["run", "--whole", str(program), "--unit", "ntk-limit", "--input-text", ""]) == 130
    said = capfdbinary.readouterr().err.decode()
    assert re.search(r"^stopped: interrupted at pc [036] \(.*endless.sbn:[345]\); ", said, re.MULTILINE)
