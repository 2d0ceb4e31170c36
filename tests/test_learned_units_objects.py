"""What Python users hold in their hands: units and machines as values, and as something jax can take apart."""

import contextlib
import dataclasses
import io
import pydoc
from importlib import import_module
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import learned_units
from assembler.image import INPUT_MODES, InputModeName
from learned_units import Scope, Unit, catalog, load_unit
from vm import Machine, run_batch

ADDS_ONE = ".isa sbn\n sbn minus, x, -1\n x: .word 41\n minus: .word -1\n"
WORDS = [jnp.array([word], jnp.uint32) for word in (5, 9, 100, 7)]  # of 8 bits
# Trained: the limit has ties, at which the smallest margin has no slope.
DIFFERENTIABLE = [
    "modular",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("ntk", "ntk-bits", "neural-gpu")),
]


def step_of(unit):
    """One step as a function of the weights, compiled once."""
    return jax.jit(lambda params, *words: unit.spec.evaluate(params, *words))


def scaled(params, by: float):
    return jax.tree.map(lambda leaf: leaf * jnp.float32(by), params)


def test_units_and_machines_tell_in_one_line_what_they_are(unit_of):
    unit = unit_of("ntk")
    line = repr(unit)
    assert line.startswith("<Unit ntk, 16-bit sbn: ensembles of 2 x ") and line.endswith(", every input verified>")
    machine = Machine(ADDS_ONE, unit, check=True)
    assert repr(machine) == "<Machine: step 0, pc 0, ntk, agrees>"
    assert "\n" not in line + repr(machine)


def test_units_are_equal_by_name_spec_and_weights(unit_of):
    unit, again = unit_of("ntk", 8), load_unit("ntk", 8)
    assert unit is not again and unit == again and hash(unit) == hash(again)
    assert len({unit, again, unit_of("ntk-limit", 8), unit_of("native", 8)}) == 3
    assert unit != unit_of("ntk", 16) and unit != unit_of("ntk", 8, "subleq") and unit != "ntk"
    leaves, structure = jax.tree.flatten(unit.params)
    nudged = np.asarray(leaves[0]).copy()
    nudged.reshape(-1)[0] = np.nextafter(nudged.reshape(-1)[0], np.float32(np.inf))
    assert unit != dataclasses.replace(unit, params=jax.tree.unflatten(structure, [nudged, *leaves[1:]]))


def test_a_unit_is_a_pytree_of_its_weights_and_others_claim_nothing(unit_of):
    unit = unit_of("ntk", 8)
    leaves, structure = jax.tree.flatten(unit)
    assert [leaf.shape for leaf in leaves] == [leaf.shape for leaf in jax.tree.leaves(unit.params)]
    assert jax.tree.unflatten(structure, leaves) is unit
    other = jax.tree.map(lambda leaf: leaf * jnp.float32(1.5), unit)
    assert isinstance(other, Unit) and other != unit
    assert other.manifest is None and other.tensor_hash is None and "verified>" in repr(other)
    assert repr(other) == "<Unit ntk, 8-bit sbn: other weights than those that were made, nothing verified>"
    seen = []

    @jax.jit
    def margin(unit: Unit):
        seen.append(unit)
        return unit.spec.evaluate(unit.params, *WORDS).margin

    assert float(margin(unit)) == float(margin(load_unit("ntk", 8))) and len(seen) == 1


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_margins_gradient_is_its_slope(unit_of, name):
    """Along the weights themselves, against a difference of two evaluations; and forwards as backwards."""
    unit = unit_of(name, 4)
    margin = jax.jit(lambda params: unit.spec.evaluate(params, *WORDS).margin)
    gradient = jax.jit(jax.grad(margin))(unit.params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    along = sum(float(jnp.vdot(g, p)) for g, p in zip(*map(jax.tree.leaves, (gradient, unit.params)), strict=True))
    difference = (float(margin(scaled(unit.params, 1.001))) - float(margin(scaled(unit.params, 0.999)))) / 0.002
    assert along == pytest.approx(difference, rel=0.05, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["ntk", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ntk-limit", "modular"))]
)
def test_many_sets_of_weights_side_by_side_are_what_each_is_alone(unit_of, name):
    unit = unit_of(name, 4)
    step = step_of(unit)
    factors = (1.0, 1.01, 0.5)
    many = jax.tree.map(lambda *each: jnp.stack(each), *(scaled(unit.params, by) for by in factors))
    alone = [step(scaled(unit.params, by), *WORDS) for by in factors]
    together = jax.jit(jax.vmap(lambda params: step(params, *WORDS)))(many)
    cases = [jnp.stack([word, word]) for word in WORDS]
    crossed = jax.jit(jax.vmap(lambda params: jax.vmap(lambda *words: step(params, *words))(*cases)))(many)
    for k, one in enumerate(alone):
        assert together.difference[k].tolist() == one.difference.tolist() == crossed.difference[k, 1].tolist()
        assert float(together.margin[k]) == pytest.approx(float(one.margin), rel=1e-4, abs=1e-4)
        assert float(crossed.margin[k, 0]) == pytest.approx(float(one.margin), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("package", ["vm", "learned_units", "assembler"])
def test_dir_and_help_show_what_a_package_exports(package):
    module = import_module(package)
    assert dir(module) == sorted(module.__all__)
    shown = pydoc.plain(pydoc.render_doc(module))  # without what makes words bold on a terminal
    assert all(f" {name}" in shown for name in module.__all__)


def test_what_is_learned_is_public():
    scopes = learned_units.scopes()
    assert list(scopes) == list(catalog.UNITS) and all(isinstance(each, Scope) for each in scopes.values())
    assert scopes["native"].difference == "native" and scopes["ntk"].difference == "learned"


def test_the_input_modes_that_types_name_are_those_there_are():
    assert set(get_args(InputModeName)) == set(INPUT_MODES) and len(get_args(InputModeName)) == len(INPUT_MODES)


def test_what_is_no_program_and_no_unit_is_a_type_error():
    with pytest.raises(TypeError, match="an Image or source text, not builtin_function_or_method"):
        Machine(open)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="an Image or source text, not int"):
        run_batch([ADDS_ONE, 5], "native")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="a unit or a Unit, not list"):
        Machine(ADDS_ONE, [])  # pyright: ignore[reportArgumentType]


def test_options_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        load_unit("native", 8, "sbn", 0)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="positional"):
        Machine(ADDS_ONE, "native", b"", 64)  # pyright: ignore[reportCallIssue]


def test_help_of_a_unit_is_found(unit_of):
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        help(unit_of("native"))
    assert "subtract_branch" in shown.getvalue()
