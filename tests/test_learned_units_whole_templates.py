"""The templates of the whole machine in one network are proved on formulas: the proof holds, and can fail."""

import dataclasses

import numpy as np
import pytest
from bit_formulas import value
from marks import slow

from learned_units.circuits.machine_one import templates
from learned_units.circuits.state_templates import Bit, StateFamily, Word
from learned_units.proof import whole_templates
from learned_units.proof.enumeration import VerificationError
from learned_units.proof.formulas import symbols

SIZES = [(3, 4), (15, 4), (5, 5), (8, 8), (32, 8), (9, 9), (16, 17), (3, 33)]
CELLS, WORD_BITS = 6, 5
PARTS = 8


@pytest.mark.parametrize("isa", ["sbn", "subleq"])
@pytest.mark.parametrize(("cells", "word_bits"), [*SIZES, *slow((255, 8), (256, 16), (3, 64), (1024, 12))])
def test_the_templates_make_one_instruction(cells, word_bits, isa):
    whole_templates.check(cells, word_bits, isa)


def flipped(term: Bit | Word) -> Bit | Word:
    """A condition that asks for the other value."""
    if isinstance(term, Bit):
        return dataclasses.replace(term, value=1 - term.value)
    other = {"0": "1", "1": "0", "-": "-"}
    return dataclasses.replace(term, patterns=tuple("".join(other[bit] for bit in each) for each in term.patterns))


def faults(family: StateFamily) -> list[StateFamily]:
    """The family with one condition too few or the other way round, or one assertion too few.

    What phase it is in may go without saying, where a field is 0 in all others.
    """
    found = []
    for k, term in enumerate(family.when):
        if term.field != "phase":
            found.append(dataclasses.replace(family, when=(*family.when[:k], *family.when[k + 1 :])))
        found.append(dataclasses.replace(family, when=(*family.when[:k], flipped(term), *family.when[k + 1 :])))
    for k in range(len(family.then)):
        found.append(dataclasses.replace(family, then=(*family.then[:k], *family.then[k + 1 :])))
    return found


@pytest.mark.parametrize("isa", ["sbn", "subleq"])
@pytest.mark.parametrize("part", [0, *slow(*range(1, PARTS))])
def test_a_network_with_any_one_family_wrong_is_refused(part, isa):
    right = templates(CELLS, WORD_BITS, isa)
    wrong = [
        dataclasses.replace(right, families=(*right.families[:k], faulty, *right.families[k + 1 :]))
        for k, family in enumerate(right.families)
        for faulty in faults(family)
    ]
    assert len(wrong) > 190
    for each in wrong[part::PARTS]:
        with pytest.raises(VerificationError, match="the network for 6 cells of 5 bits"):
            whole_templates.check_templates(each, CELLS, WORD_BITS, isa)


def test_an_iteration_on_formulas_is_what_the_templates_collect():
    """At states drawn at random, also such as no machine reaches."""
    of_machine = templates(5, 4, "subleq")
    run = whole_templates._Run(of_machine, "it")
    run.start({name: symbols(name, run.length(name)) for name, _ in of_machine.fields})
    run.iterate("it")
    rng = np.random.default_rng(5)
    for _ in range(20):
        state = (rng.random(of_machine.state_bits) < rng.random()).astype(np.float32)
        fields = of_machine.split(state)
        collected = np.asarray(of_machine.collect(of_machine.match(fields))) > 0
        known = {name: bits.reshape(-1) for name, bits in fields.items()}
        said = [value(bit, known) for name, _ in of_machine.fields for bit in run._state[name]]
        assert said == collected.tolist()
