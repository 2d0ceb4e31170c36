"""A loop that XLA's compiler for processors makes one function of, also where it would not do so by itself.

Before jaxlib 0.12 that compiler runs a loop's body as a list of kernels, each with a start of its own, unless the loop
is all of a call that is marked as small. Then a step of the closed-form unit takes a quarter of the time, and one of
the trained unit half. From 0.12 on the mark changes nothing. In 0.11.1, which is not supported, it makes the loop of
one machine many times slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, TypeVar

import jax
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend import core

_Given = TypeVar("_Given")
_Carry = TypeVar("_Carry")

_MARK: dict[str, Any] = {"xla_cpu_small_call": "true", "inlineable": "false"}
_HELPS = tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 12)
# What the function cannot hold: products of matrices and large reductions, which XLA leaves to a library, and whatever
# calls one by itself.
_REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min")
_LARGE = 2048  # numbers a reduction takes; XLA of 0.10 leaves those of 4,096 to a library
_CALLS = ("conv_general_dilated", "scatter", "sort", "fft", "custom_call", "ffi_call", "pure_callback", "io_callback")


def while_loop(
    going: Callable[[_Given, _Carry], jax.Array],
    body: Callable[[_Given, _Carry], _Carry],
    given: _Given,
    start: _Carry,
) -> _Carry:
    """`jax.lax.while_loop` whose functions are also given what stays the same, as one function where that helps.

    Inside of jit. given, start: pytrees of arrays.
    """

    def loop(given: _Given, start: _Carry) -> tuple[_Carry, _Given]:
        end = jax.lax.while_loop(lambda carry: going(given, carry), lambda carry: body(given, carry), start)
        return end, given

    if not _HELPS or jax.default_backend() != "cpu":
        return loop(given, start)[0]
    compiled = jax.jit(loop)
    if not all(_holds(equation) for equation in _equations(compiled.trace(given, start).jaxpr.jaxpr)):
        return loop(given, start)[0]
    # XLA aborts at a marked call with an argument that it finds no use for. So all are results as well, which the
    # barrier keeps.
    leaves, tree = jax.tree.flatten(compiled(given, start))
    leaves[0] = set_xla_metadata(leaves[0], **_MARK)  # marks the call that made it
    return jax.tree.unflatten(tree, jax.lax.optimization_barrier(leaves))[0]


def _holds(equation: Any) -> bool:
    """Whether a loop with this equation can be one function."""
    name = equation.primitive.name
    if name == "dot_general":
        return not _is_product_of_matrices(equation)
    if name in _REDUCTIONS:
        return equation.invars[0].aval.size <= _LARGE
    return not name.startswith(_CALLS)


def _is_product_of_matrices(equation: Any) -> bool:
    """Whether both operands of a product have an axis longer than 1 that is not summed over."""
    (summed, batched) = equation.params["dimension_numbers"]
    kept = 0
    for operand, *used in zip(equation.invars, summed, batched, strict=True):
        gone = {axis for axes in used for axis in axes}
        kept += any(size > 1 for axis, size in enumerate(operand.aval.shape) if axis not in gone)
    return kept == 2


def _equations(jaxpr: Any) -> Iterator[Any]:
    """All equations of a jaxpr, also those within its equations."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda each: isinstance(each, core.ClosedJaxpr | core.Jaxpr)
        ):
            if isinstance(inner, core.ClosedJaxpr):
                yield from _equations(inner.jaxpr)
            elif isinstance(inner, core.Jaxpr):
                yield from _equations(inner)
