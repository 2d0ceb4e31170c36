"""How many bit positions one network should serve: from a learned table, one position at a time, to the whole word."""

from __future__ import annotations

import math

from learned_units.circuits import subtract_branch
from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.proof.counting import inputs_by_matched
from learned_units.store import Progress
from learned_units.units import ntk
from learned_units.weights import ensembles

WORD_BITS = 16
GROUPS = (1, 2, 4, 8, 16)


def measure(quick: bool, progress: Progress) -> Table:
    """Train and accept the unit again for each group, as `sbn train --group` does, and say what it took."""
    rows: list[tuple[Cell, ...]] = []
    for group in GROUPS[:2] if quick else GROUPS:

        def report(what: str, part: float, group: int = group) -> None:
            progress(f"groups of {group}: {what}", part)

        made = ntk.plan(group, WORD_BITS).make(0, report)
        sets = subtract_branch.template_sets(group)
        reports = {name: made.fields["networks"][name] for name in sets}
        inputs = {name: inputs_by_matched(each, neighbour=group < WORD_BITS) for name, each in sets.items()}
        examples = sum(each.size for each in sets.values())
        # inputs with none or one matched template are nothing, or training examples
        novel = sum(sum(number for n, number in counts.items() if n > 1) for counts in inputs.values())
        total = sum(counts.total() for counts in inputs.values())
        proved = all("smallest_margin" in each for each in reports.values())
        rows.append(
            (
                group,
                examples,
                math.log2(total),
                novel / total,
                max(each["width"] for each in reports.values()) * ensembles.NETWORKS,
                sum(each["width"] for each in reports.values()) * ensembles.NETWORKS,
                min((each["smallest_margin"] for each in reports.values() if "smallest_margin" in each), default=None)
                if proved
                else None,
                None if proved else min(each["z"] for each in reports.values() if "z" in each),
                "every input" if proved else "sampled",
            )
        )
    return Table(
        f"The group: bit positions one network serves (SBN, {WORD_BITS}-bit words)",
        (
            "group",
            "examples",
            "log2 distinct inputs",
            "not seen in training",
            "units, widest",
            "units, all five",
            "smallest margin",
            "z",
            "verified on",
        ),
        tuple(rows),
        (
            f"Trained as the unit is: each of the five ensembles of {ensembles.NETWORKS} networks is widened from "
            f"{ensembles.GROUPED_UNITS[0]} units (groups of up to {ensembles.ENUMERABLE_GROUP}) or "
            f"{ensembles.WORD_UNITS[0]} until the smallest margin over every input is {ensembles.MARGIN_FLOOR} "
            f"or, where inputs are too many to try, z is {ensembles.Z_FLOOR:g}. Units count both halves of all "
            "networks.",
            "At a group of 1 every input but `any`'s pair is a training example or nothing: a learned table, nothing "
            "generalised. At 16, the whole word, it is the paper's form, and what is known is an estimate.",
        ),
        _panels(rows),
    )


def _panels(rows: list[tuple[Cell, ...]]) -> tuple[Panel, ...]:
    x = tuple(float(row[0]) for row in rows if isinstance(row[0], int))

    def curve(label: str, column: int) -> Curve:
        return Curve(label, x, tuple(float(c) if isinstance(c := row[column], (int, float)) else None for row in rows))

    first, last = rows[0], rows[-1]
    return (
        Panel(
            f"A group of {last[0]} has 2^{last[2]:.0f} distinct inputs, one of {first[0]} has 2^{first[2]:.0f}",
            "bit positions one network serves",
            "distinct inputs, log2",
            (curve("all five networks", 2),),
            log="x",
        ),
        Panel(
            f"From a group of {first[0]} to one of {last[0]}, examples go from {first[1]} to {last[1]} and units "
            f"of the widest network from {first[4]:,} to {last[4]:,}",
            "bit positions one network serves",
            "training examples, or hidden units",
            (curve("training examples", 1), curve("hidden units, widest network", 4)),
            log="xy",
        ),
    )
