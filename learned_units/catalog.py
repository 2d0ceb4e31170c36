"""The units by name: `load_unit` builds them; weights are shipped and proved on first use, or trained then."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from learned_units.store import Wanted
    from learned_units.unit import Scope, Unit
    from learned_units.weights.recipes import Recipe

DEFAULT_UNIT = "ntk"
Isa = Literal["sbn", "subleq"]
ISAS: tuple[Isa, ...] = get_args(Isa)
TASKS = ("permute", "add", "subtract", "multiply")  # outside the machine


class Entry(NamedTuple):
    """A unit as the catalog knows it: where it is, by names, so that its module is imported when it is asked for.

    Options are keyword arguments of `load_unit` that not every unit has; None stands for the unit's default.
    """

    module: str  # in this package
    scope_name: str
    loader: str
    trained: bool = False  # the module has `recipe` and `recipe_of`
    options: tuple[str, ...] = ()

    @property
    def scope(self) -> Scope:
        """What in the unit is learned."""
        return getattr(_imported(self.module), self.scope_name)

    @property
    def load(self) -> Callable[..., Unit]:
        """load(word_bits, isa, seed, progress, **options) -> Unit."""
        return getattr(_imported(self.module), self.loader)

    @property
    def recipe(self) -> Callable[..., Recipe] | None:
        """recipe(word_bits, isa, seed, **options) -> Recipe of its weights; None where nothing is trained."""
        return _imported(self.module).recipe if self.trained else None


UNITS: Mapping[str, Entry] = {
    "ntk": Entry("units.ntk", "TRAINED", "load_trained", trained=True, options=("group", "weights")),
    "ntk-limit": Entry("units.ntk", "LIMIT", "load_limit", options=("group",)),
    "ntk-bits": Entry("units.ntk_bits", "SCOPE", "load", trained=True),
    "neural-gpu": Entry("neural_gpu.loading", "SCOPE", "load", trained=True, options=("weights",)),
    "modular": Entry("modular.loading", "GROKKED", "load", trained=True, options=("weights",)),
    "native": Entry("units.native", "SCOPE", "load"),
}

# Weights that are no unit's: the module that makes them, by what their manifests call `unit`.
OTHER_WEIGHTS: Mapping[str, str] = {
    "tasks": "weights.tasks",
    "whole": "weights.whole_grouped",
    "whole-one": "weights.whole_one",
}


def _imported(module: str) -> Any:
    return importlib.import_module(f"learned_units.{module}")


def scopes() -> dict[str, Scope]:
    """What in each unit is learned, closed-form or native, by the unit's name."""
    return {name: entry.scope for name, entry in UNITS.items()}


def load_unit(
    name: str = DEFAULT_UNIT,
    word_bits: int = 16,
    isa: Isa | str = "sbn",
    *,
    seed: int = 0,
    progress: Wanted = None,
    group: int | None = None,
    weights: Literal["float32", "int8", "paper", "sampled", "every-length", "grokked", "analytic"] | str | None = None,
) -> Unit:
    """A unit, ready to run. On first use shipped weights are proved and others trained (seconds); then they are cached.

    name: one of UNITS. word_bits: 4..64. isa: "sbn" or "subleq". seed: the first one tried; the one used is
    `unit.seed`. progress(what, part done 0..1) is called while weights are made; by default it shows itself, on a
    terminal or in a notebook, where that takes long; with False it does not. group: bit positions one network serves,
    1..64 (default 8; word_bits is the paper's form); for the NTK units only. weights: of "ntk", "float32" (the
    default), "int8" or "paper" (words of up to 8 bits); of "neural-gpu", "sampled" (the default) or "every-length"; of
    "modular", "grokked" (the default) or "analytic".
    Raises ValueError for an argument out of range, WeightsError if there are no acceptable weights.
    """
    entry, options = _checked(name, word_bits, isa, seed, {"group": group, "weights": weights})
    if progress is not None:
        return entry.load(word_bits, isa, seed, progress or None, **options)
    from learned_units.progress import shown

    with shown() as report:
        return entry.load(word_bits, isa, seed, report, **options)


def recipe(
    name: str,
    word_bits: int = 16,
    isa: str = "sbn",
    seed: int = 0,
    group: int | None = None,
    weights: str | None = None,
) -> Recipe | None:
    """How the weights of a unit are made and where they are cached; None where nothing is trained.

    The arguments are those of `load_unit`, and so is the ValueError.
    """
    entry, options = _checked(name, word_bits, isa, seed, {"group": group, "weights": weights})
    return entry.recipe(word_bits, isa, seed, **options) if entry.recipe else None


def recipe_of(manifest: Mapping[str, Any]) -> Recipe:
    """The recipe of stored weights. Raises WeightsError where the manifest is of no unit here."""
    from learned_units.store import WeightsError

    unit = manifest.get("unit")
    makers = {**OTHER_WEIGHTS} | {name: entry.module for name, entry in UNITS.items() if entry.trained}
    module = makers.get(unit) if isinstance(unit, str) else None
    if module is None:
        raise WeightsError(f"these are not weights of a unit known here: the manifest says {unit!r}")
    try:
        return _imported(module).recipe_of(manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"the manifest does not describe weights of the unit '{unit}' ({error!r})") from None


def check(
    name: str, word_bits: int, isa: str, seed: int = 0, group: int | None = None, weights: str | None = None
) -> None:
    """Raise ValueError for arguments of `load_unit` that name no unit. Loads nothing, and no jax."""
    _checked(name, word_bits, isa, seed, {"group": group, "weights": weights})


def _checked(name: str, word_bits: int, isa: str, seed: int, options: dict[str, Any]) -> tuple[Entry, dict[str, Any]]:
    """The unit's entry and the options it takes. Raises ValueError."""
    from learned_units import bits  # here: whoever asks for names alone does not wait for numpy

    if name not in UNITS:
        near = difflib.get_close_matches(str(name), UNITS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown unit '{name}'{hint} (units: {', '.join(UNITS)})")
    if not bits.is_integer(word_bits) or word_bits not in range(bits.MIN_WORD_BITS, bits.MAX_WORD_BITS + 1):
        raise ValueError(f"word_bits is {word_bits!r}; words have {bits.MIN_WORD_BITS} to {bits.MAX_WORD_BITS} bits")
    if isa not in ISAS:
        raise ValueError(f"unknown instruction set '{isa}' (instruction sets: {', '.join(ISAS)})")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 31:
        raise ValueError(f"seed is {seed!r}; it must be an integer 0 .. 2^31 - 1")
    entry = UNITS[name]
    for option, value in options.items():
        if value is not None and option not in entry.options:
            *most, last = (f"'{other}'" for other, each in UNITS.items() if option in each.options)
            takers = f"units {', '.join(most)} and {last}" if most else f"unit {last}"
            raise ValueError(f"{option} is for the {takers}; the unit '{name}' does not have it")
    return entry, {option: options[option] for option in entry.options}
