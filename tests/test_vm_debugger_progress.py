"""A long motion tells how far it has got, and Ctrl-C ends it in either direction."""

import pytest

from assembler import assemble
from learned_units import load_unit
from vm.console import running, terminal
from vm.debugger.commands import execute
from vm.debugger.session import Session

ENDLESS = "loop: sbn one, n\n sbn zero, minus, loop\none: .word 1\nn: .word 0\nzero: .word 0\nminus: .word -1\n"
STEPS = 200_000


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(assemble(ENDLESS, "main.sbn"), load_unit("native"), check=False)
    execute(session, f"stepi {STEPS}")
    execute(session, "break loop if [one] == 2")
    return session


def moves(session: Session, command: str, limit: int | None = None) -> tuple[list[int | None], str]:
    """Where a motion says that it has got to; Ctrl-C is pressed when it has said so `limit` times."""
    told: list[int | None] = []

    def moved(step: int | None) -> None:
        told.append(step)
        if len(told) == limit:
            session.stop_requested.set()

    session.on_moved = moved
    said = execute(session, command)
    session.on_moved = lambda step: None
    return told, said


def test_a_run_tells_where_it_has_got_to_replayed_and_computed(session: Session) -> None:
    execute(session, "goto 0")
    told, said = moves(session, "continue", limit=12)
    steps = [step for step in told if step is not None]
    assert told[0] is None and steps == sorted(steps) and "interrupted after" in said
    assert steps[0] < STEPS < session.present.step == steps[-1]


def test_ctrl_c_ends_a_search_backwards_where_it_began(session: Session) -> None:
    execute(session, f"goto {STEPS}")
    told, said = moves(session, "reverse-continue")
    assert session.present.step == 0 and "the beginning" in said and len(told) > 2
    execute(session, f"goto {STEPS}")
    told, said = moves(session, "reverse-continue", limit=2)
    assert session.present.step == STEPS and said.startswith("interrupted") and len(told) == 2


def test_progress_counts_the_steps_of_each_motion_in_either_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    from vm.command import debug

    shown: list[int] = []
    monkeypatch.setattr(running.Meter, "show", lambda meter, steps: shown.append(steps))
    moved = debug._progress(terminal.Talk(False))
    for step in (None, 100, 150, None, 150, 120):
        moved(step)
    assert shown == [0, 50, 0, 30]
