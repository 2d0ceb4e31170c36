"""Golden evaluations: whoever changes how weights are evaluated raises `VERSION`, and so ends what was claimed."""

import jax.numpy as jnp
import numpy as np
import pytest

from learned_units import catalog
from learned_units.modular import network as modular
from learned_units.modular.unit import ModularSpec
from learned_units.neural_gpu import network as neural_gpu
from learned_units.neural_gpu import tape
from learned_units.neural_gpu.unit import NeuralGpuSpec


def test_a_changed_expert_needs_a_new_version():
    rng = np.random.default_rng(1)
    inner = rng.normal(size=(2, 4, 8)).astype(np.float32)
    network = modular.make_network(inner, rng.normal(size=(8, 4)).astype(np.float32), 2.0)
    classes, margins = modular.answers(network, np.array([[0, 1], [3, 2], [1, 1]], np.int32))
    found = modular.verify(network, modular.every_input(4, 2), np.zeros(16, np.int32))
    assert modular.VERSION == 1
    assert np.asarray(classes).tolist() == [0, 2, 0]
    np.testing.assert_allclose(margins, [0.278796, 5.244475, 0.394033], rtol=1e-5)
    assert (found.inputs, found.wrong, found.nominal) == (16, 14, pytest.approx(-7.163904, rel=1e-5))


def test_a_changed_tape_network_needs_a_new_version():
    rng = np.random.default_rng(1)
    rng.normal(size=96)
    shapes = neural_gpu.shapes(tape.UNIT_TASKS["sbn"].symbols, 6).values()
    network = neural_gpu.Network(*(jnp.asarray(rng.normal(size=each).astype(np.float32) * 0.5) for each in shapes))
    predicted = neural_gpu.run(network, jnp.asarray([1, 2, 3, 1], jnp.int32))
    words = [jnp.asarray([word], jnp.uint32) for word in (5, 3, 9, 2)]
    step = NeuralGpuSpec(4, "sbn").evaluate(network, *words)
    assert neural_gpu.VERSION == 1
    np.testing.assert_allclose(predicted, [0.389394, 0.223366, 0.330811, 0.371607], rtol=1e-4)
    assert (step.difference.tolist(), step.next_pc.tolist()) == ([15], [9])
    assert float(step.margin) == pytest.approx(0.256134, rel=1e-4)


def test_a_changed_reading_of_the_expert_needs_a_new_version(unit_of):
    unit = unit_of("modular", 8)
    assert isinstance(unit.spec, ModularSpec) and modular.VERSION == 1
    assert [(each.output, each.bit, each.value) for each in unit.explain(0x35, 0x17)] == [
        ("t", 0, 30),
        ("t", 4, 2),
        ("u", 0, 30),
        ("u", 4, 1),
    ]


@pytest.mark.parametrize(("unit", "module"), [("modular", "modular.loading"), ("neural-gpu", "neural_gpu.network")])
def test_a_new_version_ends_what_was_claimed_under_the_old_one(unit, module, monkeypatch):
    before = catalog.recipe(unit)
    monkeypatch.setattr(f"learned_units.{module}.VERSION", 2)
    after = catalog.recipe(unit)
    assert before is not None and after is not None
    assert before.expected["design"] != after.expected["design"]
