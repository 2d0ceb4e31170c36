"""How many plain networks addition, multiplication and SBN take, by the bound and the readout."""

from __future__ import annotations

import functools

from learned_units.circuits import addition, multiplication
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.proof import certificate
from learned_units.proof.certificate import Hidden, Load, Readout
from learned_units.store import Progress
from learned_units.units.ntk import NtkSpec

SIZES = (4, 8, 16, 32, 64)
DELTA = 0.01
COLUMNS = (
    "task",
    "bits",
    "k' up to",
    "n up to",
    "decisions",
    "version 1's bound",
    "sign",
    "ours: its bound",
    "ours: sign",
    "ours: calibrated",
    "ours: all operands",
    "ours: antisymmetric",
)


DRAWN = ("addition, the paper's ripple", "SBN, one network for the word", "SBN, groups of 8")


def cases(bits: int) -> dict[str, tuple[list[Load], int]]:
    """Each task's networks and the bits of its operands."""
    return {
        "addition, the paper's ripple": (certificate.loads_of_algorithm(addition.ripple(bits)), 2 * bits),
        "multiplication, the paper's ripple": (
            certificate.loads_of_algorithm(multiplication.ripple(bits)),
            2 * bits,
        ),
        "SBN, one network for the word": (certificate.loads(NtkSpec(bits, "sbn", bits)), 4 * bits),
        "SBN, groups of 8": (certificate.loads(NtkSpec(bits, "sbn", 8)), 4 * bits),
    }


def measure(quick: bool, progress: Progress) -> Table:
    """Networks for a failure of at most DELTA: over one computation, and over all of them at once."""
    rows: list[tuple[Cell, ...]] = []
    sizes = SIZES[:2] if quick else SIZES
    for bits in sizes:
        for done, (task, (loads, operand_bits)) in enumerate(cases(bits).items()):
            progress(f"solving for the number of networks: {task}, {bits} bits", done / 4)
            decisions = sum(load.decisions for load in loads)
            asserted = [load._replace(outputs=tuple(each for each in load.outputs if each[0])) for load in loads]
            rows.append(
                (
                    task,
                    bits,
                    max(load.templates for load in loads),
                    max(load.most_matched for load in loads),
                    decisions,
                    certificate.paper_networks(asserted, DELTA, decisions, "1/k'"),
                    _needed(asserted, "sign", 1, "1/k'"),
                    certificate.paper_networks(asserted, DELTA, decisions),
                    _needed(asserted, "sign", 1),
                    _needed(loads, "calibrated", 1),
                    _needed(loads, "calibrated", 1 << operand_bits),
                    1,
                )
            )
    rows.sort(key=lambda row: list(cases(4)).index(str(row[0])))
    return Table(
        f"Networks in a plain ensemble for a failure of at most {DELTA:g}, at infinite width",
        COLUMNS,
        tuple(rows),
        (
            "The first two are for the paper's parametrisation, with variance 1/k' of the hidden weights (a factor "
            "1/sqrt(k') in the first layer); 'ours' have variance 1, which makes the variance of a prediction k' times "
            "larger. Version 1's bound was stated for permutations; here it is applied to other tasks. The other "
            "columns are exact at infinite width. How many networks suffice when they are trained: "
            "`sbn reproduce paper`.",
            "The union covers every decision (thresholded output) of every pass of one computation, at the worst "
            "number n of matched templates and m that a pass can meet; 'all operands' covers those of all operands "
            "at once, so that one draw of the networks is right on everything. A probability over the draw of the "
            "networks.",
            "In the ripple addition no template asserts q's lowest bit. Its mean is 0, on the threshold of the sign "
            "readout, and an ensemble of any size decides it by chance: for that readout it is left out, as if "
            "wired to 0.",
            "An antisymmetric network starts at 0 and has no variance at infinite width: one is enough, and what it "
            "takes is width (`sbn reproduce widths`).",
        ),
        tuple(_panel(rows, sizes, task) for task in DRAWN),
    )


@functools.cache
def _distances(readout: Readout, load: Load, hidden: Hidden) -> tuple[tuple[float, int], ...]:
    return certificate.nearest(load, readout, hidden)


def _needed(loads: list[Load], readout: Readout, computations: int, hidden: Hidden = 1) -> int | None:
    """The number of networks; the distances are found once, the sum over them often."""
    distances = [each for load in loads for each in _distances(readout, load, hidden)]
    return certificate.networks_needed(
        lambda networks: certificate.union_of_tails(distances, networks, computations), DELTA
    )


def _panel(rows: list[tuple[Cell, ...]], sizes: tuple[int, ...], task: str) -> Panel:
    mine = [row for row in rows if row[0] == task]
    curves = [
        Curve(COLUMNS[column], tuple(map(float, sizes)), tuple(_number(row[column]) for row in mine))
        for column in range(5, len(COLUMNS))
    ]
    last = mine[-1]
    title = (
        f"{task[0].upper()}{task[1:]}, {last[1]} bits: version 1's bound asks for {last[5]:,} networks of "
        f"the paper's form, the exact tail for {last[6]:,}, and for {last[9]:,} of ours with the calibrated readout"
    )
    return Panel(title, "bits of a word", "networks in the ensemble", tuple(curves), log="xy")


def _number(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, (int, float)) else None
