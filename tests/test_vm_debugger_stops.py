"""Stops with all that was said of them: saved and made again, disabled, met by `run` at the first instruction."""

import dataclasses
import errno
import os
from pathlib import Path

import pytest

from assembler import assemble
from learned_units import load_unit
from vm.debugger.commands import execute
from vm.debugger.errors import CommandError
from vm.debugger.points import StopPoint
from vm.debugger.session import Session

SOURCE = """
loop:   mov     n, copy
        dec     n
        jpos    n, loop
        halt
n:      .word   40
copy:   .word   0
at:     .word   copy
"""
STOPS = [
    "break loop",
    "break loop if [n] % 2 == 0",
    "break main.sbn:3",
    "break :4 if [copy] == 7",
    "tbreak loop + 3",
    "tbreak loop if [n] < 5",
    "watch n",
    "watch n..copy if [n] > 3",
    "watch [n] & 4",
    "watch [n] + [copy] if [n] == 5",
    "rwatch copy",
    "rwatch n..copy if [copy] > 30",
    "break margin < 0.5",
]
SAID_SINCE = ["", "ignore $bpnum 3", "disable $bpnum", "commands $bpnum print [n]; display [copy]"]


def session_of() -> Session:
    image = assemble(SOURCE, "main.sbn")
    return Session(image, load_unit("native", image.word_bits, image.isa))


def stops_of(session: Session) -> list[StopPoint]:
    """All stops, their numbers aside."""
    return [dataclasses.replace(point, number=0) for point in session.points]


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "stops.txt")


def test_every_kind_of_stop_comes_back_with_its_commands_its_ignored_hits_and_whether_it_is_enabled(file: str) -> None:
    session, other = session_of(), session_of()
    for stop in STOPS:
        for since in SAID_SINCE[: 2 if stop.startswith("t") else None]:
            execute(session, stop)
            if since and not (stop.startswith("break margin") and since.startswith("ignore")):
                execute(session, since)
    execute(session, "break loop")
    for since in SAID_SINCE:
        execute(session, since)
    execute(session, "display [n]")
    execute(session, f"save {file}")
    execute(other, f"source {file}")
    assert stops_of(other) == stops_of(session)
    assert other.displays == session.displays == ["[n]"]
    assert {point.kind for point in other.points} == {"break", "watch", "value", "rwatch", "margin", "divergence"}


def test_that_divergence_is_not_stopped_at_is_saved_too(file: str) -> None:
    session, other = session_of(), session_of()
    for command in ("break loop", "delete divergence", f"save {file}"):
        execute(session, command)
    execute(other, f"source {file}")
    assert stops_of(other) == stops_of(session) and not other.checks
    execute(other, f"source {file}")  # where it is deleted already
    execute(other, "break divergence")
    execute(other, f"save {file}")
    execute(session, f"source {file}")
    assert other.checks and "divergence" not in Path(file).read_text()


def test_a_file_of_stops_that_cannot_be_written_again_stays_as_it_was(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    session = session_of()
    execute(session, "break loop")
    execute(session, f"save {file}")
    kept = Path(file).read_text()
    execute(session, "watch n")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match=r"stops\.txt: No space left on device"):
        execute(session, f"save {file}")
    assert Path(file).read_text() == kept


def test_hits_that_were_counted_off_before_saving_stay_counted_off(file: str) -> None:
    session, other = session_of(), session_of()
    execute(session, "break loop")
    execute(session, "ignore 2 10")
    execute(session, "until :3")
    execute(session, "until loop")
    execute(session, f"save {file}")
    execute(other, f"source {file}")
    assert session.point("2").ignored == other.point("2").ignored == 9
    execute(session, "continue")
    execute(other, "continue")
    assert (session.evaluate("[n]"), other.evaluate("[n]")) == (29, 30)


def test_a_place_that_depends_on_where_the_machine_stands_is_saved_as_the_address_it_was(file: str) -> None:
    session, other = session_of(), session_of()
    execute(session, "until :3")
    for stop in ("break $pc", "tbreak . + 3 if $step > 5", "watch [at]", "rwatch n..[at]", "watch [at] if [n]"):
        execute(session, stop)
    execute(session, f"save {file}")
    execute(other, f"source {file}")
    assert stops_of(other) == stops_of(session)
    assert other.point("2").address == session.present.pc != other.present.pc


def test_a_stop_that_is_disabled_is_passed_over_forwards_and_backwards() -> None:
    session = session_of()
    for stop in ("break loop", "watch n", "rwatch copy", "watch [n] & 1", "break loop if [n] == 3"):
        execute(session, stop)
    execute(session, "disable all")
    assert execute(session, "continue").startswith("halted")
    assert execute(session, "reverse-continue").startswith("this is the beginning")
    execute(session, "enable $bpnum")
    execute(session, "continue")
    assert session.evaluate("[n]") == 3


def test_run_heeds_the_stops_at_the_first_instruction_with_all_that_was_said_of_them() -> None:
    session = session_of()
    execute(session, "break loop if [n] == 38")
    execute(session, "tbreak loop if [n] == 40")
    execute(session, "commands $bpnum print [n] + 2")
    assert execute(session, "run").endswith("[n] + 2 = 42, 0x2A, '*'")
    assert (session.present.step, [point.number for point in session.points]) == (0, [1, 2])
    execute(session, "run")
    assert session.evaluate("[n]") == 38
