"""Snapshots: a run that was saved and restored is the run that was not; a damaged or foreign file is refused."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import programs
from assembler import Image, assemble
from learned_units import load_unit
from vm import Halt, Machine
from vm.snapshot import Place, Snapshot, SnapshotError, load, save

PROGRAM = assemble(programs.source("adder"))
INPUT = programs.sample_input("adder")


def machine(unit: str = "native", **options) -> Machine:
    return Machine(PROGRAM, unit, input=INPUT, **options)


@pytest.mark.parametrize("unit", ["native", "ntk-limit"])
@pytest.mark.parametrize("steps", [0, 1, 40, 100, 161])
def test_a_restored_run_goes_on_bit_for_bit(unit: str, steps: int, tmp_path: Path) -> None:
    whole = machine(unit)
    whole.run()
    first = machine(unit)
    first.run(steps)
    save(tmp_path / "state", first.snapshot())
    second = Machine(PROGRAM, unit, input=b"")
    second.restore(load(tmp_path / "state"))
    assert (second.pc, second.steps) == (first.pc, steps)
    outcome = second.run()
    assert outcome.halt is Halt.HALTED and outcome.steps == whole.steps - steps
    assert first.output + second.output == whole.output
    assert (second.memory == whole.memory).all() and second.steps == whole.steps
    final = second.snapshot().place
    assert final == whole.snapshot().place


def test_input_that_was_received_and_not_read_is_kept(tmp_path: Path) -> None:
    image = assemble(programs.source("cat"))
    text = bytes(range(256)) * 40
    first = Machine(image, "native", input=None)
    first.feed(text[:9000])
    first.run(501)
    save(tmp_path / "state", first.snapshot())
    second = Machine(image, "native", input=None)
    second.restore(load(tmp_path / "state"))
    second.run()
    second.feed(text[9000:])
    second.end_input()
    second.run()
    assert first.output + second.output == text


def test_a_divergence_after_a_restore_is_reported_at_its_step_since_boot() -> None:
    limit = load_unit("ntk-limit", 16, "sbn")
    first = machine("ntk-limit")
    first.run(50)
    snapshot = first.snapshot()
    wrong = {name: each._replace(table=each.table.at[0].multiply(-1)) for name, each in limit.params.items()}
    broken = Machine(PROGRAM, type(limit)(limit.name, limit.spec, wrong, limit.scope), input=b"")
    broken.restore(snapshot)
    outcome = broken.run()
    assert outcome.halt is Halt.DIVERGED and outcome.divergence is not None
    assert outcome.divergence.step == broken.steps >= 50
    agreed = machine("native")
    agreed.run(broken.steps)
    assert agreed.pc == broken.pc and (agreed.memory == broken.memory).all()


def refusals() -> dict[str, tuple[Machine, str]]:
    return {
        "another program": (Machine(assemble(programs.source("hello")), "native"), "another program"),
        "another unit": (machine("ntk-limit"), "was made on the unit 'native'"),
        "another memory": (machine(memory=1000), "a memory of 65,536 words"),
        "another input mode": (machine(input_mode="add"), "input mode is 'set'"),
    }


@pytest.mark.parametrize("case", ["another program", "another unit", "another memory", "another input mode"])
def test_a_snapshot_that_does_not_fit_is_refused_with_the_reason(case: str) -> None:
    other, reason = refusals()[case]
    with pytest.raises(SnapshotError, match=reason):
        other.restore(machine().snapshot())
    assert other.steps == 0


def test_no_altered_or_truncated_snapshot_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save(path, Machine(PROGRAM, "native", input=INPUT, memory=300).snapshot())
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        altered = bytearray(whole)
        altered[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(altered)
        try:
            read = load(path)
        except SnapshotError as error:
            assert str(path) in str(error)
        else:  # white space in the header can change without changing what it says
            path.write_bytes(whole)
            assert same(read, load(path))
    for length in rng.integers(0, len(whole), 50):
        path.write_bytes(whole[:length])
        with pytest.raises(SnapshotError):
            load(path)


def same(one: Snapshot, other: Snapshot) -> bool:
    return one.place == other.place and one.unread == other.unread and (one.memory == other.memory).all()


WRITER = """
import sys
from assembler import Image
from vm import Machine
from vm.snapshot import save
machine = Machine(Image([0] * 3000, memory=40000), "native")
print("ready", flush=True)
while True:
    machine.steps += 1
    save(sys.argv[1], machine.snapshot())
