"""The solutions of the course do what the exercises ask for, with the input each states and with none."""

import re
from pathlib import Path

import pytest

from assembler import assemble
from vm.reference import ReferenceMachine, Stop

PAGE = (Path(__file__).parent.parent / "docs" / "course.md").read_text(encoding="utf-8")
LESSONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
EXERCISE = re.compile(r"^\*\*Exercise (\d\.\d)\.\*\* .*?^```sbn\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"^```sbn\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def stated(program: str, what: str) -> bytes:
    found = re.search(rf"^; {what}: (.*)$", program, re.MULTILINE)
    return found[1].encode().decode("unicode_escape").encode("latin-1") if found else b""


def machine_of(program: str, given: bytes) -> ReferenceMachine:
    image = assemble(program)
    assert image.notes == ()
    return ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, image.memory_size(), input=given)


@pytest.mark.parametrize("program", PROGRAM.findall(PAGE))
def test_each_program_of_the_course_gives_the_output_it_states(program: str) -> None:
    assert stated(program, "output")
    machine = machine_of(program, stated(program, "input"))
    assert machine.run(20_000).stop is Stop.HALTED
    assert bytes(machine.output) == stated(program, "output")


def test_the_course_has_five_lessons_each_with_a_program_to_read_and_exercises_with_solutions() -> None:
    assert len(LESSONS) == 5
    for number, lesson in enumerate(LESSONS, 1):
        exercises = EXERCISE.findall(lesson)
        assert [name for name, _ in exercises] == [f"{number}.{k}" for k in (1, 2, 3)]
        assert PROGRAM.findall(lesson.partition("**Exercise")[0])


def test_the_machine_written_in_lesson_five_is_the_machine() -> None:
    """It executes other programs than the one that is shown, with reads, writes, branches and self-modification."""
    written = EXERCISE.findall(LESSONS[4])[-1][1]
    echo = ".nostd\nagain: sbn -1, x\n sbn z, x, -1\n sbn x, -1\n sbn z, m, again\nx: .word 5\nz: .word 0\nm: .word -1"
    for source in (echo, PROGRAM.findall(LESSONS[1])[0], PROGRAM.findall(LESSONS[1])[3]):
        image = assemble(source)
        words = " ".join(str(word - (word >> 15 << 16)) for word in image.words)
        given = f"{len(image.words)}\n{words}\n".encode() + b"ab"
        inside = machine_of(written, given)
        assert inside.run(200_000).stop is Stop.HALTED
        outside = machine_of(source, b"ab")
        outside.run(10_000)
        assert inside.output == outside.output != b""
