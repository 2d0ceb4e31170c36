"""The controls: what is claimed of them follows from the kernel, and each can come out otherwise."""

import numpy as np
import pytest

from learned_units.circuits import subtract_branch
from learned_units.experiments import controls, precision, xor
from learned_units.networks import kernel, predictor, rounded
from learned_units.networks.ensemble import EnsembleParams
from learned_units.proof import enumeration


@pytest.fixture(scope="module")
def select(unit_of):
    unit_of("ntk")
    return controls.default_networks()["select"]


def test_the_kernel_is_its_linear_part_and_an_even_one():
    r = np.linspace(-1, 1, 201)
    even = kernel.ntk(r) - r / 2
    assert np.allclose(even, even[::-1], atol=1e-12)
    assert np.allclose(even, (np.sqrt(1 - r**2) + 2 * r * np.arcsin(r)) / (2 * np.pi), atol=1e-12)
    assert [round(controls.linear_share(n), 2) for n in (2, 8, 16, 64)] == [0.73, 0.85, 0.89, 0.94]


@pytest.mark.slow
def test_odd_and_even_part_add_up_to_the_network(select):
    """And the identity is twice the odd part."""
    given = select.template_set.reachable_inputs()[::50]
    said = {
        name: np.asarray(enumeration.predict_inputs(params, given, template_set=select.template_set).value)
        for name, params in controls.variants(select)
    }
    whole, odd, even = (said[name] for name in ("relu, as trained", "odd part, z / 2", "even part, |z| / 2"))
    assert np.allclose(whole, odd + even, atol=1e-5) and np.abs(even).max() > 0.05
    assert np.allclose(said["identity"], 2 * odd, atol=1e-5)


@pytest.mark.slow
def test_a_linear_map_does_what_select_does_and_no_weights_do_not(select):
    found = {
        name: enumeration.enumerate_inputs(select.template_set, params) for name, params in controls.variants(select)
    }
    for name in ("relu, as trained", "identity", "odd part, z / 2", "linear, trained"):
        assert found[name].wrong == 0, name
    assert found["linear, trained"].smallest_margin > 0.99
    for name in ("weights 0", "weights shuffled", "weights noise"):
        assert found[name].wrong > 6000, name
    assert found["even part, |z| / 2"].wrong > 4000


def test_the_trained_networks_are_the_units_own(unit_of):
    params = unit_of("ntk").params
    for name, network in controls.default_networks().items():
        assert network.template_set == subtract_branch.template_sets(8)[name]
        ready = predictor.trained(*network)
        assert isinstance(ready, EnsembleParams)
        for ours, theirs in zip(params[name], ready, strict=True):
            assert np.array_equal(ours, theirs)


def test_eight_bits_suffice_for_select_and_four_do_not(select):
    found = {
        name: enumeration.enumerate_inputs(select.template_set, params)
        for name, params in precision.variants(select)
        if name in ("float32, as trained", "int8", "int4", "1% of units removed")
    }
    assert found["int8"].wrong == 0 and 0.25 < found["int8"].smallest_margin
    assert found["int8"].smallest_margin < found["float32, as trained"].smallest_margin
    assert found["int4"].wrong > 1000
    assert 0 < found["1% of units removed"].wrong < 1000


def test_whole_numbers_are_the_nearest_of_their_bits():
    tensor = np.array([[-1.0, 0.5, 0.26]], np.float32)
    numbers, scale = rounded.rounded(tensor, 3)
    assert numbers.dtype == np.int8 and numbers.tolist() == [[-3, 2, 1]] and scale == pytest.approx(1 / 3)
    for bits in (8, 4):
        numbers, scale = rounded.rounded(tensor, bits)
        assert abs(numbers).max() == 2 ** (bits - 1) - 1
        assert np.abs(numbers * scale - tensor).max() <= scale / 2 + 1e-7


@pytest.mark.parametrize("positions", [2, 3])
def test_the_limit_is_right_on_every_pair_and_no_example_is_one(positions):
    given = xor.task(positions)
    assert xor.judged(given, xor.limit(given), *xor.calibrated(given)) == (0, pytest.approx(1))
    assert not (given.examples[:, None] == given.inputs[None]).all(2).any()
    assert np.allclose((given.inputs**2).sum(1), 1) and np.allclose((given.examples**2).sum(1), 1)


def test_a_trained_network_is_the_exclusive_or_and_without_its_relu_it_is_not():
    given = xor.task(2)
    network = xor.train(given, 1024, 0)
    read = xor.calibrated(given)
    wrong, margin = xor.judged(given, np.asarray(xor.predict(network, given.inputs)), *read)
    assert wrong == 0 and margin > 0.5
    assert xor.judged(given, np.asarray(xor.predict(network, given.inputs, lambda z: z)), *read)[0] == 12


@pytest.mark.slow
def test_a_narrow_network_is_not():
    given = xor.task(4)
    network = xor.train(given, 128, 0)
    assert xor.judged(given, np.asarray(xor.predict(network, given.inputs)), *xor.calibrated(given))[0] > 0
