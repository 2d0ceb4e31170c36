"""The search for the smallest margin: calibrated where the exact one is known, and signed."""

import dataclasses

import numpy as np
import pytest
from marks import slow

from learned_units.circuits.subtract_branch import template_sets
from learned_units.proof import enumeration, search, word_inputs


@pytest.mark.parametrize("network", ["select", *slow("first", "prefix", "difference")])
def test_the_search_finds_the_exact_smallest_margin_where_every_input_is_known(network, unit_of):
    unit = unit_of("ntk", 8)
    found = search.smallest_margin(unit.spec, unit.params, network)
    inputs = word_inputs.by_network(8)[network]
    exact = enumeration.enumerate_inputs(template_sets(8)[network], unit.params[network], inputs=inputs)
    assert found.smallest_margin == pytest.approx(exact.smallest_margin, abs=1e-5)
    assert found == search.smallest_margin(unit.spec, unit.params, network)


@pytest.mark.slow
def test_at_16_bits_it_finds_the_smallest_margin_of_the_first_pass_in_groups_of_8(unit_of):
    unit = unit_of("ntk", 16)
    known = unit.manifest.networks["first"].smallest_margin
    assert search.smallest_margin(unit.spec, unit.params, "first").smallest_margin == pytest.approx(known, abs=1e-5)


@pytest.mark.slow
def test_the_words_that_are_found_show_the_margin(unit_of):
    unit = unit_of("ntk", 8)
    found = search.smallest_margin(unit.spec, unit.params, "first", starts=4)
    margins = [each.margin for each in unit.explain(*found.words) if each.network == "first"]
    assert min(margins) == pytest.approx(found.smallest_margin, abs=1e-5)


def test_wrong_decisions_have_margins_below_0_and_one_that_is_no_number_is_the_smallest(unit_of):
    unit = unit_of("ntk", 8)
    weights = unit.params["first"]
    weak = {**unit.params, "first": weights._replace(outer=weights.outer * np.float32(0.4))}
    found = search.smallest_margin(unit.spec, weak, "first", starts=4)
    assert found.smallest_margin < 0
    told = dataclasses.replace(unit, params=weak).explain(*found.words)
    assert any(one.value != right.value for one, right in zip(told, unit.explain(*found.words), strict=True))
    nothing = {**unit.params, "first": weights._replace(outer=weights.outer * np.float32("nan"))}
    assert search.smallest_margin(unit.spec, nothing, "first", starts=2).smallest_margin == -np.inf


def test_a_network_that_no_pass_uses_is_refused(unit_of):
    unit = unit_of("ntk", 8)
    with pytest.raises(ValueError, match="no pass of this instruction set uses the network 'any'"):
        search.smallest_margin(unit.spec, unit.params, "any")
