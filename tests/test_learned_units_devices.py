"""Work spread over devices: the same results, to the last bit, on however many there are."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from learned_units import devices


def on_devices(count: int, code: str) -> str:
    """What a fresh interpreter with that many devices prints."""
    setup = f"import jax; jax.config.update('jax_num_cpu_devices', {count}); assert len(jax.devices()) == {count}\n"
    command = [sys.executable, "-c", setup + code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout


ENUMERATED = """
import numpy as np
from learned_units import load_unit
from learned_units.proof import operands
from learned_units.proof import enumeration
from learned_units.circuits.subtract_branch import template_sets
unit = load_unit("ntk")
for name in ("select", "any"):
    params, template_set = unit.params[name], template_sets(8)[name]
    print(enumeration.enumerate_inputs(template_set, params))
    print(enumeration.enumerate_inputs(template_set, params._replace(outer=params.outer * np.float32(0.3)), floor=0.0))
    print(enumeration.weakest(template_set, params))
for count in (300, 5000):
    for column in unit.subtract_branch(*operands.adversarial(np.random.default_rng(0), count, 16)):
        print(column.tobytes().hex())
"""


@pytest.mark.slow
def test_every_prediction_is_the_same_on_one_device_and_on_three(unit_of):
    unit_of("ntk")  # in the cache of this session
    one, three = (on_devices(count, ENUMERATED) for count in (1, 3))
    assert "Enumeration(inputs=6561, wrong=0" in one
    assert one == three


TRAINED = """
import numpy as np
from learned_units import store
from learned_units.networks import training
from learned_units.circuits.subtract_branch import template_sets
found = training.train(template_sets(8)["select"].labels(), networks=6, width=64, initialisation="variance-reduced",
                       seed=0)
print(len(found.ensemble.hidden.sharding.device_set), found.iterations, found.error)
print(store.tensor_hash(found.ensemble._asdict()))
"""


@pytest.mark.slow
def test_networks_are_trained_alike_on_one_device_on_two_and_on_three():
    told = [on_devices(count, TRAINED).split(" ", 1) for count in (1, 2, 4)]
    assert [used for used, _ in told] == ["1", "2", "3"]  # six networks are not divided by four
    assert len({result for _, result in told}) == 1


def plus(params: jax.Array, rows: jax.Array, *, factor: int) -> dict[str, jax.Array]:
    return {"sum": rows + params * factor, "first": rows[:, 0]}


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 24])
def test_blocks_come_in_order_and_without_what_fills_them_up(count):
    rows = np.arange(2 * count).reshape(count, 2).astype(np.int32)
    found = list(devices.in_blocks(plus, np.int32(5), rows, 8, factor=2))
    assert [len(given) for given, _ in found] == [8] * (count // 8) + ([count % 8] if count % 8 else [])
    for given, results in found:
        assert (results["sum"] == given + 10).all() and (results["first"] == given[:, 0]).all()
    assert np.concatenate([rows[:0], *(given for given, _ in found)]).tolist() == rows.tolist()


def test_few_sizes_of_blocks_are_compiled():
    assert [devices.block_size(rows, 16) for rows in (0, 1, 2, 3, 9, 16, 17, 1000)] == [1, 1, 2, 4, 16, 16, 16, 16]
