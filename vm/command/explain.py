"""`sbn explain`: every prediction that one subtract-and-branch rests on."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from vm.console import jax_setup, terminal
from vm.console.launch import FAILED, stated_by_user
from vm.console.terminal import Talk
from vm.margin import format_margin

if TYPE_CHECKING:
    from learned_units.unit import Decision, Unit


@dataclass(frozen=True)
class Result:
    """Difference and next pc, as unsigned words."""

    difference: int
    next_pc: int


def run(options: argparse.Namespace) -> int:
    """Print the decisions and the result. Exit code 0 if it is that of exact arithmetic."""
    if options.whole:
        from vm.console import whole_machine

        return whole_machine.explain(options)
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from learned_units import bits, catalog
    from vm.console import chosen_unit

    with stated_by_user():  # before anything is trained
        catalog.load_unit("native", options.width, options.isa)
        for name in ("minuend", "subtrahend", "target", "fall_through"):
            bits.as_words(getattr(options, name), options.width, name)
    unit = chosen_unit.load(options, options.width, options.isa, talk)
    case = (options.minuend, options.subtrahend, options.target, options.fall_through)
    found = unit.subtract_branch(*case)
    result = Result(int(found.difference), int(found.next_pc))
    exact = exact_result(*case, options.width, options.isa)
    decisions = unit.explain(*case)
    margin = float(np.min([decision.margin for decision in decisions], initial=np.inf))  # a NaN stays
    if options.json:
        fields = {
            "unit": unit.name,
            "word_bits": unit.word_bits,
            "isa": unit.isa,
            "minuend": options.minuend,
            "subtrahend": options.subtrahend,
            "target": options.target,
            "fall_through": options.fall_through,
            "result": asdict(result),
            "exact": asdict(exact),
            "agrees": result == exact,
            "margin": margin if math.isfinite(margin) else None,
            "decisions": [asdict(decision) for decision in decisions],
        }
        terminal.write(json.dumps(fields) + "\n")
    else:
        _write_decisions(decisions)
        terminal.write(_closing(unit, options, result, exact, margin))
    return 0 if result == exact else FAILED


def exact_result(minuend: int, subtrahend: int, target: int, fall_through: int, word_bits: int, isa: str) -> Result:
    """What exact arithmetic makes of the same case."""
    mask = (1 << word_bits) - 1
    difference = (minuend - subtrahend) & mask
    taken = difference >> (word_bits - 1) == 1 or (isa == "subleq" and difference == 0)
    return Result(difference, (target if taken else fall_through) & mask)


def _write_decisions(decisions: list[Decision]) -> None:
    """A table of them, with an empty line before each pass."""
    if not decisions:
        return
    rows = [("pass", "network", "output", "bit", "matched", "prediction", "threshold", "value", "margin")]
    empty = ("", "", "", "", "", "", "", "", "")
    stage = 0
    for each in decisions:
        if each.stage != stage:
            rows.append(empty)
        stage = each.stage
        rows.append(
            (
                str(stage),
                each.network,
                each.output,
                str(each.bit),
                str(each.matched),
                f"{each.prediction:.4f}",
                f"{each.threshold:.4f}",
                str(each.value),
                format_margin(each.margin, digits=3),
            )
        )
    terminal.write_table(rows, right=(0, 3, 4, 5, 6, 7, 8))
    terminal.write("\n")


def _closing(unit: Unit, options: argparse.Namespace, result: Result, exact: Result, margin: float) -> str:
    """The result in words, and whether it is right."""
    agreement = "exact arithmetic agrees"
    if result != exact:
        agreement = (
            f"exact arithmetic DISAGREES: {_both_signs(exact.difference, unit.word_bits)}, next pc {exact.next_pc}"
        )
    ending = "" if math.isinf(margin) else f"; smallest margin {format_margin(margin, digits=3)}"
    if unit.spec.evaluations == 0:
        ending += "; nothing is predicted in native arithmetic"
    return (
        f"{options.minuend} - {options.subtrahend} = {_both_signs(result.difference, unit.word_bits)}, "
        f"next pc {_both_signs(result.next_pc, unit.word_bits)} "
        f"({unit.name}, {unit.word_bits}-bit {unit.isa}); {agreement}{ending}\n"
    )


def _both_signs(word: int, word_bits: int) -> str:
    """A word as a signed number, and, where that is another, as an unsigned one."""
    return f"{word - (1 << word_bits)} (unsigned {word})" if word >> (word_bits - 1) else str(word)