"""


@pytest.mark.slow
def test_killed_while_saving_the_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "state"
    rng = np.random.default_rng(1)
    last = 0
    for _ in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.2 + rng.uniform(0, 0.2))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = load(path)
        assert found.place.steps >= 1 and len(found.memory) == 40000
        last += found.place.steps
    assert last > 6


def test_a_machine_that_diverged_is_not_saved() -> None:
    stopped = machine()
    stopped.halt = Halt.DIVERGED
    with pytest.raises(ValueError, match="diverged"):
        stopped.snapshot()


def test_a_program_is_told_from_another_by_words_width_instruction_set_and_entry() -> None:
    from vm.snapshot import image_digest

    images = [
        Image([1, 2, 3]),
        Image([1, 2, 4]),
        Image([1, 2, 3], word_bits=17),
        Image([1, 2, 3], isa="subleq"),
        Image([1, 2, 3], entry=1),
    ]
    assert len({image_digest(image) for image in images}) == len(images)


def test_a_snapshot_with_nested_json_is_refused(tmp_path):
    path = tmp_path / "state"
    tensors = {"memory": np.zeros((4, 1), np.uint32), "unread": np.zeros(0, np.uint8)}
    save_file(tensors, path, {"format": "1", "place": "[" * 100_000, "checksum": ""})
    with pytest.raises(SnapshotError, match="damaged, or not a snapshot"):
        load(path)


PLACE = Place("0", "native", 16, "sbn", "set", 0, 1, 0, 0, True)
MEMORY = np.zeros((8, 1), np.uint32)


@pytest.mark.parametrize(
    ("changed", "memory", "words"),
    [
        ({"pc": -1}, MEMORY, "pc is -1"),
        ({"pc": 1 << 16}, MEMORY, "pc is 65536"),
        ({"pc": 1.0}, MEMORY, "pc is '1.0'"),
        ({"pc": True}, MEMORY, "pc is 'True'"),
        ({"steps": -1}, MEMORY, "a count is negative"),
        ({"bytes_read": -5}, MEMORY, "a count is negative"),
        ({"steps": "1"}, MEMORY, "steps is '1'"),
        ({"unit": None}, MEMORY, "unit is 'None'"),
        ({"word_bits": 3}, MEMORY, "word_bits is 3"),
        ({"word_bits": 10**9}, MEMORY, "word_bits is 10"),
        ({"isa": "risc"}, MEMORY, "isa is 'risc'"),
        ({"input_mode": "x"}, MEMORY, "input_mode 'x'"),
        ({"input_ended": 1}, MEMORY, "input_ended is '1'"),
        ({}, np.zeros((8, 2), np.uint32), "the memory is uint32"),
        ({}, np.zeros(8, np.uint32), "the memory is uint32"),
        ({}, np.zeros((8, 1), np.int64), "the memory is int64"),
        ({}, np.full((8, 1), 1 << 16, np.uint32), "words of more than 16 bits"),
    ],
)
def test_a_snapshot_that_no_machine_can_be_is_refused_though_its_checksum_is_right(tmp_path, changed, memory, words):
    path = tmp_path / "state"
    save(path, Snapshot(PLACE, MEMORY, b""))
    assert load(path).place == PLACE
    save(path, Snapshot(Place(**{**vars(PLACE), **changed}), memory, b""))
    with pytest.raises(SnapshotError, match=words):
        load(path)


def test_a_snapshot_of_another_machine_does_not_fit_though_it_names_the_program(tmp_path):
    place = Place(**{**vars(machine().snapshot().place), "word_bits": 20})
    memory = np.zeros((machine().size, 1), np.uint32)
    with pytest.raises(SnapshotError, match="of a 20-bit sbn machine"):
        machine().restore(Snapshot(place, memory, b""))
