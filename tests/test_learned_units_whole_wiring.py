"""The wiring of the grouped whole machine is proved on formulas: the proof holds, can fail, and is about what runs."""

import dataclasses
import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from bit_formulas import value
from marks import slow

from learned_units.circuits.machine_grouped import schedule, template_sets
from learned_units.circuits.passes import Pass, Pick, Read, Spread, run_schedule
from learned_units.proof import whole_wiring
from learned_units.proof.enumeration import VerificationError
from learned_units.proof.formulas import symbols
from learned_units.whole import grouped

SIZES = [(3, 4), (15, 4), (5, 5), (8, 8), (32, 8), (9, 9), (33, 12), (16, 17), (3, 64)]


@pytest.mark.parametrize("isa", ["sbn", "subleq"])
@pytest.mark.parametrize(("cells", "word_bits"), [*SIZES, *slow((255, 8), (256, 9), (256, 16), (256, 64))])
def test_the_passes_make_one_instruction_of_the_networks(cells, word_bits, isa):
    whole_wiring.check(cells, word_bits, isa)


@pytest.mark.slow
@pytest.mark.parametrize("cells", range(3, 257))
def test_whatever_the_number_of_cells(cells):
    for word_bits, isa in itertools.product((8, 9), ("sbn", "subleq")):
        if cells < 1 << word_bits:
            whole_wiring.check(cells, word_bits, isa)


CELLS, WORD_BITS = 16, 9  # of a machine in which every bit of an address matters
PARTS = 40


def faults(step: Pass, wanted: set[str]) -> list[Pass]:
    """The pass with one wire cut, crossed or shifted, or one output that is wanted and goes nowhere."""
    lines, found = dict(step.reads), []
    for k, (line, source) in enumerate(step.reads):
        others = []
        if isinstance(source, Pick):
            # The bits of a cell that no row can choose do not matter.
            rows = lines[line.replace("cell", "row")] if step.network == "read" else source
            assert isinstance(rows, Pick)
            for at, (place, row) in enumerate(zip(source.bits, rows.bits, strict=True)):
                if place is not None and row is not None:
                    crossed = (place[0], place[1] ^ 1)
                    others += [
                        Pick((*source.bits[:at], wrong, *source.bits[at + 1 :]))
                        for wrong in (None, crossed, ("fault", 0))
                        if wrong != place
                    ]
        elif isinstance(source, Spread):
            others.append(Spread(source.field, source.index ^ 1))
        else:
            others.append(Read(source.field, source.shift + 1))
        found += [
            dataclasses.replace(step, reads=(*step.reads[:k], (line, wrong), *step.reads[k + 1 :])) for wrong in others
        ]
    found += [
        dataclasses.replace(step, writes=(*step.writes[:k], (output, "nowhere"), *step.writes[k + 1 :]))
        for k, (output, field) in enumerate(step.writes)
        if field in wanted
    ]
    return found


@pytest.mark.parametrize("isa", ["sbn", *slow("subleq")])
@pytest.mark.parametrize("part", [0, *slow(*range(1, PARTS))])
def test_a_machine_with_any_one_wire_wrong_is_refused(part, isa):
    steps = schedule(CELLS, WORD_BITS, isa)
    wrong = []
    for k, (purpose, step) in enumerate(steps):
        wanted = {"memory", "pc", "fault"}.union(*(whole_wiring._fields_of(later) for _, later in steps[k + 1 :]))
        wrong += [(*steps[:k], (purpose, each), *steps[k + 1 :]) for each in faults(step, wanted)]
    assert len(wrong) > 1000
    for each in wrong[part::PARTS]:
        with pytest.raises(VerificationError, match="the whole machine of 16 cells of 9 bits, s"):
            whole_wiring.check_passes(each, CELLS, WORD_BITS, isa)


@pytest.mark.parametrize("isa", ["sbn", "subleq"])
def test_a_machine_that_lacks_a_pass_is_refused(isa):
    steps = schedule(CELLS, WORD_BITS, isa)
    for k in range(len(steps)):
        with pytest.raises(VerificationError):
            whole_wiring.check_passes((*steps[:k], *steps[k + 1 :]), CELLS, WORD_BITS, isa)


def test_two_rows_at_once_are_refused():
    steps = list(schedule(5, 4, "sbn"))
    k = next(k for k, (_, step) in enumerate(steps) if step.network == "read")
    purpose, step = steps[k]
    twice = tuple(
        (line if line != "row1" else line, dict(step.reads)["row0" if line == "row1" else line])
        for line, _ in step.reads
    )
    steps[k] = (purpose, dataclasses.replace(step, reads=twice))
    with pytest.raises(VerificationError, match="may flag two rows at once"):
        whole_wiring.check_passes(steps, 5, 4, "sbn")


@pytest.mark.parametrize(("cells", "word_bits"), [(11, 9), *slow((5, 4), (40, 12))])
def test_the_formulas_of_a_pass_are_what_the_networks_write(cells, word_bits):
    steps = schedule(cells, word_bits, "sbn")
    run = whole_wiring._Run(steps, "it", word_bits)
    run.fields = {"pc": symbols("pc", word_bits), "one": [1]}
    run.passes("decode pc")
    pcs = np.array([0, 1, cells - 3, cells - 2, cells, 1 << (word_bits - 1), (1 << word_bits) - 1])
    counters = (pcs >> np.arange(word_bits)[:, None] & 1).astype(np.float32)
    decoding = tuple(step for purpose, step in steps if purpose == "decode pc")
    predict = functools.partial(grouped.predict, grouped.limit_params())
    fields = {"pc": jnp.asarray(counters), "one": jnp.ones((1, len(pcs)))}
    written, _ = run_schedule(decoding, template_sets(), fields, predict)
    assert written.keys() == run.fields.keys()
    for field, found in written.items():
        said = [[value(formula, {"pc": counter}) for counter in counters.T] for formula in run.fields[field]]
        assert said == (np.asarray(found) > 0).tolist(), field
