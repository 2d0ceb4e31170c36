"""A session of the run page, under Node: motions, history, breaking, recordings, and what the page is made of."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from page_engine import COUNTS, ECHO, Engine, UnitOf, check_reference, data_of, started

import programs
from assembler import Image, assemble
from vm import Machine
from vm.debugger.source import Source
from vm.page.data import data_json, engine_source, page_data, strip_modules

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with started(tmp_path_factory.mktemp("engine")) as running:
        yield running


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(engine, unit_of: UnitOf) -> Callable[..., list[dict[str, Any]]]:
    """ask(program, requests, ...) -> for each request its reply, and the state the machine comes to rest in."""

    def run(name: str, requests: list[dict[str, Any]], unit: str = "ntk", input: bytes = b"", ended: bool = True):
        image = assemble(programs.source(name), f"{name}.sbn")
        data = data_of(image, unit_of(unit, image.word_bits, image.isa), input, ended)
        return json.loads(engine(data, kind="requests", requests=requests))

    return run


def place(state: dict[str, Any]) -> dict[str, Any]:
    """What of a state belongs to its step alone."""
    kept = ("step", "pc", "status", "next", "last", "memory", "heat", "output", "input", "learned", "consoleSteps")
    return {name: state[name] for name in kept}


def text(state: dict[str, Any]) -> bytes:
    return bytes(state["output"])


def test_every_state_comes_back_as_it_was(ask):
    forward = [{"type": "step"} for _ in range(30)]
    back = [{"type": "back"} for _ in range(29)]
    again = [{"type": "seek", "step": step} for step in (101, 30, 0, 17, 101)]
    seen = ask("hello", [{"type": "run"}, {"type": "seek", "step": 0}, *forward, *back, *again])
    window = seen[0]["state"]["memory"]
    states = [each["state"] for each in seen[1:]]
    assert [len(state["memory"]["low"]) for state in states] == [len(window["low"])] * len(states)
    known = {state["step"]: place(state) for state in states[:31]}
    assert sorted(known) == list(range(31))
    for state in states[31:60]:
        assert place(state) == known[state["step"]]
    end, *others = states[60:]
    assert place(end) == place(seen[0]["state"]) and text(end) == programs.sample_output("hello")
    assert [place(each) for each in others[:3]] == [known[30], known[0], known[17]]
    assert end["compared"] == 101 and end["differed"] == 0  # going back and forth computes nothing


def test_noise_on_a_network_is_reported_and_one_request_mends_it(ask):
    requests = [
        {"type": "seek", "step": 40},
        {"type": "break", "replaced": ["difference"]},
        {"type": "run"},
        {"type": "step", "count": 20},
        {"type": "mend"},
        {"type": "run"},
        {"type": "histogram"},
    ]
    *_, caught, further, mended, done, counted = ask("hello", requests)
    state = caught["state"]
    divergence = state["divergence"]
    assert state["stop"] == {"kind": "divergence", "text": divergence["text"]}
    assert state["damaged"] and 40 <= divergence["step"] == state["step"] - 1
    assert divergence["machine"]["word"] != divergence["reference"]["word"]
    wrapped = (divergence["minuend"] - divergence["subtrahend"]) % 2**16
    assert divergence["reference"]["word"] == wrapped
    assert further["state"]["differed"] > 1 and further["state"]["divergence"] == divergence
    assert mended["state"]["step"] == divergence["step"] and not mended["state"]["damaged"]
    assert mended["state"]["differed"] == 0
    assert done["state"]["status"] == "halted" and text(done["state"]) == programs.sample_output("hello")
    histogram = counted["reply"]["result"]  # of the weights as stored again
    assert sum(histogram["bins"]) == histogram["decisions"] > 0
    assert histogram["smallest"] >= histogram["verified"]


def test_a_step_is_explained_with_the_weights_it_was_computed_with(ask):
    explain, seek = {"type": "explain", "step": 3}, {"type": "seek", "step": 10}
    damage = {"type": "break", "noise": 0.2}
    _, before, _, after, there = ask("hello", [seek, explain, damage, explain, {"type": "explain", "step": 10}])
    assert before["reply"]["result"] == after["reply"]["result"] and not before["reply"]["result"]["damaged"]
    assert there["reply"]["result"]["damaged"]


def test_the_hidden_layer_adds_up_to_the_prediction(ask):
    _, explained, hidden, removed = ask(
        "hello",
        [
            {"type": "seek", "step": 4},
            {"type": "explain", "step": 3},
            {"type": "hidden", "step": 3, "pass": 0, "group": 0, "output": 1, "position": 2},
            {"type": "break", "removedShare": 0.5},
        ],
    )
    [decision] = [
        each
        for each in explained["reply"]["result"]["passes"][0]["decisions"]
        if (each["group"], each["outputIndex"], each["position"]) == (0, 1, 2)
    ]
    layer = hidden["reply"]["result"]
    assert layer["prediction"] == decision["prediction"] and layer["matched"] == decision["matched"]
    assert len(layer["contributions"]) == layer["units"] == 896
    assert sum(layer["contributions"]) == pytest.approx(layer["prediction"], abs=1e-5)
    rows = np.array([list(row.values()) if isinstance(row, dict) else row for row in layer["rows"]])
    assert np.allclose(rows.sum(0), layer["sums"], atol=1e-6)
    assert removed["state"]["damage"]["removedShare"] == 0.5


def test_input_is_awaited_and_goes_on_where_it_is_typed(ask):
    typed = [{"type": "input", "bytes": list(b"17 2")}, {"type": "input", "bytes": list(b"5\n")}, {"type": "endInput"}]
    waits, first, second, _ = ask("adder", [{"type": "run"}, *typed], ended=False)
    assert (waits["state"]["status"], waits["state"]["playing"]) == ("needs-input", True)
    assert first["state"]["input"]["read"] == 4
    assert second["state"]["status"] == "halted" and text(second["state"]) == b"42\n"


def test_a_run_stops_where_it_is_told(ask):
    points = {"type": "breakpoints", "addresses": [12], "watches": [], "marginBelow": None, "divergence": True}
    motions = [
        {"type": "run"},
        {"type": "run"},
        {"type": "runBack"},
        {"type": "runBack"},
        {"type": "runTo", "address": 15},
    ]
    _, first, second, back, oldest, to, nowhere = ask("hello", [points, *motions, {"type": "runTo", "address": 10**6}])
    assert first["state"]["pc"] == second["state"]["pc"] == 12
    assert first["state"]["stop"] == {"kind": "break", "address": 12, "text": "break point at 12 (hello.sbn:25)"}
    assert place(back["state"]) == place(first["state"])
    assert (oldest["state"]["step"], oldest["state"]["stop"]["text"]) == (0, "this is the beginning")
    assert (to["state"]["pc"], to["state"]["stop"]["kind"]) == (12, "break")
    assert nowhere["reply"]["error"] == "1000000 is not an address of the memory of 65,536 words"


def test_the_last_write_of_a_word_is_found_backwards(ask):
    run, found, again, forth = ask(
        "primes",
        [
            {"type": "run"},
            {"type": "lastWrite", "address": 0},
            {"type": "leastCertain"},
            {"type": "timeline", "buckets": 50},
        ],
    )
    assert found["reply"]["result"] == {"found": False} and found["state"]["step"] == run["state"]["step"]
    least = run["state"]["least"]
    assert again["state"]["step"] == least["step"]
    timeline = forth["reply"]["result"]
    assert min(margin for margin in timeline["smallest"] if margin is not None) == pytest.approx(least["margin"])


# --- the source map ---------------------------------------------------------------------------------------------------


CALLS = """
        set  5, n
