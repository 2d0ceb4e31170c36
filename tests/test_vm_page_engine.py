"""The engine of the run page, under Node: a second implementation of the unit, the machine and the reference."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exactness
import numpy as np
import pytest
from page_engine import ECHO, Engine, UnitOf, check_reference, columns, data_of, started

import programs
from assembler import Image, assemble
from assembler.image import INPUT_MODES
from learned_units import Unit, bits, load_unit
from vm import Halt, Machine
from vm.reference import Stop

MARGIN = 1e-4  # float64 sums here, float32 sums in Python: margins differ by less
slow = pytest.mark.slow
both_isas = pytest.mark.parametrize("isa", exactness.ISAS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with started(tmp_path_factory.mktemp("engine")) as running:
        yield running


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
    [pytest.param(w, count, marks=slow) for w, count in ((8, 2_000), (16, 1_500), (32, 400))]
    + [pytest.param(w, 20_000, marks=slow) for w in (16, 32)]
    + [pytest.param(w, 2_000, marks=slow) for w in (4, 5, 17, 33, 47, 64)],
)
def test_hard_and_random_words_get_pythons_answers_and_margins(word_bits, count, isa, engine, unit_of, tmp_path):
    check_answers(engine, unit_of("ntk", word_bits, isa), exactness.hard_and_random(word_bits, count), tmp_path)


@slow
def test_another_group_is_evaluated_too(engine, tmp_path):
    check_answers(engine, load_unit("ntk", 11, "subleq", group=5), exactness.hard_and_random(11, 500), tmp_path)


@pytest.mark.parametrize(
    ("word_bits", "isa"),
    [pytest.param(w, isa, marks=() if (w, isa) == (8, "sbn") else slow) for w in (8, 16, 64) for isa in exactness.ISAS],
)
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


LARGE = ("basic", "lisp", "mandelbrot", "maze", "queens", "snake", "turing")
LONG = (*LARGE, "calculator", "factorial", "hello_subleq", "life", "quine", "rule110", "selfhost", "sortnumbers", "sum")


@pytest.mark.parametrize("name", [pytest.param(name, marks=slow if name in LONG else ()) for name in programs.names()])
def test_a_bundled_program_runs_as_in_python_step_by_step(name, engine, unit_of: UnitOf):
    image = assemble(programs.source(name), f"{name}.sbn")
    unit = unit_of("ntk", image.word_bits, image.isa)
    assert check_trace(engine, image, unit, programs.sample_input(name)) is Halt.HALTED


@slow
def test_a_core_computes_a_thousand_steps_a_second(engine, unit_of: UnitOf):
    image = assemble(programs.source("rule110"))
    found = json.loads(
        engine(data_of(image, unit_of("ntk"), programs.sample_input("rule110")), kind="trace", most=10**5)
    )
    assert found["compared"] > 1_000 * found["seconds"]


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


def any_image(rng: np.random.Generator, word_bits: int, isa: str) -> Image:
    """Words that are mostly small addresses and the console, now and then anything: programs that modify themselves."""
    size = int(rng.integers(3, min(1 << word_bits, 48)))
    kinds = rng.random(size)
    high = (1 << word_bits) - 1
    words = [
        int(rng.integers(0, size)) if kind < 0.8 else high if kind < 0.92 else int.from_bytes(rng.bytes(8)) & high
        for kind in kinds
    ]
    modes = [name for name, mode in INPUT_MODES.items() if not mode.numbers]  # the page has none for these
    mode = modes[int(rng.integers(len(modes)))]
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
