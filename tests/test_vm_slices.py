"""`sbn run --trace FILE.json`: what is open at each step are the calls of a model with a stack of its own."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from marks import slow
from test_vm_debugger_lines import FACTORIALS, Model, random_program

import programs
from assembler import Image, Origin, assemble
from learned_units import load_unit
from vm import Machine
from vm.chunk import Chunk
from vm.cli import main
from vm.debugger.rendering import statement
from vm.slices import Slices, slices_file

CALCULATOR = programs.source("calculator")
SUMS = b"(1+2)*3\n"


class Slice(NamedTuple):
    name: str
    kind: str
    given: dict[str, Any]


def text_of(image: Image, given: bytes = b"", budget: int | None = None) -> str:
    """The slices of a run, which is made in pieces of so many steps."""
    machine = Machine(image, load_unit("native", image.word_bits, image.isa), given, check=False)
    machine.record_operands()
    written: list[str] = []
    slices = Slices(image, written.append)
    while machine.run(budget, slices.add).steps:
        pass
    slices.finish()
    return "".join(written)


def open_at_each_step(text: str, began: int = 0) -> list[tuple[Slice, ...]]:
    """What is open at each step; every slice ends, within the one that it began in, and time never goes back."""
    found: list[tuple[Slice, ...]] = []
    open_: list[Slice] = []
    for event in json.loads(text)["traceEvents"]:
        if event["ph"] == "M":
            continue
        assert event["ts"] >= began + len(found)
        found += [tuple(open_)] * (event["ts"] - began - len(found))
        if event["ph"] == "B":
            open_.append(Slice(event["name"], event["cat"], event["args"]))
        else:
            assert event["ph"] == "E"
            open_.pop()
    assert not open_
    return found


def follows_the_model(source: str, given: bytes = b"") -> int:
    """Compare what is open at every step with the model; how many steps that were."""
    image = assemble(source, "main.sbn")
    model = Model(image, given)
    found = open_at_each_step(text_of(image, given))
    assert len(found) == len(model.moments) - 1
    own: tuple[Origin, ...] = ()  # the path of the last step of the program itself: what macros share belongs to it
    calls: list[str] = []
    for step, (slices, moment) in enumerate(zip(found, model.moments, strict=False)):
        program, *inner = slices
        assert program == ("program", "program", {"file": "main.sbn"})
        routines = [index for index, each in enumerate(inner) if each.kind == "routine"]
        if not model.is_shared(moment.pc):
            own, calls = model.paths[moment.pc], list(moment.calls)
        assert [inner[index].name for index in routines] == calls, step
        for index in routines:
            assert inner[index - 1].name == "call"
        tail = [(each.given["statement"], each.given["line"]) for each in inner[routines[-1] + 1 if routines else 0 :]]
        path = model.paths[moment.pc]
        if not model.is_shared(moment.pc):
            assert tail == _said(path[:-1]), step
        else:
            above = _said(own[:-1] or own)
            assert tail[: len(above)] == above and tail[-1] == _said(path)[-2], step
    return len(found)


def _said(path: tuple[Origin, ...]) -> list[tuple[str, str]]:
    return [(statement(each.text), f"{each.file}:{each.line}") for each in path]


def test_the_slices_of_the_calculator_are_the_calls_of_the_model() -> None:
    assert follows_the_model(CALCULATOR, SUMS) > 2000


def test_the_slices_of_a_recursive_factorial_are_the_calls_of_the_model() -> None:
    assert follows_the_model(FACTORIALS) > 1000


@pytest.mark.parametrize("seed", [0, 1, *slow(*range(2, 30))])
def test_the_slices_of_random_nested_calls_are_the_calls_of_the_model(seed: int) -> None:
    assert follows_the_model(random_program(seed)) > 100


@pytest.mark.parametrize("budget", [*slow(1), 13])
def test_a_run_in_pieces_has_the_slices_of_the_whole_one(budget: int) -> None:
    image = assemble(FACTORIALS, "main.sbn")
    assert text_of(image, budget=budget) == text_of(image)


def test_a_run_that_is_resumed_begins_at_its_step(tmp_path: Path, capfd) -> None:
    (tmp_path / "in").write_bytes(SUMS)
    state, trace = str(tmp_path / "state"), tmp_path / "run.JSON"
    started = ["run", "calculator", "--unit", "native", "--no-check", "--input", str(tmp_path / "in")]
    assert main([*started, "--save-state", state, "--max-steps", "1000"]) == 1
    assert main(["run", "calculator", "--resume", state, "--trace", str(trace), "--no-check"]) == 0
    whole = open_at_each_step(text_of(assemble(CALCULATOR, "calculator.sbn"), SUMS))
    tail = open_at_each_step(trace.read_text(), began=1000)
    assert len(tail) == len(whole) - 1000
    assert all(each[0].name == "program" for each in tail)
    assert tail[-1] == whole[-1], "what was open before is closed by then"


def test_a_run_that_fails_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with pytest.raises(KeyError), slices_file(str(path), assemble(FACTORIALS, "main.sbn")):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_source_and_what_keeps_no_steps_is_refused_with_the_reason(tmp_path: Path, capfd) -> None:
    image, trace = tmp_path / "words.dec", str(tmp_path / "run.json")
    image.write_text("0 0 -1")
    assert main(["run", str(image), "--trace", trace]) == 2
    assert "this image has no source" in capfd.readouterr().err
    (tmp_path / "batch").write_text("1\n")
    assert main(["run", "calculator", "--batch", str(tmp_path / "batch"), "--trace", trace]) == 2
    assert "the machines of a batch keep no record of their steps" in capfd.readouterr().err
    assert not Path(trace).exists()
    with pytest.raises(ValueError, match="records its steps"):
        Slices(assemble(" halt\n"), lambda text: None).add(Chunk(0, 1, 1.0, [], [], [], [], 3, b""))


@pytest.mark.slow
def test_the_whole_machine_has_slices_too(tmp_path: Path, capfd) -> None:
    trace = tmp_path / "run.json"
    name = programs.names(programs.WHOLE)[0]
    assert main(["run", name, "--whole", "--unit", "ntk-limit", "--input-text", "3 4", "--trace", str(trace)]) == 0
    assert open_at_each_step(trace.read_text())
