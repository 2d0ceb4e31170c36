"""The controls of the units modular and neural-gpu: they are those networks, and something breaks each of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from learned_units.experiments import controls_other_units as controls
from learned_units.modular import network as modular
from learned_units.neural_gpu import network as neural_gpu


def as_arrays(network) -> dict[str, np.ndarray]:
    return {name: np.asarray(each, np.float64) for name, each in network._asdict().items()}


@pytest.mark.slow
def test_the_networks_of_the_controls_are_those_of_the_units():
    rng = np.random.default_rng(0)
    inner, outer = rng.normal(size=(2, 7, 12)), rng.normal(size=(12, 7))
    rows = modular.every_input(7, 2)
    expected = modular.output(*modular.make_network(inner, outer)[:2], jnp.asarray(rows))
    found = controls.modular_outputs({"inner": inner, "outer": outer}, np.square, rows)
    assert np.allclose(found, expected, atol=1e-4) and np.abs(found).max() > 1
    network = neural_gpu.initialise(jax.random.key(0), 7, 6)
    symbols = rng.integers(0, 7, (5, 9), np.int32)
    found = controls.gpu_predictions(as_arrays(network), symbols, controls.hard_tanh, controls.hard_sigmoid)
    assert np.allclose(found, neural_gpu.run(network, jnp.asarray(symbols)), atol=1e-4) and np.abs(found).max() > 0.1


@pytest.mark.parametrize("replacement", ["weights 0", "weights shuffled", "weights noise"])
def test_other_weights_are_other_weights(replacement):
    trained = {"inner": np.arange(1.0, 13).reshape(3, 4), "outer": np.array([1.0, -1, 5])}
    other = dict(controls.replaced(trained))[replacement]
    for name, each in trained.items():
        assert other[name].shape == each.shape and (other[name] != each).any()


@pytest.mark.slow
def test_what_breaks_the_networks_and_what_does_not(unit_of):
    for unit in ("modular", "neural-gpu"):
        unit_of(unit)
    share = {(str(row[0]).split(":")[0], row[1]): float(str(row[4])) for row in controls.rows(lambda what, part: None)}
    for right in (("modular", "square, as trained"), ("modular", "|z|"), ("neural-gpu", "as trained")):
        assert share.pop(right) == 0
    assert len(share) == 9 and min(share.values()) > 0.75, share
