"""The paper's validation of addition: all summands of up to 10 bits, through live passes of the closed form."""

from __future__ import annotations

import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits import addition, algorithm
from learned_units.circuits.algorithm import Algorithm
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.networks import predictor, readout
from learned_units.store import Progress

LONGEST = 10
GROUP = 8
BLOCK = 4096  # pairs added at once


def params(task: Algorithm, chosen) -> dict[str, Any]:
    """The closed form of every network of a task, with a readout."""
    return {each.name: predictor.closed_form(each, chosen) for each in task.networks}


def wrong_sums(task: Algorithm, weights: dict[str, Any], bits: int, report) -> tuple[int, float]:
    """How many of all pairs of summands come out wrong, and the smallest margin over all their decisions."""
    wrong, margin = 0, float("inf")
    pairs = 1 << 2 * bits
    for start in range(0, pairs, BLOCK):
        report(start / pairs)
        pair = np.arange(start, min(start + BLOCK, pairs), dtype=np.uint32)
        one, other = pair >> bits, pair & ((1 << bits) - 1)
        sums, margins = _sums(weights, one, other, task=task)
        wrong += int((np.asarray(sums) != one + other).sum())
        margin = float(np.minimum(margin, np.asarray(margins).min()))
    return wrong, margin


@functools.partial(jax.jit, static_argnames=("task",))
def _sums(weights, one: jax.Array, other: jax.Array, *, task: Algorithm) -> tuple[jax.Array, jax.Array]:
    """uint32 [pairs] twice -> sums, uint32 [pairs], and margins."""
    predict = predictor.bound(task.networks, weights)

    def bits_of(word: jax.Array, length: int) -> jax.Array:
        return ((word[None] >> np.arange(length, dtype=np.uint32)[:, None]) & np.uint32(1)).astype(jnp.float32)

    (first, length), (second, _) = task.inputs
    found = algorithm.run(task, {first: bits_of(one, length), second: bits_of(other, length)}, predict)
    weight = np.uint32(1) << np.arange(found.bits.shape[0], dtype=np.uint32)
    return (found.bits.astype(jnp.uint32) * weight[:, None]).sum(0, dtype=jnp.uint32), found.margin


def measure(quick: bool, progress: Progress) -> Table:
    """Every pair, by the paper's ripple with both readouts and by parallel prefix; what the ripple's sums take."""
    rows: list[tuple[Cell, ...]] = []
    for bits in range(1, (5 if quick else LONGEST) + 1):
        ripple, prefix = addition.ripple(bits), addition.grouped(bits, GROUP)
        cells: list[Cell] = [bits, 1 << 2 * bits, ripple.passes]
        began = time.perf_counter()
        for task, chosen in ((ripple, readout.calibrated), (ripple, readout.sign), (prefix, readout.calibrated)):

            def report(part: float, bits: int = bits, task: Algorithm = task) -> None:
                progress(f"adding all summands: {bits} bits, {task.name}", part)

            wrong, margin = wrong_sums(task, params(task, chosen), bits, report)
            cells += [wrong, margin] if chosen is readout.calibrated else [wrong]
        rows.append((*cells, prefix.passes, time.perf_counter() - began))
    columns = (
        "bits",
        "pairs",
        "passes, ripple",
        "wrong, ripple, calibrated",
        "smallest margin",
        "wrong, ripple, sign",
        "wrong, parallel prefix",
        "smallest margin ",
        "passes, prefix",
        "seconds, all three",
    )
    return Table(
        "All summands, through live passes of the closed form",
        columns,
        tuple(rows),
        (
            "Closed form, not learned: mean predictions at infinite width in float32, thresholded, pass after pass. "
            "The sign readout stands at 0, where the prediction of an output none of whose templates matched lies "
            "at n = 1: it is right in exact arithmetic, and here as long as rounding leaves that 0 a 0.",
        ),
        (_panel(rows),),
    )


def _panel(rows: list[tuple[Cell, ...]]) -> Panel:
    """What the sums take, where their being right is the title."""
    numbers = [[float(str(cell)) for cell in row] for row in rows]
    bits = tuple(row[0] for row in numbers)
    pairs, wrong = (int(sum(row[column] for row in numbers)) for column in (1, 3))
    wrong += int(sum(row[6] for row in numbers))
    curves = (
        Curve("the paper's ripple", bits, tuple(row[2] for row in numbers)),
        Curve("parallel prefix, groups of 8", bits, tuple(row[8] for row in numbers)),
    )
    found = f"All {pairs:,} sums" if not wrong else f"All but {wrong:,} of {pairs:,} sums"
    passes = f"{rows[-1][2]} passes of the ripple or {rows[-1][8]} of the prefix"
    title = f"{found} of up to {rows[-1][0]} bits are right in both designs, by {passes}"
    return Panel(title, "bits of a summand", "passes", curves)
