"""Units that compute subtract-and-branch: trained ones, closed-form ones, and the native control."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from learned_units.catalog import load_unit
    from learned_units.store import WeightsError
    from learned_units.unit import Decision, Unit

__all__ = ["Decision", "Unit", "WeightsError", "load_unit"]

_HOME = {"load_unit": "catalog", "WeightsError": "store", "Unit": "unit", "Decision": "unit"}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: jax is loaded only when a unit is."""
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module 'learned_units' has no attribute '{name}'")
    return getattr(importlib.import_module(f"learned_units.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
