"""Run SBN images on a unit, every step checked against the reference."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vm.batch import run_batch
    from vm.chunk import Chunk
    from vm.execution import Machine
    from vm.outcome import Divergence, Outcome
    from vm.snapshot import Snapshot
    from vm.state import Halt, Stops, make_stops

    __version__: str

__all__ = ["Chunk", "Divergence", "Halt", "Machine", "Outcome", "Snapshot", "Stops", "make_stops", "run_batch"]

_HOME = {
    "Chunk": "chunk",
    "Divergence": "outcome",
    "Halt": "state",
    "Machine": "execution",
    "Outcome": "outcome",
    "Snapshot": "snapshot",
    "Stops": "state",
    "make_stops": "state",
    "run_batch": "batch",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: jax is loaded only when a machine is. `__version__` is the installed one."""
    if name == "__version__":
        return import_module("importlib.metadata").version("neural-sbn")
    if name not in _HOME:
        raise AttributeError(f"module 'vm' has no attribute '{name}'")
    return getattr(import_module(f"vm.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
