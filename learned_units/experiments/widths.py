"""How a trained network's distance from its limit falls with its width, for each way to start it.

The network is `first` of subtract-and-branch, over 8 positions. Errors are in half gaps, the distance from the limit's
mean to the calibrated threshold: a decision is wrong where the error reaches 1 towards it.
"""

from __future__ import annotations

import numpy as np

from learned_units import devices
from learned_units.circuits import subtract_branch
from learned_units.circuits.templates import TemplateSet
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.networks import limit, readout, training, two_layer
from learned_units.networks.ensemble import make_params
from learned_units.proof import enumeration
from learned_units.store import Progress

GROUP = 8
WIDTHS = (256, 512, 1024, 2048, 4096, 8192)
SEEDS = (0, 1, 2)
INPUTS = 8192  # of those with two or more matched templates, drawn once
BLOCK = 2048


def errors(template_set: TemplateSet, inputs: np.ndarray, initialisation: str, width: int, seed: int) -> np.ndarray:
    """Prediction of one trained network less the limit's, in half gaps: float64 [inputs, outputs]."""
    trained = training.train(template_set.labels(), networks=1, width=width, initialisation=initialisation, seed=seed)
    calibrated = readout.calibrated(template_set)
    finite = make_params(template_set, *two_layer.merge(trained.ensemble), calibrated)
    infinite = limit.make_params(template_set, calibrated)
    predictions = (
        devices.in_blocks(enumeration.predict_inputs, each, inputs, BLOCK, template_set=template_set)
        for each in (finite, infinite)
    )
    found = [(one.value - other.value) / other.half_gap for (_, one), (_, other) in zip(*predictions, strict=True)]
    return np.concatenate(found).astype(np.float64)


def drawn_inputs(template_set: TemplateSet, count: int) -> np.ndarray:
    """Inputs with two or more matched templates, the same ones at every call: int8 [count, group]."""
    reachable = template_set.reachable_inputs()
    reachable = reachable[(reachable >= 0).sum(1) >= 2]
    return reachable[np.random.default_rng(0).choice(len(reachable), count, replace=False)]


def measure(quick: bool, progress: Progress) -> Table:
    """One row for each start and width: errors over inputs and outputs, of networks of three seeds."""
    widths, seeds = (WIDTHS[:2], SEEDS[:1]) if quick else (WIDTHS, SEEDS)
    template_set = subtract_branch.template_sets(GROUP)["first"]
    inputs = drawn_inputs(template_set, BLOCK if quick else INPUTS)
    right = template_set.specify(inputs)
    rows: list[tuple[Cell, ...]] = []
    for initialisation in two_layer.INITIALISATIONS:
        for width in widths:
            roots, largest, wrong, lost = [], 0.0, 0, 0
            for seed in seeds:
                progress(f"training {initialisation} networks: width {width}", widths.index(width) / len(widths))
                try:
                    found = errors(template_set, inputs, initialisation, width, seed)
                except training.TrainingError:
                    lost += 1
                    continue
                roots.append(np.sqrt((found**2).mean(0)).max())
                largest = max(largest, float(np.abs(found).max()))
                # at m matched templates the limit lies 2 m - 1 half gaps above the threshold, and here m <= 1
                wrong += int((~(np.where(right, 1 + found, 1 - found) > 0)).any(1).sum())
            trained = len(roots) > 0
            rows.append(
                (
                    initialisation,
                    width,
                    float(np.mean(roots)) if trained else None,
                    float(1 / np.mean(roots)) if trained else None,
                    largest if trained else None,
                    wrong / (len(roots) * len(inputs)) if trained else None,
                    lost or None,
                )
            )
    return Table(
        f"Distance of one trained network from its limit ('first', {template_set.size} templates)",
        ("start", "width", "root mean square", "z", "largest", "inputs wrong", "not trained"),
        tuple(rows),
        (
            f"In half gaps, on {len(inputs):,} of the inputs with two or more matched templates; the worst output, "
            f"mean of {len(seeds)} seeds. z is 1 over the root mean square. An input is wrong if any of its "
            f"{template_set.output_bits} outputs is. 'Not trained': seeds that gradient descent left short of the "
            "tolerance.",
            "plain: independent Gaussian weights; its error does not fall with width, as its variance over starts "
            "stays: it takes an ensemble. antisymmetric: two halves that start equal and enter with opposite signs. "
            "variance-reduced: antisymmetric, with hidden weights in antithetic, orthogonal blocks and output weights "
            "of +-1. mirrored: the halves are reflections of each other, so that none holds a direction twice.",
        ),
        (_panel(rows),),
    )


def _panel(rows: list[tuple[Cell, ...]]) -> Panel:
    curves, falls = [], []
    for initialisation in two_layer.INITIALISATIONS:
        mine = [row for row in rows if row[0] == initialisation]
        x = tuple(float(row[1]) for row in mine if isinstance(row[1], int))
        y = tuple(row[2] if isinstance(row[2], float) else None for row in mine)
        curves.append(Curve(initialisation, x, y))
        measured = [each for each in y if each is not None]
        if len(measured) > 1:
            falls.append(f"{initialisation} {measured[0]:.2g} to {measured[-1]:.2g}")
    title = f"Error of one network from {rows[0][1]:,} to {rows[-1][1]:,} units: {', '.join(falls)}"
    return Panel(title, "width, units", "root mean square error, half gaps", tuple(curves), log="xy")
