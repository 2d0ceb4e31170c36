"""Many machines at once: the same outcomes as one by one, in order, whatever the lanes do."""

import dataclasses
import functools
import random
import subprocess
import sys

import jax
import jax.export
import pytest
from marks import slow
from small_images import CONSOLE, COUNTDOWN, ECHO

import programs
from assembler import Image, assemble
from vm import Halt, Machine, batch, run_batch
from vm.machine import run_lanes
from vm.reference import ReferenceMachine
from vm.state import MachineState, blank

SEED = 9

units = pytest.mark.parametrize("name", ["ntk-limit", *slow("native", "ntk")])


def source_of(name: str) -> Image:
    return assemble(programs.source(name), f"{name}.sbn")


def alone(image: Image, unit, given: bytes, size: int, max_steps=None):
    return Machine(image, unit, given, memory=size).run(max_steps)


def facts(outcome):
    return outcome.halt, outcome.steps, outcome.console_steps, outcome.output, outcome.message


@units
def test_a_batch_does_what_its_machines_do_alone(name, unit_of, one_chunk):
    image = source_of("adder")
    inputs = [f"{17 * k} {k * k}\n".encode() for k in range(21)]
    outcomes = run_batch(image, unit_of(name), inputs, check=len(inputs))
    assert [outcome.output for outcome in outcomes] == [b"%d\n" % (17 * k + k * k) for k in range(21)]
    size = 1 << (len(image.words) - 1).bit_length()
    for given, outcome in list(zip(inputs, outcomes, strict=True))[::7]:
        expected = alone(image, unit_of(name), given, size)
        assert facts(outcome) == facts(expected)
        assert outcome.margin == pytest.approx(expected.margin, abs=1e-3)


def test_machines_that_wait_take_the_places_of_those_that_stopped(unit_of, monkeypatch):
    monkeypatch.setattr(batch, "LANES", 4)
    monkeypatch.setattr(batch, "FIRST_BUDGET", 16)
    image = Image(COUNTDOWN, memory=16)
    images = [dataclasses.replace(image, words=[*COUNTDOWN[:11], n]) for n in range(50)]
    outcomes = run_batch(images, unit_of("native"), check=50)
    assert [outcome.steps for outcome in outcomes] == [3 * n + 1 for n in range(50)]
    assert {outcome.halt for outcome in outcomes} == {Halt.HALTED}


def test_consoles_longer_than_the_buffers_are_served(unit_of, monkeypatch):
    monkeypatch.setattr(batch, "INPUT_BYTES", 7)
    monkeypatch.setattr(batch, "OUTPUT_BYTES", 5)
    image = source_of("cat")
    inputs = [bytes(range(k, 60 + k)) for k in range(1, 4)] + [b""]
    outcomes = run_batch(image, unit_of("native"), inputs)
    assert [outcome.output for outcome in outcomes] == inputs


def test_every_way_to_stop_is_told_as_of_a_machine_alone(unit_of):
    images = [
        Image(COUNTDOWN, memory=16),
        Image([3, 3, 99, 0], memory=16),
        Image([20, 3, 6, 0], memory=16),
        Image(COUNTDOWN, memory=16, entry=15),
        Image(COUNTDOWN, memory=16, entry=0xFFFE),
        Image([4, 3, 0, 0, 0], memory=16),
    ]
    unit = unit_of("native")
    for max_steps in (None, 12, 1, 0):
        given = images if max_steps is not None else images[:5]
        outcomes = run_batch(given, unit, max_steps=max_steps, check=6)
        assert [facts(each) for each in outcomes] == [facts(alone(one, unit, b"", 16, max_steps)) for one in given]


@pytest.mark.parametrize("memory", [1, 2])
def test_a_memory_with_no_room_for_an_instruction_has_every_pc_outside(memory, unit_of):
    image = Image([0], memory=memory)
    (outcome,) = run_batch(image, unit_of("native"), max_steps=5)
    assert facts(outcome) == facts(alone(image, unit_of("native"), b"", memory, 5))
    assert (outcome.halt, outcome.steps) == (Halt.PC_OUTSIDE, 0)


def test_random_programs_end_as_on_the_reference(unit_of, one_chunk):
    rng = random.Random(SEED)
    images, expected = [], []
    for _ in range(200):
        words = [rng.choice([rng.randrange(16), rng.randrange(1 << 16), CONSOLE]) for _ in range(16)]
        images.append(Image(words, memory=16))
        reference = ReferenceMachine(words, memory_size=16, input=b"abc")
        reference.run(300)
        expected.append((reference.steps, bytes(reference.output)))
    outcomes = run_batch(images, unit_of("ntk-limit"), b"abc", max_steps=300, check=200)
    assert [(outcome.steps, outcome.output) for outcome in outcomes] == expected, SEED


