"""What a session does beyond its transcripts: units that differ, divergence, input by hand, conditions, snapshots."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from assembler import Image, assemble
from learned_units import load_unit
from learned_units.unit import Decision, StepResult, Unit
from learned_units.units.native import NativeSpec
from vm import snapshot
from vm.debugger import learned
from vm.debugger.commands import execute
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.execution import Machine
from vm.state import Halt

SOURCE = """
loop:   sbn     one, n
        sbn     n, -1
        sbn     one, left, -1
        sbn     zero, minus, loop
zero:   .word   0
one:    .word   1
minus:  .word   -1
n:      .word   70
left:   .word   5
"""
WRONG_AT = 67  # the minuend of step 12


@dataclasses.dataclass(frozen=True)
class WrongOnce(NativeSpec):
    """Subtracts right but for one minuend."""

    def evaluate(self, params, minuend, subtrahend, target, fall_through) -> StepResult:
        right = super().evaluate(params, minuend, subtrahend, target, fall_through)
        difference = jnp.where(minuend[0] == np.uint32(WRONG_AT), right.difference ^ np.uint32(1), right.difference)
        return StepResult(difference, right.next_pc, jnp.float32(0.25))


def wrong_unit() -> Unit:
    return dataclasses.replace(load_unit("native"), name="wrong", spec=WrongOnce(16, "sbn"), params=jax.device_put(()))


def session_on(source: str = SOURCE, unit: Unit | None = None, **kind) -> Session:
    return Session(assemble(source, "main.sbn"), unit or load_unit("native"), load_unit=load, **kind)


def load(name: str) -> Unit:
    return wrong_unit() if name == "wrong" else load_unit(name)


def test_a_divergence_stops_before_its_step_and_can_be_gone_past() -> None:
    session = session_on(unit=wrong_unit())
    said = execute(session, "continue")
    assert "step 12 at pc 0 (main.sbn:2) differs" in said and "[15] <- 66" in said
    assert session.present.step == 12 and session.present.pc == 0
    assert session.history.end == 12
    said = execute(session, "step")
    assert "n: 67 - 1 = 67" in said, "the unit's own result is taken"
    assert session.read(15) == 67
    assert "step 16 at pc 0" in execute(session, "continue"), "checked again from there"
    execute(session, "back")
    assert "differs" in execute(session, "continue")


def test_without_the_stop_at_divergence_nothing_is_compared() -> None:
    session = session_on(unit=wrong_unit())
    execute(session, "delete 1")
    assert execute(session, "continue").startswith("halted")
    assert bytes(session.present.output) == b"EDCCCC"
    assert session.halt is Halt.HALTED


def test_the_reference_follows_time_travel_and_changes_by_hand() -> None:
    session = session_on()
    execute(session, "step 10")
    for line in ("back 5", "set n = 100", "step 3", "back 2", "pc = loop", "asm sbn one, n", "goto 9", "continue"):
        said = execute(session, line)
        assert "differ" not in said
    assert session.halt is Halt.HALTED


def test_two_units_run_side_by_side_up_to_where_they_differ() -> None:
    session = session_on()
    execute(session, "both wrong")
    said = execute(session, "continue")
    assert "step 12 at pc 0: the units differ" in said
    assert "native: [15] <- 66, next pc 3" in said and "wrong: [15] <- 67, next pc 3, margin 0.250" in said
    assert session.present.step == 12
    assert "agree on 12 steps" in execute(session, "both")
    execute(session, "both off")
    assert execute(session, "continue").startswith("halted")


def test_a_low_margin_stops_after_its_step_and_backwards_before_it() -> None:
    session = session_on(unit=wrong_unit(), check=False)
    execute(session, "break margin < 0.3")
    assert "margin 0.250 < 0.3, by step 0 at pc 0, `sbn one, n` (main.sbn:2)" in execute(session, "continue")
    execute(session, "continue")
    assert session.present.step == 3, "the console step in between has no margin"
    execute(session, "reverse-continue")
    assert session.present.step == 2


def test_explain_shows_each_prediction_of_the_last_step_as_the_unit_explains_it() -> None:
    session = session_on(unit=load_unit("ntk-limit"))
    execute(session, "step")
    said = execute(session, "explain")
    decisions = session.unit.explain(70, 1, 3, 3)
    rows = [line for line in said.splitlines() if "|" in line and "below" not in line]
    assert len(rows) == len(decisions)
    for row, decision in zip(rows, decisions, strict=True):
        cells = row.split()
        assert cells[:3] == [str(decision.bit), decision.output, str(decision.matched)]
        assert cells[-2:] == [str(decision.value), f"{decision.margin:.3f}"]
    assert f"smallest margin {min(each.margin for each in decisions):.3f}" in said


@pytest.mark.parametrize(
    ("value", "margin", "drawn"),
    [
        (1, 1.0, "        |####    "),
        (0, 0.5, "      ##|        "),
        (1, 99, "        |########"),
        (0, 0.01, "       #|        "),
    ],
)
def test_a_bar_leaves_the_threshold_to_its_side(value: int, margin: float, drawn: str) -> None:
    assert learned.bar(Decision(0, "first", "x", 0, 1, float(value), 0.5, value, margin)) == drawn
    assert learned.bar(Decision(0, "first", "x", 0, 1, 0.0, 0.0, value, math.nan)).count("|") == 1


def test_input_given_by_hand_is_read_and_taken_back_with_time() -> None:
    session = session_on(
        "read: sbn -1, x\n sbn zero, minus, read\nzero: .word 0\nminus: .word -1\nx: .word 0\n", input=None
    )
    assert 'waits for input; `input "17 25\\n"` gives it some, `input end` ends it' in execute(session, "continue")
    execute(session, 'input "ab"')
    assert "waits for input" in execute(session, "continue")
    assert session.read(8) == ord("b") and session.present.step == 4
    execute(session, "back 4")
    assert session.present.unread == b"ab", "a change before step 0 belongs to step 0"
    execute(session, "undo")
    assert session.present.unread == b"" and session.history.end == 0
    execute(session, "input end")
    execute(session, "step")
    assert session.read(8) == -1


def test_a_condition_without_a_value_stops_and_says_so() -> None:
    session = session_on()
    execute(session, "break loop if [left] / ([left] - 3)")
    said = ""
    for _ in range(5):
        said = execute(session, "continue")
        if "no value" in said:
            break
    assert "its condition has no value: division by zero" in said


def test_a_change_by_hand_forgets_the_future_and_says_how_much() -> None:
    session = session_on()
    execute(session, "step 9")
    execute(session, "back 4")
    assert "forgotten: 4 recorded steps ahead" in execute(session, "set n = 1")
    assert session.history.end == session.present.step == 5


def test_going_forward_in_the_history_makes_changes_by_hand_again() -> None:
    session = session_on()
    execute(session, "step 2")
    execute(session, "set n = 90")
    execute(session, "step 8")
    after = session.present.memory.tolist(), bytes(session.present.output)
    execute(session, "goto 0")
    assert session.read(15) == 70
    execute(session, "goto 10")
    assert (session.present.memory.tolist(), bytes(session.present.output)) == after


def test_an_interrupted_run_keeps_the_session() -> None:
    session = session_on(
        "loop: sbn one, n\n sbn zero, minus, loop\none: .word 1\nn: .word 0\nzero: .word 0\nminus: .word -1\n"
    )
    session.on_dropped = lambda first: session.stop_requested.set()
    session.history.limit = 10_000
    said = execute(session, "continue")
    assert said.startswith("interrupted after")
    reached = session.present.step
    assert reached == session.history.end
    execute(session, "step")
    assert session.present.step == reached + 1


def test_a_snapshot_is_a_state_that_another_session_goes_on_from(tmp_path: Path) -> None:
    first, path = session_on(input=b"xyz"), tmp_path / "a.snap"
    execute(first, "step 6")
    execute(first, f"snapshot save {path}")
    second = session_on(input=b"xyz")
    execute(second, f"snapshot load {path}")
    assert "no difference" in execute(second, f"snapshot diff {path}")
    assert execute(first, "continue").startswith("halted") and execute(second, "continue").startswith("halted")
    assert first.present.memory.tolist() == second.present.memory.tolist()
    assert bytes(first.present.output).endswith(second.present.output)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"", lambda data: data.replace(b"native", b"nature")]
)
def test_a_damaged_snapshot_is_refused_and_changes_nothing(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    session, path = session_on(), tmp_path / "a.snap"
    execute(session, "step 2")
    execute(session, f"snapshot save {path}")
    path.write_bytes(damage(path.read_bytes()))
    before = session.present.memory.tolist()
    with pytest.raises(CommandError, match="damaged|altered"):
        execute(session, f"snapshot load {path}")
    assert session.present.memory.tolist() == before and not session.history.edits


def test_sbn_run_goes_on_from_a_snapshot_of_the_debugger(tmp_path: Path) -> None:
    session, path = session_on(), tmp_path / "a.snap"
    execute(session, "step 6")
    execute(session, f"snapshot save {path}")
    machine = Machine(session.image, "native")
    machine.restore(snapshot.load(path))
    assert machine.run().halt is Halt.HALTED
    execute(session, "continue")
    assert machine.memory.tolist() == session.present.memory.tolist() and machine.steps == session.present.step


def test_a_changed_program_is_loaded_again_and_stops_follow_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "main.sbn"
    session = session_on(reload=lambda: assemble(path.read_text(), "main.sbn"))
    execute(session, "break loop")
    execute(session, "watch left")
    execute(session, "break n")
    path.write_text("zero: .word 0\nminus: .word -1\nleft: .word 1\n.entry loop\nloop: sbn zero, minus, -1\n")
    said = execute(session, "reload")
    assert "break 4 at n is deleted" in said
    assert [(point.text, point.address) for point in session.points[1:]] == [("loop", 3), ("left", 2)]
    path.write_text("nonsense here\n")
    with pytest.raises(CommandError, match="main.sbn:1:1: unknown instruction `nonsense`"):
        execute(session, "reload")
    assert session.present.pc == 3, "the session goes on with what it had"
    path.unlink()
    with pytest.raises(CommandError, match="No such file"):
        execute(session, "reload")


def test_a_machine_of_three_words_and_one_of_four_bits_are_debugged() -> None:
    session = Session(Image((2, 2, 0), memory=3), load_unit("native"))
    execute(session, "step 5")
    execute(session, "back 2")
    small = Session(Image((9, 10, 3, 9, 10, 15) + (0,) * 3 + (1, 0)), load_unit("native"))
    assert "halted" in execute(small, "continue")
