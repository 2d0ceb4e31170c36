"""Consoles that read and write numbers: on the machine, in batches, in the debugger, and in pieces."""

import re

import numpy as np
import pytest

from assembler import Image, assemble
from assembler.image import INPUT_MODES
from vm import Halt, Machine, cli, run_batch, state
from vm.debugger import travel
from vm.debugger.session import Session
from vm.page.document import program_page
from vm.snapshot import Snapshot

ECHO = [-1, -1, 3, -1, -1, 6, -1, -1, 9, -1, -1, -1]  # four numbers, and then what the console is not
TEXT = b"17 -3,x 0070000\n-"


def echo(word_bits: int, mode: str = "set_numbers") -> Image:
    return Image(ECHO, word_bits, input_mode=mode)


def wrapped(number: int, word_bits: int) -> int:
    return (number + 2 ** (word_bits - 1)) % 2**word_bits - 2 ** (word_bits - 1)


@pytest.mark.parametrize("word_bits", [4, 8, 16, 32, 33, 64])
def test_what_was_read_is_written_as_a_number_of_that_width(word_bits, unit_of):
    machine = Machine(echo(word_bits), unit_of("native", word_bits), input=TEXT, memory=15)
    count = 2 if word_bits == 4 else 4  # address 9 is a negative pc
    assert machine.run(count).console_steps == count
    expected = [wrapped(number, word_bits) for number in (17, -3, 70_000, -1)[:count]]
    assert machine.output == b"".join(b"%d\n" % number for number in expected)
    unchecked = Machine(echo(word_bits), unit_of("native", word_bits), input=TEXT, memory=15, check=False)
    assert unchecked.run(count).output == machine.output


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("set_numbers", [-3, -1]),
        ("add_numbers", [97, 99]),
        ("sub_numbers_zero", [103, 100]),
        ("add_numbers_zero", [97, 100]),
    ],
)
def test_a_number_enters_memory_as_a_byte_does(mode, words, unit_of):
    image = Image([-1, 12, 3, -1, 13, 6, 0, 0, 0, 0, 0, 0, 100, 100], 16, input_mode=mode)
    machine = Machine(image, unit_of("native", 16), input=b"-3")
    machine.run(2)
    assert machine.memory.tolist()[12:14] == [word % 2**16 for word in words]


@pytest.mark.parametrize("mode", ["set_numbers_branch_in", "add_numbers_zero_branch_io"])
@pytest.mark.parametrize("isa", ["sbn", "subleq"])
def test_words_of_which_a_third_is_the_console_do_what_the_reference_does(mode, isa, unit_of):
    """Checking is on, so that a step that differs ends the run."""
    written = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        words = [-1 if rng.integers(3) == 0 else int(rng.integers(0, 60)) for _ in range(60)]
        text = " ".join(str(number) for number in rng.integers(-(2**17), 2**17, 3)).encode()
        machine = Machine(Image(words, 16, isa, input_mode=mode), unit_of("native", 16, isa), text, memory=60)
        assert machine.run(40).halt is not Halt.DIVERGED
        written += machine.output.count(b"\n")
    assert written > 40


def test_a_number_is_read_once_it_is_known_to_be_whole(unit_of):
    machine = Machine(echo(16), unit_of("native", 16), input=None)
    outputs = []
    for data in (b"1", b"7", b" -", b"3\n", b" ,", b"4"):
        machine.feed(data)
        assert machine.run().halt is Halt.NEED_INPUT
        outputs.append(machine.output)
    assert outputs == [b"", b"", b"17\n", b"17\n-3\n", b"17\n-3\n", b"17\n-3\n"]
    machine.end_input()
    assert machine.run().halt is Halt.HALTED and machine.output == b"17\n-3\n4\n-1\n"


def test_a_restored_machine_reads_on_where_the_other_one_was(unit_of):
    machine = Machine(echo(16), unit_of("native", 16), input=TEXT)
    machine.run(1)
    saved: Snapshot = machine.snapshot()
    assert saved.unread == b" -3,x 0070000\n-" and saved.place.bytes_read == 2
    other = Machine(echo(16), unit_of("native", 16), input=b"")
    other.restore(saved)
    assert other.run().output == b"-3\n4464\n-1\n" == machine.run().output


def test_a_batch_does_what_each_machine_does_alone(unit_of):
    texts = [TEXT, b"", b"5", b"1 2 3 4 5"] + [b" ".join(b"%d" % number for number in range(k)) for k in range(6)]
    unit = unit_of("native", 33)
    together = run_batch(echo(33), unit, texts, check=len(texts), max_steps=10)
    alone = [Machine(echo(33), unit, input=text).run(10) for text in texts]
    assert [outcome.output for outcome in together] == [outcome.output for outcome in alone]
    assert all(outcome.console_steps == 4 for outcome in together)


def test_the_debugger_goes_back_over_numbers_and_on_again(unit_of):
    session = Session(echo(16), unit_of("native", 16), input=TEXT)
    states = []
    for _ in range(4):
        states.append((session.present.input_position, bytes(session.present.output)))
        travel.forward(session, 1)
    assert states == [(0, b""), (2, b"17\n"), (5, b"17\n-3\n"), (15, b"17\n-3\n4464\n")]
    for step in (3, 1, 2, 0):
        session.travel(step)
        assert (session.present.input_position, bytes(session.present.output)) == states[step]


def test_positions_go_back_to_where_they_were():
    mode, ends = "set_numbers", [0] + [found.end() for found in re.finditer(rb"-?\d+", TEXT)]
    for first, start in enumerate(ends):
        for last, end in enumerate(ends[first:], first):
            assert state.position_after(TEXT, start, last - first, mode) == end
            assert state.position_before(TEXT, end, last - first, mode) == start


def test_the_command_reads_and_writes_numbers_and_the_page_has_no_console_for_them(tmp_path, capfd, unit_of):
    path = tmp_path / "double.sbn"
    path.write_text(".input add_numbers\n sbn -1, x\n sbn -1, x\n sbn x, -1, -1\n halt\nx: .word 0\n", encoding="utf-8")
    assert cli.main(["run", str(path), "--unit", "native", "--input-text", "40 2", "-q"]) == 0
    assert capfd.readouterr().out == "42\n"
    with pytest.raises(ValueError, match="the console of a page carries bytes"):
        program_page(assemble(path.read_text(encoding="utf-8")), unit_of("native", 16), "double", b"", None)
    assert sum(mode.numbers for mode in INPUT_MODES.values()) == len(INPUT_MODES) // 2
