"""What a formula is where every bit is known."""

from collections.abc import Mapping

import numpy as np

from learned_units.proof.formulas import All, Bit, Choice, Formula, Not


def value(formula: Formula, known: Mapping[str, np.ndarray]) -> bool:
    """What a formula is where all fields are known."""
    if isinstance(formula, int):
        return bool(formula)
    if isinstance(formula, Bit):
        return bool(known[formula.field][formula.index])
    if isinstance(formula, Not):
        return not value(formula.of, known)
    if isinstance(formula, Choice):
        return value(formula.yes if value(formula.flag, known) else formula.no, known)
    of = (value(each, known) for each in formula.of)
    return all(of) if isinstance(formula, All) else any(of)
