"""Units that compute subtract-and-branch: trained ones, closed-form ones, and the native control."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from learned_units.catalog import load_unit, scopes
    from learned_units.store import WeightsError
    from learned_units.unit import Decision, Results, Scope, StepResult, Unit

__all__ = ["Decision", "Results", "Scope", "StepResult", "Unit", "WeightsError", "load_unit", "scopes"]

_HOME = {
    "Decision": "unit",
    "Results": "unit",
    "Scope": "unit",
    "StepResult": "unit",
    "Unit": "unit",
    "WeightsError": "store",
    "load_unit": "catalog",
    "scopes": "catalog",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: jax is loaded only when a unit is."""
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module 'learned_units' has no attribute '{name}'")
    return getattr(importlib.import_module(f"learned_units.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
