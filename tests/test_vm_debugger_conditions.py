"""Conditions are evaluated over many recorded steps at once, and stop exactly where one by one they would."""

import threading
import time
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from assembler import assemble
from learned_units import load_unit
from vm.debugger.commands import execute
from vm.debugger.errors import CommandError
from vm.debugger.expressions import known_names, parsed, value_of
from vm.debugger.history import StepAccount
from vm.debugger.session import Session
from vm.debugger.vectors import Rows, values

SOURCE = """
loop:   sbn     one, n
        sbn     one, left, -1
        sbn     left, sum
        sbn     zero, minus, loop
zero:   .word   0
one:    .word   1
minus:  .word   -1
n:      .word   7
left:   .word   400
p:      .word   n
sum:    .word   0
"""
ATOMS = ["[n]", "[left]", "[sum]", "[[p]]", "[p]", "pc", "step", "$step", ".", "n", "0", "3", "-1", "70000", "[[n]]"]
BINARY = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "==", "!=", "<", "<=", ">", ">=", "&&", "||"]
EXPRESSIONS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(BINARY), inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(st.sampled_from("-~!+"), inner).map("".join),
        inner.map("[{}]".format),
    ),
    max_leaves=6,
)


def session_on(source: str = SOURCE, word_bits: int = 16) -> Session:
    image = assemble(source, "main.sbn", word_bits=word_bits)
    return Session(image, load_unit("native", word_bits), check=False)


@pytest.fixture(scope="module", params=[12, 64])
def recorded(request: pytest.FixtureRequest) -> Session:
    session = session_on(word_bits=request.param)
    execute(session, "step 20")
    return session


@settings(deadline=None, max_examples=40)
@given(text=EXPRESSIONS)
def test_an_expression_over_steps_has_the_value_that_it_has_at_each(recorded: Session, text: str) -> None:
    execute(recorded, "goto 0")
    [(_, piece)] = recorded.history.slices(0, 20)
    rows = Rows(piece, 0, recorded.history.pc_at(20), recorded.present.memory.copy(), recorded.word_bits)
    names = known_names(recorded.symbols, 0, 0)
    at = np.arange(-1, 20)
    found = values(parsed(text), {name: names[name] for name in recorded.symbols}, rows, at)
    for row, (value, is_known) in enumerate(zip(found.data.tolist(), found.is_known.tolist(), strict=True)):
        recorded.travel(row)
        try:
            expected = recorded.evaluate(text)
        except CommandError:
            assert not is_known, row
        else:
            assert is_known and value == expected, row


CONDITIONS = [
    "[n] == -5",
    "[n] % 7 == 3 && [left] < 390",
    "[sum] < [[p]] * 100",
    "step > 150",
    "[left] / ([left] - 380)",  # has no value once
    "0",
]


STOPS: dict[str, Callable[[Session, StepAccount], bool]] = {
    "break loop": lambda session, last: session.present.pc == 0,
    "watch sum": lambda session, last: last.address == session.symbols["sum"],
    "watch n..left": lambda session, last: last.address in (session.symbols["n"], session.symbols["left"]),
    "watch [[p]] / 2 + [left]": lambda session, last: session.read(15) // 2 + session.read(16) != _before(session),
    "rwatch left": lambda session, last: session.symbols["left"] in (last.a, last.b),
    "tbreak :3": lambda session, last: session.present.pc == 3,
}


def _before(session: Session) -> int:
    """The value of `[[p]] / 2 + [left]` before the last step."""
    step = session.present.step
    session.travel(step - 1)
    value = session.read(15) // 2 + session.read(16)
    session.travel(step)
    return value


@pytest.fixture(scope="module")
def looked() -> Session:
    session = session_on()
    execute(session, "step 200")
    return session


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("stop", STOPS)
def test_a_conditional_stop_stops_where_its_condition_holds_forwards_and_backwards(
    stop: str, condition: str, looked: Session
) -> None:
    hits = []
    for step in range(1, 201):
        looked.travel(step)
        last = looked.last_step()
        assert last is not None
        if STOPS[stop](looked, last) and _holds(looked, condition):
            hits.append(step)
    session = session_on()
    for mode in ("computed", "replayed"):
        execute(session, "goto 0")
        execute(session, "delete all")
        execute(session, f"{stop} if {condition}")
        for expected in hits[:1] if stop.startswith("tbreak") else hits[:8]:
            said = execute(session, "continue")
            assert f"{stop.split()[0]} " in said and session.present.step == expected, mode
        execute(session, "goto 200")
    if stop.startswith("tbreak"):
        return
    before = stop.startswith("break")  # a break stops before its instruction, and backwards all stop before the step
    wanted = [step if before else step - 1 for step in hits if not before or step < 200]
    if (
        before
        and STOPS[stop](session_on(), looked.history.accounts(looked.present, 1)[0])
        and _holds(session_on(), condition)
    ):
        wanted.insert(0, 0)
    for expected in wanted[::-1][:8]:
        execute(session, "reverse-continue")
        assert session.present.step == expected


