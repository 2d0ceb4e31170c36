"""Mean and variance of a trained network's prediction over starts: the closed form against networks of finite width.

Plain networks are trained on K templates; output o is asserted by LABELS[o] of them. On inputs with n matched templates
the predictions of many networks have a mean and a variance, whose standard errors are known from their number.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.networks import kernel, training
from learned_units.store import Progress

K = 16
LABELS = (1, 1, 2, 2, 4, 4, 8, 8)  # c of each output: the first c templates, or the last c
MATCHED = (2, 4, 8)
WIDTHS = (1024, 2048, 4096, 8192, 16384, 32768)
UNITS = 1 << 22  # of all networks of one width
BATCH_UNITS = 1 << 17  # trained at once


def labels() -> np.ndarray:
    """float32 [K, outputs]."""
    made = np.zeros((K, len(LABELS)), np.float32)
    for output, c in enumerate(LABELS):
        made[:c, output] = 1
        if output % 2:
            made[:, output] = made[::-1, output]
    return made


def inputs() -> np.ndarray:
    """One with the first n templates matched, for each n: float32 [inputs, K]."""
    return np.array([[(t < n) / math.sqrt(n) for t in range(K)] for n in MATCHED], np.float32)


def predictions(width: int, networks: int, seed: int) -> np.ndarray:
    """Plain networks trained to the tolerance, on the inputs: float64 [networks, inputs, outputs]."""
    trained = training.train(labels(), networks=networks, width=width, initialisation="plain", seed=seed)
    hidden = jnp.einsum("rut,nt->rnu", trained.ensemble.hidden[:, 0], jnp.asarray(inputs()))
    output = jnp.einsum("rnu,ruo->rno", jax.nn.relu(hidden), trained.ensemble.output[:, 0])
    return np.asarray(output, np.float64) / math.sqrt(width)


def measure(quick: bool, progress: Progress) -> Table:
    """One row for each width and n: means over outputs of the deviations, in standard errors, and the variance."""
    widths, units = ((1024, 2048), 1 << 18) if quick else (WIDTHS, UNITS)
    rows: list[tuple[Cell, ...]] = []
    for width in widths:
        batch = max(1, BATCH_UNITS // width)
        networks = units // width
        found = []
        for start in range(0, networks, batch):
            progress(f"training networks: {width} units, {start} of {networks}", start / networks)
            # of its own for each width: draws of one key share their first numbers, whatever their shape
            found.append(predictions(width, min(batch, networks - start), seed=width * WIDTHS[-1] + start))
        rows += [_row(width, n, each) for n, each in zip(MATCHED, np.concatenate(found).swapaxes(0, 1), strict=True)]
    return Table(
        f"Mean and variance over trained networks ({K} templates, plain starts), against the closed form",
        (
            "width",
            "networks",
            "n matched",
            "mean, largest deviation",
            "its standard error",
            "variance, closed form",
            "variance, trained",
            "its standard error ",
        ),
        tuple(rows),
        (
            f"Eight outputs, asserted by {', '.join(map(str, sorted(set(LABELS))))} templates. The deviation of a "
            "mean is that of the worst of the eight from its closed form (two standard errors are expected). The "
            "closed form is that of infinite width: what exceeds a few standard errors at small widths is the "
            "effect of width.",
        ),
        (_panel(rows),),
    )


def _row(width: int, n: int, found: np.ndarray) -> tuple[Cell, ...]:
    """found: float64 [networks, outputs]."""
    networks, outputs = found.shape
    wanted = labels()
    means = [kernel.mean(K, int(wanted[:, o].sum()), n, int(wanted[:n, o].sum())) for o in range(outputs)]
    variance = kernel.variance(K, n)
    off = found.mean(0) - means
    worst = int(np.abs(off).argmax())
    return (
        width,
        networks,
        n,
        float(off[worst]),
        math.sqrt(variance / networks),
        variance,
        float(found.var(0, ddof=1).mean()),
        variance * math.sqrt(2 / (outputs * (networks - 1))),
    )


def _panel(rows: list[tuple[Cell, ...]]) -> Panel:
    curves = []
    for n in MATCHED:
        mine = [row for row in rows if row[2] == n]
        x = tuple(float(row[0]) for row in mine if isinstance(row[0], int))
        for column, style, name in ((6, "line", "trained"), (5, "dashed", "closed form")):
            y = tuple(cell if isinstance(cell := row[column], float) else None for row in mine)
            curves.append(Curve(f"{name}, n = {n}", x, y, style, f"n = {n}"))
    widest = max(int(str(row[0])) for row in rows)
    off = max(abs(float(str(row[6])) / float(str(row[5])) - 1) for row in rows if row[0] == widest)
    title = f"At {widest:,} units trained networks vary as the closed form says, within {off:.1%}"
    return Panel(title, "width, units", "variance of a prediction over networks", tuple(curves), log="x")
