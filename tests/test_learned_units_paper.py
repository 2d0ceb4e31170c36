"""The paper's own setting as weights of the unit: trained as it says, right on every input, and running programs."""

from types import SimpleNamespace
from typing import Any

import exactness
import numpy as np
import pytest
from marks import slow

import programs
from assembler import assemble
from learned_units import Unit, load_unit
from learned_units.catalog import ISAS
from learned_units.circuits import subtract_branch
from learned_units.experiments import paper
from learned_units.networks import plain
from learned_units.proof import enumeration, word_inputs
from learned_units.store import Verified, WeightsError
from learned_units.units import ntk_paper
from vm import Halt, Machine, report

COUNT = {  # of distinct inputs, by bits of a word
    4: {"first": 225, "prefix": 0, "difference": 35, "select": 31, "any": 16},
    8: {"first": 50_741, "prefix": 619, "difference": 1_597, "select": 511, "any": 256},
}
ENDLESS = """
loop:   sbn    a, b, .+3
        sbn    b, a, .+3
        sbn    zero, minus1, loop
a:      .word  1
b:      .word  5
zero:   .word  0
minus1: .word  -1
"""


@pytest.mark.parametrize("smallest", [None, 0.0, float("nan")])
def test_a_manifest_that_claims_too_little_or_no_number_is_refused(smallest, monkeypatch):
    monkeypatch.setattr(ntk_paper, "params", lambda tensors, word_bits: {"first": None})
    manifest: Any = SimpleNamespace(
        networks={"first": None}, verified=Verified(kind="every input", smallest_margin=smallest)
    )
    with pytest.raises(WeightsError, match="claims too little"):
        ntk_paper._check(4, {}, manifest)
    manifest.verified = Verified(kind="every input", smallest_margin=ntk_paper.MARGIN_FLOOR)
    ntk_paper._check(4, {}, manifest)


@pytest.mark.parametrize("word_bits", [4, *slow(8)])
def test_each_network_receives_what_pairs_of_words_lead_to(word_bits):
    found = word_inputs.by_network(word_bits)
    assert {name: len(each) for name, each in found.items()} == COUNT[word_bits]
    sets = subtract_branch.template_sets(word_bits)
    for name, inputs in found.items():
        assert inputs.shape[1] == sets[name].group and len(np.unique(inputs, axis=0)) == len(inputs)
        assert set(np.unique(inputs).tolist()) <= set(range(-1, len(sets[name].families)))


@pytest.mark.slow
def test_the_sign_readout_needs_its_tolerance():
    """Trained without momentum from a plain start; where one bit is 1, what training left would decide at 0."""
    select, few = subtract_branch.template_sets(4)["select"], 10
    inputs = select.reachable_inputs()
    inputs = inputs[(inputs >= 0).sum(1) <= 1]
    trained = plain.train(select.labels(), few, 256, 0)
    assert trained.error <= 1e-4 and trained.inner.shape == (8, few * 256) and trained.outer.shape == (few * 256, 4)
    params = plain.make_plain(select, trained.inner, trained.outer)
    assert (np.asarray(params.table)[1:] == plain.TOLERANCE).all()
    assert enumeration.enumerate_inputs(select, params, inputs=inputs).wrong == 0
    at_zero = params._replace(table=params.table.at[1:].set(np.float32(0)))
    assert enumeration.enumerate_inputs(select, at_zero, inputs=inputs).wrong > 0
    start = params._replace(outer=-params.outer)
    assert enumeration.enumerate_inputs(select, start, inputs=inputs).wrong > 0


@pytest.mark.parametrize(
    ("word_bits", "group", "said"),
    [(16, None, "words have 16 bits; paper weights are for words of up to 8"), (8, 4, "a network serves the word")],
)
def test_words_and_groups_that_the_paper_weights_are_not_for_are_refused(word_bits, group, said):
    with pytest.raises(ValueError, match=said):
        load_unit("ntk", word_bits, weights="paper", group=group)


@pytest.fixture(scope="module", params=[4, 8])
def unit(request, trained_cache) -> Unit:
    return load_unit("ntk", request.param, weights="paper")


@pytest.mark.slow
def test_the_networks_are_right_on_every_input_and_so_is_every_pair_of_words(unit):
    assert unit.manifest is not None and unit.manifest.verified.smallest_margin is not None
    assert unit.manifest.verified.inputs == sum(COUNT[unit.word_bits].values())
    assert ntk_paper.MARGIN_FLOOR <= unit.manifest.verified.smallest_margin < 1
    exactness.check(unit, exactness.all_pairs(unit.word_bits))


@pytest.mark.slow
@pytest.mark.parametrize("isa", ISAS)
def test_a_program_runs_in_lockstep(unit, isa):
    source = f"        .isa   {isa}\n{ENDLESS.replace('sbn', isa)}"
    machine = Machine(
        assemble(source, word_bits=unit.word_bits), load_unit("ntk", unit.word_bits, isa, weights="paper")
    )
    outcome = machine.run(300)
    assert outcome.halt is Halt.BUDGET and outcome.divergence is None and outcome.steps == 300


@pytest.mark.slow
def test_a_bundled_program_runs_in_lockstep_on_words_of_8_bits(trained_cache):
    image = assemble(programs.source("countdown"), "countdown.sbn", word_bits=8)
    machine = Machine(image, load_unit("ntk", 8, weights="paper"))
    outcome = machine.run()
    assert outcome.halt is Halt.HALTED and outcome.divergence is None
    assert machine.output == programs.sample_output("countdown")


@pytest.mark.slow
def test_the_command_that_trains_the_weights_again_is_for_these_weights(unit):
    assert report.of_unit(unit).trained_with == f"sbn train ntk --weights paper --width {unit.word_bits} --force"


@pytest.mark.slow
def test_the_experiment_says_how_many_networks_suffice(trained_cache):
    table = paper.measure(True, lambda what, part: None)
    assert table.column("inputs") == [225, 35, 31, 16]
    for trained, bound in zip(table.column("trained"), table.column("version 1's bound"), strict=True):
        assert isinstance(trained, int) and isinstance(bound, int) and trained < bound
