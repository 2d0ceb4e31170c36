"""The jitted loop around the step: what it compiles, copies and leaves alone."""

import functools
import re
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow
from unit_bench import SIZE, Bench, every_unit

from assembler import Image
from learned_units import Unit, bits
from vm import Halt, Machine
from vm.chunk import trace_columns
from vm.execution import TRACE_ROWS
from vm.machine import fetch, run_chunk, step
from vm.reference import ReferenceMachine
from vm.state import MachineState, boot, make_stops


@pytest.fixture
def bench(request, unit_of) -> Bench:
    return Bench(unit_of(*request.param))


@pytest.fixture
def native(unit_of):
    return lambda word_bits=16, isa="sbn": Bench(unit_of("native", word_bits, isa))


def arguments(bench: Bench, words: list[int], memory: int = SIZE) -> tuple[MachineState, np.ndarray]:
    image = Image(words, bench.word_bits, bench.unit.isa)
    rows = np.zeros((TRACE_ROWS, trace_columns(bench.word_bits)), np.uint32)
    return boot(image.words, 0, memory, bench.word_bits), rows


def compiled_loops() -> int:
    """How many versions of the loop jax has compiled."""
    return cast(Any, run_chunk)._cache_size()


@every_unit
def test_budgets_images_and_weights_of_one_shape_share_one_compiled_loop(bench):
    bench.after([3, 3, 3, 1])
    bench.after([bench.console] * 6, 2, b"abc")  # jax counts a state apart whose input comes from the host
    compiled = compiled_loops()
    for words, budget in (([3, 3, 3, 1], 7), ([3, 4, -1, 1, 0], 100), ([bench.console] * 6, 2)):
        bench.machine(words, input=b"abc").run(budget)
    weights = jax.tree.map(lambda leaf: leaf * np.float32(0.9), bench.unit.params)
    other = Unit(bench.unit.name, bench.unit.spec, weights, bench.unit.scope)
    Machine(Image([3, 3, 3, 1], bench.word_bits, other.isa), other, memory=SIZE, check=False).run(3)
    assert compiled_loops() == compiled


def computations(text: str) -> dict[str, str]:
    """The named computations of a compiled module, by name; the entry is not among them."""
    found = re.findall(r"^%?([\w.\-]+) [^\n]*\{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    return {name: body for name, body in found if name != "ENTRY"}


def reached(name: str, bodies: dict[str, str]) -> set[str]:
    """A computation and all it calls."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        each = todo.pop()
        if each in bodies and each not in seen:
            seen.add(each)
            todo += re.findall(r"%([\w.\-]+)", bodies[each])
    return seen


@pytest.mark.parametrize(
    ("name", "word_bits", "isa"), [("native", 16, "sbn"), *slow(("ntk", 16, "sbn"), ("ntk-limit", 16, "sbn"),
                                                             ("native", 64, "subleq"), ("ntk", 64, "subleq"))],
)  # fmt: skip
@pytest.mark.parametrize(
    "stops", [pytest.param(None, id="plain", marks=pytest.mark.slow), pytest.param(make_stops(5003), id="stops")]
)
def test_no_step_copies_or_selects_over_the_memory(name, word_bits, isa, stops, unit_of):
    bench = Bench(unit_of(name, word_bits, isa))
    state, rows = arguments(bench, [3, 3, 3, 1], memory=5003)
    spec, budget = bench.unit.spec, jnp.int32(5)
    lowered = run_chunk.lower(state, rows, bench.unit.params, budget, spec=spec, input_mode="set", stops=stops)
    text = lowered.compile().as_text()
    assert text is not None
    bodies = computations(text)
    (loop,) = [body for body in re.findall(r"body=%([\w.\-]+)", text) if "u32[5003," in bodies[body]]
    shape = rf"u32\[5003,{bits.limb_count(word_bits)}\]"
    lines = [line for part in reached(loop, bodies) for line in bodies[part].splitlines()]
    made = [re.search(rf"= {shape}\S* ([\w\-]+)\(", line) for line in lines]
    operations = {match[1] for match in made if match}
    assert operations & {"dynamic-update-slice", "fusion"}, operations
    assert operations <= {"dynamic-update-slice", "fusion", "parameter", "get-tuple-element", "bitcast"}, operations
    big = [line for line in lines if "5003" in line and re.search(r" (copy|copy-start|select|broadcast)\(", line)]
    assert not big


@pytest.mark.parametrize("halt", [Halt.HALTED, Halt.BAD_ADDRESS, Halt.PC_OUTSIDE, Halt.NEED_INPUT, Halt.OUTPUT_FULL])
@pytest.mark.parametrize("words", [[3, 4, -1, 1, 0], [0xFFFF, 0xFFFF, 3], [3, 0xFFFF, 3], [70, 3, 3]])
def test_a_stopped_state_is_a_fixpoint(halt, words, native):
    unit = native().unit
    before = boot(Image(words).words, 0, SIZE, 16)._replace(halt=jnp.int32(halt))
    before = before._replace(input_length=jnp.int32(1), input_ended=jnp.bool_(True))
    one = jax.jit(functools.partial(step, spec=unit.spec, input_mode="set"))
    after, _, executed = one(before, fetch(before.memory, before.pc), None)
    assert not executed
    for field, old, new in zip(MachineState._fields, before, after, strict=True):
        if field == "output":  # where nothing counts as written, whatever comes after the end may be there
            continue
        assert (np.asarray(old) == np.asarray(new)).all(), field


def test_a_chunk_of_no_budget_changes_nothing(native):
    state, rows = arguments(native(), [3, 4, -1, 1, 0])
    kept = jax.tree.map(np.array, state)
    unit = native().unit
    after, trace = run_chunk(state, rows, unit.params, jnp.int32(0), spec=unit.spec, input_mode="set")
    assert int(trace.steps) == 0
    assert all((np.asarray(old) == np.asarray(new)).all() for old, new in zip(kept, after, strict=True))


def test_margins_are_those_of_the_operands_and_the_smallest_is_reported(unit_of):
    unit, words = unit_of("ntk"), [9, 11, -1, 10, 10, 6, 9, 10, 0, 1, 0, 4]
    machine = Machine(Image(words), unit, memory=SIZE)
    chunks = []
    outcome = machine.run(on_chunk=chunks.append)
    margins = [margin for chunk in chunks for margin in chunk.margins]
    assert len(margins) == outcome.steps == 13
    assert outcome.margin == min(margins) >= unit.manifest.verified.smallest_margin - 1e-4
    reference = ReferenceMachine(words, memory_size=SIZE)
    for margin in margins:
        a, b, c = reference.memory[reference.pc : reference.pc + 3]
        again = unit.subtract_branch(reference.memory[b], reference.memory[a], c, reference.pc + 3)
        assert margin == pytest.approx(float(again.margin), abs=1e-4)
        reference.run(1)