def _holds(session: Session, condition: str) -> bool:
    try:
        return session.evaluate(condition) != 0
    except CommandError:
        return True


def test_a_word_changed_by_hand_counts_from_there_on_in_a_replay_too() -> None:
    session = session_on()
    execute(session, "step 40")
    execute(session, "set n = 1000")
    execute(session, "step 40")
    execute(session, "goto 0")
    execute(session, "break loop if [n] > 900")
    execute(session, "continue")
    assert session.present.step == 40 and session.read(session.symbols["n"]) == 1000
    execute(session, "goto 80")
    execute(session, "reverse-continue")
    assert session.present.step == 76


def test_a_hundred_thousand_hits_take_seconds() -> None:
    session = session_on(SOURCE.replace("400", "100000"), 32)
    execute(session, "break loop if [n] == 99")
    began = time.monotonic()
    assert "halted" in execute(session, "continue")
    assert time.monotonic() - began < 20, "one by one they took more than a minute"


def test_a_run_that_looks_for_a_condition_is_interrupted() -> None:
    session = session_on(SOURCE.replace("sbn     one, left, -1", "sbn     one, left"))
    execute(session, "break loop if [one] == 2")
    said: list[str] = []
    running = threading.Thread(target=lambda: said.append(execute(session, "continue")), daemon=True)
    running.start()
    while session.present.step < 1_000:
        time.sleep(0.01)
    session.stop_requested.set()
    running.join(20)
    assert said and said[0].startswith("interrupted after")


@pytest.mark.parametrize("text, reason", [("1.5", "`1.5` is neither"), (".5", "`.5` is neither"), ("x.y", "`x.y` is")])
def test_a_number_with_a_point_is_refused_as_it_was_typed(text: str, reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        execute(session_on(), f"print {text}")


def test_the_machines_own_names_are_no_labels() -> None:
    session = session_on("pc: sbn one, step\nstep: .word 5\none: .word 1\n")
    execute(session, "stepi")
    assert execute(session, "print step").startswith("step = 3") and execute(session, "print $step") == "$step = 1"
    assert execute(session, "print $pc + 1") == "$pc + 1 = 4"
    with pytest.raises(CommandError, match="there is no `\\$sp`; the machine has"):
        execute(session, "print $sp")


@pytest.mark.parametrize(
    "stop", ["break loop", "break loop if [n] != 3", "rwatch n", "watch [n]", "watch n if step > 9"]
)
def test_ignored_hits_are_counted_and_stop_nowhere(stop: str) -> None:
    session, ignoring = session_on(), session_on()
    for each in (session, ignoring):
        execute(each, stop)
    for _ in range(5):
        execute(session, "continue")
    for _ in ("computed", "replayed"):
        execute(ignoring, "goto 0")
        execute(ignoring, "ignore 1 4")
        execute(ignoring, "continue")
        assert ignoring.present.step == session.present.step
    assert ignoring.points[0].hits == 10 and ignoring.points[0].ignored == 0


def test_what_was_assembled_by_hand_is_a_line_until_it_is_taken_back() -> None:
    session = session_on()
    execute(session, "step")
    execute(session, "asm loop again: sbn one, left")
    assert execute(session, "list loop").startswith("<typed>:")
    assert session.symbols["again"] == 0
    execute(session, "back")
    assert "main.sbn" in execute(session, "list loop"), "before the change the word was the program's"
    execute(session, "goto 1")
    execute(session, "undo")
    assert "main.sbn" in execute(session, "list loop") and "again" not in session.symbols


@pytest.mark.parametrize(
    "text, before, after",
    [("mem[n]", "mem", "["), ("1 + p [2]", "p", "["), ("[n][2]", "]", "["), ("[n]x", "]", "x"), ("$pc 1", "$pc", "1")],
)
def test_operands_side_by_side_are_refused_as_they_were_written(text: str, before: str, after: str) -> None:
    with pytest.raises(CommandError) as refused:
        value_of(text, {"n": 8, "p": 9, "x": 7}, 0, 0, lambda address: address)
    assert str(refused.value) == f"an operator is missing between `{before}` and `{after}`"