again:  call show
        dec  n
        jpos n, again
        halt
show:   jneg n, skip
        putn n
skip:   out  newline
        ret
n:      .word 0
newline:.word 10
"""


def test_a_statement_ends_where_pythons_debugger_says(engine, unit_of: UnitOf):
    image = assemble(CALLS)
    size = len(image.words)
    data = data_of(image, unit_of("ntk", image.word_bits, image.isa))
    found = json.loads(engine(data, kind="source", size=size))
    known = Source(image, size)

    def marked(marks: np.ndarray | None) -> list[int] | None:
        return None if marks is None else np.flatnonzero(marks).tolist()

    levels = [max(len(known.path(address)) - 1, 0) for address in range(size)]
    ids, begins = known.statements(0)
    assert found["over"] == [marked(begins & (ids != ids[address])) for address in range(size)]
    outside = [known.outside(address, level) if level else None for address, level in enumerate(levels)]
    assert found["out"] == [marked(marks) for marks in outside]
    assert found["outermost"] == [known.outermost(address) for address in range(size)]
    assert [tuple(call) for call in found["calls"]] == known.calls()
    lines = [path[0].line if (path := known.path(address)) else None for address in range(size)]
    assert found["lines"] == lines and max(levels) > 1 and found["calls"]


def test_a_motion_goes_over_a_macro_and_out_of_a_call(engine, unit_of: UnitOf):
    image = assemble(CALLS)
    names = ("step", "stepOver", "stepOver", "stepOver", "stepOut", "backOver", "stepOut", "backOver")
    data = data_of(image, unit_of("ntk"))
    seen = json.loads(engine(data, kind="requests", requests=[{"type": name} for name in names]))
    known = Source(image, len(image.words))
    lines = [known.path(each["state"]["pc"])[0].line for each in seen]
    # Inside `set`; over it to the call; into the routine; over its first line; out of the call; back to `ret`; ...
    assert lines == [2, 3, 7, 8, 4, 10, 4, 10]


def test_a_long_history_forgets_its_beginning_and_nothing_else(engine, unit_of: UnitOf):
    data = data_of(assemble(COUNTS), unit_of("ntk"))
    stops = [1000, 65_535, 70_000, 131_071, 131_072, 180_000]
    found = json.loads(engine(data, kind="travel", steps=200_000, kept=100_000, stops=stops))
    assert (found["first"], found["end"]) == (65_536, 200_000)
    assert found["reached"] == stops[2:] and found["same"] == [True] * 4 and found["ends"]
    assert found["least"]["margin"] == 1 and found["least"]["step"] >= found["first"]


@slow
def test_a_million_steps_are_kept_and_crossed_in_a_moment(engine, unit_of: UnitOf):
    data = data_of(assemble(COUNTS), unit_of("ntk"))
    found = json.loads(engine(data, kind="travel", steps=1_000_001, kept=None, stops=[0, 1, 500_000]))
    assert found["first"] == 0 and found["same"] == [True] * 3 and found["ends"]
    assert found["nanoseconds"] < 1_000  # a step; less than a second for a million


# --- recordings -------------------------------------------------------------------------------------------------------


def test_a_unit_without_an_engine_is_a_recording_compared_with_the_reference(ask):
    run, back, broken = ask(
        "adder", [{"type": "run"}, {"type": "back"}, {"type": "break", "noise": 0.1}], "native", b"17 25\n"
    )
    state = run["state"]
    assert state["recorded"] and state["status"] == "halted" and text(state) == b"42\n"
    assert state["compared"] == state["step"] and state["differed"] == 0
    assert back["state"]["step"] == state["step"] - 1
    assert broken["reply"]["error"].startswith("this is a recording")


def test_a_recording_of_an_endless_run_ends_and_says_so(engine, unit_of: UnitOf):
    data = data_of(assemble(COUNTS), unit_of("native"))
    requests = [{"type": "run"}, {"type": "step"}, {"type": "explain", "step": 5}]
    run, step, explained = json.loads(engine(data, kind="requests", requests=requests))
    assert (run["state"]["step"], run["state"]["end"], run["state"]["compared"]) == (20_000, 20_000, 20_000)
    assert run["state"]["status"] == "recording-ends" and run["state"]["differed"] == 0
    assert step["state"]["stop"] == {"kind": "status", "text": "the recording ends here"}
    assert explained["reply"]["result"] is None


@slow
@pytest.mark.parametrize("word_bits", [40, 64])
def test_wide_words_are_recorded_whole(word_bits, engine, unit_of: UnitOf):
    image = assemble(f".width {word_bits}\n.input sub\n{ECHO}")
    found = json.loads(engine(data_of(image, unit_of("native", word_bits), b"\x00A"), kind="trace", most=100))
    check_reference(found, image, b"\x00A", 100)


# --- what the page is made of -----------------------------------------------------------------------------------------


def test_the_engine_is_one_script_that_no_tag_can_end():
    script = engine_source()
    assert "</script" not in script.lower() and "<!--" not in script
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    names = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", script, re.MULTILINE)
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


@pytest.mark.parametrize("text", ['import x from "elsewhere";\n', "export default 1;\n", "export { a };\n"])
def test_an_import_or_export_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match="cannot be taken out"):
        strip_modules(text)


def test_a_page_has_the_memory_and_the_input_of_its_machine(unit_of: UnitOf):
    machine = Machine(ECHO, unit_of("ntk"), input=b"ab", memory=100, input_mode="sub")
    found = re.search(r'id="sbn-data">(.*?)</script>', machine.page(), re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert (data["program"]["memorySize"], data["program"]["inputMode"]) == (100, "sub")
    assert data["input"] == {"bytes": "YWI=", "ended": True}


def test_a_memory_that_no_browser_holds_is_refused(unit_of: UnitOf):
    image = Image([0, 0, 0], 32, memory=1 << 23)
    with pytest.raises(ValueError, match="at most 4,194,304 words of memory, and this is 8,388,608"):
        data_of(image, unit_of("ntk", 32))


def test_hostile_text_stays_text(unit_of: UnitOf):
    hostile = "x: .word 1 ; </script><script>alert(1)</script> <!-- & \u2028 \"'\n"
    image = assemble(hostile, "</script>.sbn")
    data = page_data(image, unit_of("ntk"), name="</script>", sources={"</script>.sbn": hostile})
    written = data_json(data)
    assert not set("<>&") & set(written) and written.isascii()
    assert json.loads(written) == json.loads(json.dumps(data))
    assert data["source"]["files"][0]["text"] == hostile
