"""A loop that is compiled as one function: which loops are marked for that, and that the mark changes no result."""

import functools
import inspect

import jax
import jax.numpy as jnp
import pytest

from learned_units import load_unit
from vm import one_function
from vm.benchmark import contenders
from vm.execution import Machine
from vm.machine import run_chunk

MARK = "xla_cpu_small_call"


@pytest.fixture
def marks(monkeypatch):
    """As with a jaxlib that needs the mark."""
    monkeypatch.setattr(one_function, "_HELPS", True)


@functools.partial(jax.jit, static_argnames="product")
def repeated(x, weights, unused, turns, product):
    """x, multiplied by weights again and again: which turn it was, and the result."""

    def going(given, carry):
        return carry[0] < given[2]

    def body(given, carry):
        turn, x = carry
        weights, unused, _ = given
        return turn + 1, product(x, weights) + unused[0] * 0

    return one_function.while_loop(going, body, (weights, unused, turns), (jnp.int32(0), x))


def elementwise(x, weights):
    return x * weights.sum(1)[None]


ARGUMENTS = (jnp.ones((2, 3), jnp.int32), 2 * jnp.eye(3, dtype=jnp.int32), jnp.arange(7), jnp.int32(5))


def test_a_loop_is_marked_once_also_with_an_argument_it_does_not_use(marks):
    # Whose call without the barrier makes XLA end the process.
    assert repeated.lower(*ARGUMENTS, product=elementwise).as_text().count(MARK) == 1
    turn, x = repeated(*ARGUMENTS, product=elementwise)
    assert turn == 5 and x.tolist() == [[32, 32, 32], [32, 32, 32]]


def test_a_loop_with_a_product_of_matrices_is_not_marked(marks):
    assert MARK not in repeated.lower(*ARGUMENTS, product=jnp.dot).as_text()
    row = (ARGUMENTS[0][:1], *ARGUMENTS[1:])
    assert repeated.lower(*row, product=jnp.dot).as_text().count(MARK) == 1


@pytest.mark.parametrize("size, marked", [(2048, True), (2049, False), (1 << 16, False)])
def test_a_loop_with_a_large_reduction_is_not_marked(size, marked, marks):
    # Where it is, XLA of 0.10 refuses to compile it.
    @jax.jit
    def halved(x):
        return one_function.while_loop(lambda _, x: x.sum() > 1, lambda half, x: x * half, jnp.float32(0.5), x)

    x = jnp.full(size, 1024 / size, jnp.float32)
    assert (MARK in halved.lower(x).as_text()) == marked
    assert float(halved(x).sum()) == pytest.approx(1)


def test_no_loop_is_marked_where_the_mark_does_not_help(monkeypatch):
    monkeypatch.setattr(one_function, "_HELPS", False)

    def still(x, weights):  # traced here alone
        return x + weights[:1]

    assert MARK not in repeated.lower(*ARGUMENTS, product=still).as_text()


@pytest.mark.parametrize("name, marked", [("native", True), ("ntk-limit", True), ("modular", False)])
def test_the_loops_of_units_whose_products_are_left_to_a_library_are_not_marked(name, marked, marks):
    machine = Machine(contenders.program(8), load_unit(name, 8, "sbn", progress=False), check=False)
    traced_here = inspect.unwrap(run_chunk)  # not taken from what other tests traced
    chunk = functools.partial(traced_here, spec=machine.unit.spec, input_mode=machine.input_mode)
    assert (MARK in jax.jit(chunk).lower(*machine._chunk(0)).as_text()) == marked
