"""How large an error rate can be that showed few errors, or none."""

from __future__ import annotations

from scipy.special import betaincinv

CONFIDENCE = 0.95


def upper(wrong: int, cases: int) -> float:
    """The exact upper limit (Clopper and Pearson 1934, one-sided) of a rate of which `wrong` of `cases` were seen.

    Independent cases with a higher rate show so few errors in at most 5 % of samples. Without an error it is about
    3 / cases. 0 <= wrong <= cases, cases >= 1.
    """
    return 1.0 if wrong == cases else float(betaincinv(wrong + 1, cases - wrong, CONFIDENCE))