def test_a_replay_finds_a_unit_that_is_wrong_and_names_machine_and_step(unit_of):
    good = unit_of("ntk-limit")
    form = good.params["first"]
    wrong = {**good.params, "first": form._replace(table=form.table.at[0].multiply(-1))}
    machines = [Image(COUNTDOWN, memory=16)] * 200  # as many lanes as for the random programs
    outcomes = run_batch(machines, dataclasses.replace(good, params=wrong), max_steps=100, check=3)
    for index in (0, 100, 199):
        outcome = outcomes[index]
        assert outcome.halt is Halt.DIVERGED and outcome.divergence is not None
        assert f"machine {index} of the batch: step 0" in outcome.message
    assert {each.halt for each in run_batch(machines, good, max_steps=100, check=3)} == {Halt.HALTED}


def test_nothing_is_run_for_no_inputs(unit_of):
    assert run_batch(Image(COUNTDOWN), unit_of("native"), []) == []
    assert run_batch([], unit_of("native"), b"") == []


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"inputs": [b"", b"", b""]}, "2 images and 3 inputs"),
        ({"max_steps": -1}, "max_steps is -1"),
        ({"check": -1}, "check is -1"),
        ({"check": True}, "check is True"),
        ({"input_mode": "xor"}, "input_mode is"),
        ({"memory": 3}, "3"),
    ],
)
def test_misuse_is_refused_with_the_reason(options, reason, unit_of):
    with pytest.raises(ValueError, match=reason):
        run_batch([Image(COUNTDOWN), Image(ECHO)], unit_of("native"), **options)
    with pytest.raises(TypeError, match="inputs must be bytes"):
        run_batch(Image(COUNTDOWN), unit_of("native"), ["text"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="8-bit"):
        run_batch([Image(COUNTDOWN), Image([0, 0, 0], word_bits=8)], unit_of("native"))


def test_in_the_loop_no_select_touches_the_memories(unit_of):
    """What the lanes hold is written in place: no operation but the write itself makes an array of their size."""
    spec, params = unit_of("ntk-limit").spec, unit_of("ntk-limit").params
    lanes = MachineState(**jax.device_put(blank((4,), 999, spec.word_bits, False, 8, 8)))
    allowance = jax.numpy.ones(4, jax.numpy.int32)
    run = batch.spread_over_devices((jax.devices()[0],), spec, "set")
    text = run.lower(lanes, allowance, params, jax.numpy.int32(1)).as_text()
    made = [line for line in text.splitlines() if "stablehlo.select" in line and "999" in line]
    assert made == []


@pytest.mark.parametrize(("name", "multiplies"), [("native", False), ("ntk-limit", False), ("ntk", True),
                                                  ("neural-gpu", True), ("modular", True)])  # fmt: skip
def test_the_loop_lowers_for_a_gpu_and_every_product_is_pinned_to_float32(name, multiplies, unit_of):
    """As far as this can be told without one: no product may be left to the device's own choice of precision."""
    unit = unit_of(name)
    lanes = MachineState(**jax.device_put(blank((8,), 64, unit.word_bits, False, 8, 8)))
    run = jax.jit(functools.partial(run_lanes, spec=unit.spec, input_mode="set"))
    given = (lanes, jax.numpy.ones(8, jax.numpy.int32), unit.params, jax.numpy.int32(1))
    text = jax.export.export(run, platforms=["cuda"])(*given).mlir_module()
    products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    assert bool(products) == multiplies
    assert all("[HIGHEST, HIGHEST]" in line for line in products)


@pytest.mark.slow
def test_lanes_are_spread_over_devices_with_the_same_outcomes():
    code = """
import sys, jax
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
from assembler import Image
from vm import run_batch
words = [9, 11, -1, 10, 10, 6, 9, 10, 0, 1, 0]
images = [Image([*words, n], memory=16) for n in range(40)]
print(len(jax.devices()), [(each.steps, each.margin) for each in run_batch(images, "ntk-limit")])
"""
    told = [
        subprocess.run(
            [sys.executable, "-c", code, str(count)], capture_output=True, text=True, check=True
        ).stdout.split(" ", 1)
        for count in (1, 3)
    ]
    assert [count for count, _ in told] == ["1", "3"]
    assert told[0][1] == told[1][1]


@pytest.mark.parametrize(
    ("images", "inputs", "message"),
    [
        (3, [b""], "a program is an Image or source text, not int"),
        (b" halt", [b""], "a program is an Image or source text, not bytes"),
        (" halt", 3, "inputs must be bytes"),
    ],
)
def test_images_and_inputs_of_another_type_are_refused(images, inputs, message):
    with pytest.raises(TypeError, match=message):
        run_batch(images, "native", inputs)
