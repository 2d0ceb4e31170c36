"""How a margin is written, and when a run's contradicts what was verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from learned_units.store import Manifest

# What is put down to the order of summation, in half gaps. Measured, float32 differs from real numbers by less than a
# hundredth of this; the bound for all orders (`proof/rounding.py`) is larger, but a run that comes near it is suspect.
MARGIN_ROUNDING = 1e-3

OTHER_WEIGHTS = "these are not the weights that were verified"


def format_margin(margin: float, digits: int = 2) -> str:
    """A margin as it is printed everywhere: `-` where no network decided anything; a small one never as 0.00."""
    if margin == float("inf"):
        return "-"
    return f"{margin:.1g}" if 0 < margin < 10**-digits else f"{margin:.{digits}f}"


def verified_margin(manifest: Manifest | None) -> float | None:
    """The smallest margin of weights over every input; None where that is not known."""
    found = None if manifest is None else manifest.verified
    if found is None or found.inputs is None or found.z is not None:
        return None  # of other kinds a part was looked at
    return found.smallest_margin


def refuted(margin: float, verified: float | None) -> bool:
    """Whether a run's smallest margin, which may be no number, is below the one verified over every input."""
    return verified is not None and not margin >= verified - MARGIN_ROUNDING


def with_doubt(message: str, margin: float, verified: float | None) -> str:
    """How a run ended, in words, and that its margin contradicts what was verified, where it does."""
    if verified is None or not refuted(margin, verified) or OTHER_WEIGHTS in message:
        return message
    return (
        f"{message}, but the smallest margin seen is {format_margin(margin, 3)}, and the smallest one verified over "
        f"every input is {format_margin(verified, 3)}: {OTHER_WEIGHTS}, or sums come out differently on this machine; "
        "run `sbn verify`, or train the weights again"
    )
