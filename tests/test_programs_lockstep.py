"""Every bundled program runs in lockstep on every unit, and prints what its sample says."""

import pytest

import programs
from assembler import assemble
from vm import Halt, Machine

UNITS = ("native", "ntk-limit", "ntk", "ntk-bits", "neural-gpu", "modular")
BRIEFLY = {  # which of the programs, for units that take long
    "ntk-bits": ("adder",),
    "neural-gpu": ("adder", "primes", "sort"),
    "modular": ("adder", "primes", "sort"),
}
RUNS = [
    pytest.param(name, unit, marks=pytest.mark.slow if slow else ())
    for name in programs.names()
    for unit in UNITS
    for slow in [name not in BRIEFLY.get(unit, programs.names())]
]


@pytest.mark.parametrize(("name", "unit"), RUNS)
def test_a_bundled_program_agrees_with_the_reference_at_every_step(name: str, unit: str) -> None:
    image = assemble(programs.source(name), f"{name}.sbn")
    machine = Machine(image, unit, input=programs.sample_input(name))
    outcome = machine.run(20_000)
    assert outcome.halt is Halt.HALTED, outcome.message
    assert outcome.divergence is None
    assert machine.output == programs.sample_output(name)
    assert outcome.steps > outcome.console_steps
