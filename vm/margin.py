"""How a margin is written."""


def format_margin(margin: float, digits: int = 2) -> str:
    """A margin as it is printed everywhere: `-` where no network decided anything."""
    return "-" if margin == float("inf") else f"{margin:.{digits}f}"
