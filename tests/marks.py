"""Parameters of tests that the default run leaves out."""

from typing import Any

import pytest


def slow(*values: Any) -> list[Any]:
    """The values as parameters that run with `-m slow` only; a tuple is one set of parameters."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow) for value in values
    ]
