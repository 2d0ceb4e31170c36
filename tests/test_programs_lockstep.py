"""Every bundled program runs in lockstep on every unit, and prints what its sample says: by default on the main one."""

import functools

import pytest

import programs
from assembler import Image, assemble
from vm import Halt, Machine

UNITS = ("native", "ntk-limit", "ntk", "ntk-bits", "neural-gpu", "modular")
BRIEFLY = {  # which of the programs, for the others
    "native": ("adder", "countdown"),
    "ntk": tuple(name for name in programs.names() if name != "selfhost"),
    "ntk-limit": ("adder", "countdown"),
    "ntk-bits": ("adder",),
    "neural-gpu": ("adder",),
    "modular": (),  # test_vm_command_modular runs one
}
MEMORY = 1 << 13  # words, where the words can name them: one compiled loop serves many programs
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
    image = image_of(name)
    memory = max(min(MEMORY, 1 << image.word_bits), image.memory_size())
    machine = Machine(image, unit, input=programs.sample_input(name), memory=memory)
    outcome = machine.run(60_000)
    assert outcome.halt is Halt.HALTED, outcome.message
    assert outcome.divergence is None
    assert machine.output == programs.sample_output(name)
    assert outcome.steps > outcome.console_steps
