"""Every bundled program runs in lockstep on every unit, and prints what its sample says: by default on the main two."""

import functools

import pytest

import programs
from assembler import Image, assemble
from vm import Halt, Machine

UNITS = ("native", "ntk-limit", "ntk", "ntk-bits", "neural-gpu", "modular")
BRIEFLY = {  # which of the programs, for the others
    "native": ("adder", "countdown"),
    "ntk-bits": ("adder",),
    "neural-gpu": ("adder",),
    "modular": ("adder",),
}
RUNS = [
    pytest.param(name, unit, marks=pytest.mark.slow if slow else ())
    for name in programs.names()
    for unit in UNITS
    for slow in [name not in BRIEFLY.get(unit, programs.names())]
]


@functools.cache
def image_of(name: str) -> Image:
    return assemble(programs.source(name), f"{name}.sbn")


@pytest.mark.parametrize(("name", "unit"), RUNS)
def test_a_bundled_program_agrees_with_the_reference_at_every_step(name: str, unit: str) -> None:
    machine = Machine(image_of(name), unit, input=programs.sample_input(name))
    outcome = machine.run(60_000)
    assert outcome.halt is Halt.HALTED, outcome.message
    assert outcome.divergence is None
    assert machine.output == programs.sample_output(name)
    assert outcome.steps > outcome.console_steps
