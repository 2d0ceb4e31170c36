"""The paper's validation of multiplication: all pairs of up to 10 bits, through live passes of the closed form.

The authors of arXiv 2502.16763 run their shift-and-add design on every pair of up to 10 bits. It takes 430 passes for
each of a million pairs, so its conditions and labels, of which a template has one to three and an output one to three,
are read here as lists of rows of the state, with the pairs side by side, and not multiplied as matrices. What is
computed for an output is the same in float32: own(n) m - common(n) c, against a threshold.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.circuits import multiplication
from learned_units.circuits.algorithm import Algorithm, Rewrite
from learned_units.circuits.state_templates import NamedBit, TemplateList
from learned_units.compute import Computation
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.networks import kernel, predictor, readout
from learned_units.store import Progress

LONGEST = 10
GROUP = 8
BLOCK = 1024  # pairs multiplied at once: their states fit the caches


class Asserted(NamedTuple):
    """The bits of a state that equally many templates assert, and what is predicted of them at each n."""

    by: np.ndarray  # int32 [c, bits]: the templates
    common: np.ndarray  # float32 [n]: common(n) c
    threshold: np.ndarray  # float32 [n], calibrated


class Rows(NamedTuple):
    """A list of templates that rewrites its state, as rows to read. A state is bool [bits, pairs]."""

    place: dict[NamedBit, int]  # the row of each bit: bits with equal c stand together, the smallest c first
    needed: np.ndarray  # int32 [conditions, templates]: rows of the state, its negation after it and a row of ones
    asserted: tuple[Asserted, ...]
    own: np.ndarray  # float32 [n]
    half_gap: np.ndarray  # float32 [n]


class Passed(NamedTuple):
    """What passes made of some pairs."""

    state: jax.Array  # bool [bits, pairs], as the threshold 0 decides
    margin: jax.Array  # float32 [pairs], the smallest with the calibrated threshold
    differs: jax.Array  # bool [pairs]: some decision of the calibrated threshold was another


def rows_of(templates: TemplateList) -> Rows:
    """Where more templates match than `most_matched`, what is predicted is NaN: no bit is 1, and no margin a number."""
    assert templates.reads == templates.writes
    bits = [(field, i) for field, length in templates.reads for i in range(length)]
    counts = templates.label_counts()
    order = np.argsort(counts, kind="stable")
    place = {bits[k]: row for row, k in enumerate(order.tolist())}
    size = len(templates.templates)
    needed = np.full((max(len(each.when) for each in templates.templates), size), 2 * len(bits), np.int32)
    by: list[list[int]] = [[] for _ in bits]
    for column, template in enumerate(templates.templates):
        for k, (bit, wanted) in enumerate(template.when):
            needed[k, column] = place[bit] + (0 if wanted else len(bits))
        for bit in template.then:
            by[place[bit]].append(column)
    form, read = kernel.coefficients(templates.size, templates.most_matched), readout.calibrated(templates)

    def beyond(values: np.ndarray) -> np.ndarray:
        return np.append(values, np.nan).astype(np.float32)

    asserted = tuple(
        Asserted(
            np.array([each for each in by if len(each) == count], np.int32)
            .reshape(counts.tolist().count(count), count)
            .T,
            beyond(form.common * count),
            beyond(read.threshold[:, counts.tolist().index(count)]),
        )
        for count in np.unique(counts).tolist()
    )
    return Rows(place, needed, tuple(asserted), beyond(form.own), beyond(read.half_gap))


def one_pass(rows: Rows, before: Passed) -> Passed:
    """One prediction of every bit, thresholded."""
    # The barriers keep XLA from computing small arrays again for every bit that reads them.
    state = before.state
    both = jnp.concatenate([state, ~state, jnp.ones_like(state[:1])])
    matched = jax.lax.optimization_barrier(functools.reduce(jnp.logical_and, (both[each] for each in rows.needed)))
    number = jnp.minimum(_fold(jnp.add, matched.astype(jnp.uint16)).astype(jnp.int32), len(rows.own) - 1)
    own, half_gap = jax.lax.optimization_barrier((jnp.asarray(rows.own)[number], jnp.asarray(rows.half_gap)[number]))
    bits, margin, differs = [], before.margin, before.differs
    for each in rows.asserted:
        common, threshold = jax.lax.optimization_barrier(
            (jnp.asarray(each.common)[number], jnp.asarray(each.threshold)[number])
        )
        none = jnp.zeros((each.by.shape[1], *number.shape), jnp.uint8)
        some = functools.reduce(jnp.add, (matched[column].astype(jnp.uint8) for column in each.by), none)
        some = jax.lax.optimization_barrier(some).astype(jnp.float32)
        value = jax.lax.optimization_barrier(own[None] * some - common[None])
        distance = (value - threshold[None]) / half_gap[None]
        bits.append(value > 0)
        margin = jnp.minimum(margin, _fold(jnp.minimum, jnp.abs(distance)))
        differs = differs | _fold(jnp.logical_or, (value > 0) != (distance > 0))
    return Passed(jnp.concatenate(bits), margin, differs)


def _fold(operation: Callable[[jax.Array, jax.Array], jax.Array], values: jax.Array) -> jax.Array:
    """[rows, pairs] -> [pairs], by halves: contiguous, unlike XLA's reduction of a leading axis."""
    while len(values) > 1:
        half = len(values) // 2
        folded = operation(values[:half], values[half : 2 * half])
        values = jnp.concatenate([folded, values[2 * half :]]) if len(values) % 2 else folded
    return values[0]


