"""A margin that is no number is below every floor, wherever one is compared or the smallest is taken."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest

from learned_units import load_unit
from learned_units.circuits.state_templates import TemplateList
from learned_units.circuits.tasks import Task
from learned_units.modular import network as modular
from learned_units.neural_gpu import acceptance, long_arithmetic, measuring
from learned_units.neural_gpu.network import Network
from learned_units.proof.reached import reached
from learned_units.unit import weakness
from learned_units.weights import ensembles, tasks
from vm import Halt, cli, margin
from vm.console import batch, chosen_unit
from vm.outcome import Outcome

NAN = float("nan")


@pytest.mark.parametrize("margins", [(0.5, NAN), (NAN, 0.5), (NAN, -1.0), (float("inf"), NAN)])
def test_the_weakest_of_some_margins_is_the_one_that_is_no_number(margins):
    assert math.isnan(min(margins, key=weakness))
    assert min((0.5, -1.0, 2.0), key=weakness) == -1.0


def test_an_expert_whose_outputs_are_no_numbers_is_wrong():
    inner = np.ones((2, 4, 8), np.float32)
    found = modular.verify(
        modular.make_network(inner, np.full((8, 4), np.nan, np.float32)), modular.every_input(4, 2), np.zeros(16, int)
    )
    assert (found.inputs, found.wrong, found.smallest_margin) == (16, 16, -np.inf)


def test_an_error_that_is_no_number_gives_no_z():
    task = Task("permute", "paper", 4, (1, 0, 3, 2))
    (network,) = task.algorithm.networks
    assert isinstance(network, TemplateList)
    matched, _ = reached(task.algorithm, network)
    params = tasks.predictor.closed_form(network)
    exact = tasks.measure(network, params, matched, lambda part: None)
    assert exact["z"] == 1e9
    broken = jax.tree.map(lambda leaf: leaf * np.float32(np.nan), params)
    found = tasks.measure(network, broken, matched, lambda part: None)
    assert not found["smallest_margin"] >= ensembles.MARGIN_FLOOR
    assert not found["z"] >= ensembles.Z_FLOOR


@pytest.mark.slow
def test_a_network_on_tapes_that_gives_no_numbers_is_not_accepted(unit_of):
    weights = unit_of("neural-gpu").params
    broken = Network(*(each * np.float32(np.nan) for each in weights))
    answer = long_arithmetic.add(lambda task: broken, 5, 9, lambda what, part: None)
    assert math.isnan(answer.margin)
    for found in (measuring.Found(9, 0, NAN), measuring.Found(9, 0, 0.9).and_(measuring.Found(9, 0, NAN))):
        assert not acceptance.accepted(found)


def test_a_batch_keeps_it():
    printer = batch._Printer(as_json=True)
    for index, smallest in enumerate((0.5, NAN, 0.7)):
        printer.take(index, Outcome(Halt.HALTED, "halted", 1, 0, smallest, b"", None, 0.0))
    assert math.isnan(printer.margin)
    assert margin.refuted(printer.margin, 0.3)


@pytest.mark.slow
def test_an_explanation_of_a_unit_without_numbers_says_so(monkeypatch, capsys):
    unit = load_unit("ntk-limit", 8)
    broken = replace(unit, params=jax.tree.map(lambda leaf: leaf * np.float32(np.nan), unit.params))
    monkeypatch.setattr(chosen_unit, "load", lambda *arguments: broken)
    cli.main(["explain", "5", "3", "--width", "8"])
    assert "smallest margin nan" in capsys.readouterr().out