class Count(NamedTuple):
    """All pairs of operands, multiplied."""

    wrong: int
    differing: int  # pairs with a decision that the other threshold takes otherwise
    margin: float  # the smallest, calibrated


def shift_and_add(task: Algorithm, bits: int, report: Callable[[float], None]) -> Count:
    """Every pair by a design of one list of templates, with the threshold 0 and the calibrated one beside it."""
    (templates,), (step,) = task.networks, task.steps
    assert isinstance(templates, TemplateList) and isinstance(step, Rewrite)
    rows = rows_of(templates)

    @jax.jit
    def run(state: jax.Array) -> Passed:
        pairs = state.shape[1:]
        start = Passed(state, jnp.full(pairs, np.inf, jnp.float32), jnp.zeros(pairs, bool))
        return jax.lax.fori_loop(0, step.times, lambda _, passed: one_pass(rows, passed), start)

    def found(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        state = np.zeros((len(rows.place), len(first)), bool)
        for (field, length), operand in zip(task.inputs, (first, second), strict=True):
            for i in range(length):
                state[rows.place[field, i]] = operand >> i & 1
        for bit in task.ones:
            state[rows.place[bit]] = True
        passed = run(state)
        product = np.asarray(passed.state)[[rows.place[bit] for bit in task.output]]
        weights = 1 << np.arange(len(product), dtype=np.int64)
        return weights @ product, np.asarray(passed.margin), np.asarray(passed.differs)

    return _count(found, bits, report)


def in_groups(bits: int, report: Callable[[float], None]) -> Count:
    """Every pair by full adders and a parallel prefix, with the calibrated threshold."""
    task = multiplication.grouped(bits, GROUP)
    params = {each.name: predictor.closed_form(each, readout.calibrated) for each in task.networks}
    computation = Computation(task, params, "closed form")

    def found(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        operands = {
            field: (operand[:, None] >> np.arange(length) & 1).astype(np.float32)
            for (field, length), operand in zip(task.inputs, (first, second), strict=True)
        }
        product, margin = computation.run(operands)
        return product @ (1 << np.arange(product.shape[1], dtype=np.int64)), margin, np.zeros(len(first), bool)

    return _count(found, bits, report)


def _count(
    found: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
    bits: int,
    report: Callable[[float], None],
) -> Count:
    """Compare found(first, second) -> (products, margins, differing) with integer arithmetic, block by block."""
    wrong, differing, smallest = 0, 0, float("inf")
    pairs = 1 << 2 * bits
    for start in range(0, pairs, BLOCK):
        report(start / pairs)
        pair = np.arange(start, min(start + BLOCK, pairs))
        first, second = pair >> bits, pair & ((1 << bits) - 1)
        product, margin, differs = found(first, second)
        wrong += int((product != first * second).sum())
        differing += int(differs.sum())
        smallest = float(np.minimum(smallest, margin.min()))  # a NaN stays
    return Count(wrong, differing, smallest)


COLUMNS = (
    "bits",
    "pairs",
    "passes, shift and add",
    "wrong, sign",
    "readouts differ",
    "smallest margin",
    "passes, in groups",
    "wrong, in groups",
    "smallest margin ",
    "seconds, both",
)


def measure(quick: bool, progress: Progress) -> Table:
    """Every pair, by the paper's design with both readouts and by full adders and a prefix in groups."""
    rows: list[tuple[Cell, ...]] = []
    for bits in range(1, (4 if quick else LONGEST) + 1):
        began = time.perf_counter()

        def report(part: float, bits: int = bits) -> None:
            progress(f"multiplying all pairs of {bits} bits", part)

        task, grouped = multiplication.ripple(bits), multiplication.grouped(bits, GROUP)
        paper, ours = shift_and_add(task, bits, report), in_groups(bits, report)
        seconds = time.perf_counter() - began
        rows.append(
            (bits, 1 << 2 * bits, task.passes, *paper, grouped.passes, ours.wrong, ours.margin, seconds),
        )
    return Table(
        "All products, through live passes of the closed form",
        COLUMNS,
        tuple(rows),
        (
            "Closed form, not learned: mean predictions at infinite width in float32, thresholded, pass after pass. "
            "Shift and add is the paper's design, which its authors check on all pairs of up to 10 bits, with the "
            "threshold 0 (sign). Readouts differ: pairs for which the calibrated threshold decides anything otherwise "
            "in any pass; where there are none, it computes the same products. In groups of 8: full adders and a "
            "parallel prefix, calibrated. Margins are calibrated ones.",
        ),
        (_panel(rows),),
    )


def _panel(rows: list[tuple[Cell, ...]]) -> Panel:
    """What the products take, where their being right is the title."""
    numbers = [[float(str(cell)) for cell in row] for row in rows]
    bits = tuple(row[0] for row in numbers)
    pairs, wrong = int(sum(row[1] for row in numbers)), int(sum(row[3] + row[7] for row in numbers))
    curves = (
        Curve("the paper's shift and add", bits, tuple(row[2] for row in numbers)),
        Curve("full adders and a parallel prefix, groups of 8", bits, tuple(row[6] for row in numbers)),
    )
    found = f"All {pairs:,} products" if not wrong else f"All but {wrong:,} of twice {pairs:,} products"
    title = (
        f"{found} of up to {rows[-1][0]} bits are right in both designs, by {rows[-1][2]} passes of the paper's or "
        f"{rows[-1][6]} in groups"
    )
    return Panel(title, "bits of a factor", "passes", curves, log="y")
