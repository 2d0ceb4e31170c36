"""The units by name: `load_unit` builds them, trains what must be trained on first use, and caches it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from learned_units import bits
from learned_units.modular import loading as modular
from learned_units.neural_gpu import loading as neural_gpu
from learned_units.store import Progress, WeightsError
from learned_units.unit import Scope, Unit
from learned_units.units import native
from learned_units.units import ntk_loading as ntk
from learned_units.weights import tasks, whole_one
from learned_units.weights import whole_grouped as whole
from learned_units.weights.recipes import Recipe

DEFAULT_UNIT = "ntk"
ISAS = ("sbn", "subleq")


class Entry(NamedTuple):
    """A unit as the catalog knows it.

    load(word_bits, isa, seed, progress, **options) -> Unit. recipe(word_bits, isa, seed, **options) -> Recipe of its
    weights, and recipe_of(manifest) -> that of weights stored by any version; None where nothing is trained. Options
    are keyword arguments of `load_unit` that not every unit has; None stands for the unit's default.
    """

    scope: Scope
    load: Callable[..., Unit]
    recipe: Callable[..., Recipe] | None = None
    recipe_of: Callable[[Mapping[str, Any]], Recipe] | None = None
    options: tuple[str, ...] = ()


UNITS: Mapping[str, Entry] = {
    "ntk": Entry(ntk.TRAINED, ntk.load_trained, ntk.recipe, ntk.recipe_of, options=("group",)),
    "ntk-limit": Entry(ntk.LIMIT, ntk.load_limit, options=("group",)),
    "neural-gpu": Entry(neural_gpu.SCOPE, neural_gpu.load, neural_gpu.recipe, neural_gpu.recipe_of),
    "modular": Entry(modular.GROKKED, modular.load, modular.recipe, modular.recipe_of, options=("weights",)),
    "native": Entry(native.SCOPE, native.load),
}

# Weights that are no unit's: how they are made, by what their manifests call `unit`.
OTHER_WEIGHTS: Mapping[str, Callable[[Mapping[str, Any]], Recipe] | None] = {
    tasks.UNIT: tasks.recipe_of,
    whole.UNIT: whole.recipe_of,
    whole_one.UNIT: whole_one.recipe_of,
}


def load_unit(
    name: str = DEFAULT_UNIT,
    word_bits: int = 16,
    isa: str = "sbn",
    seed: int = 0,
    progress: Progress | None = None,
    group: int | None = None,
    weights: str | None = None,
) -> Unit:
    """A unit, ready to run: trained on first use (seconds), then read from the cache.

    name: one of UNITS. word_bits: 4..64. isa: "sbn" or "subleq". seed: the first one tried; the one used is
    `unit.seed`. progress(what, part done 0..1) is called while weights are made. group: bit positions one network
    serves, 1..64 (default 8; word_bits is the paper's form); for the NTK units only. weights: "grokked" (the default)
    or "analytic"; for the unit "modular" only.
    Raises ValueError for an argument out of range, WeightsError if no acceptable weights can be had.
    """
    entry, options = _checked(name, word_bits, isa, seed, {"group": group, "weights": weights})
    return entry.load(word_bits, isa, seed, progress, **options)


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
    unit = manifest.get("unit")
    described_by = {**OTHER_WEIGHTS} | {name: entry.recipe_of for name, entry in UNITS.items()}
    recipe_of = described_by.get(unit) if isinstance(unit, str) else None
    if recipe_of is None:
        raise WeightsError(f"weights of no unit here: the manifest says {unit!r}")
    try:
        return recipe_of(manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"the manifest does not describe weights of the unit '{unit}' ({error!r})") from None


def _checked(name: str, word_bits: int, isa: str, seed: int, options: dict[str, Any]) -> tuple[Entry, dict[str, Any]]:
    """The unit's entry and the options it takes. Raises ValueError."""
    if name not in UNITS:
        near = difflib.get_close_matches(str(name), UNITS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown unit '{name}'{hint} (units: {', '.join(UNITS)})")
    if not bits.is_integer(word_bits) or word_bits not in range(bits.MIN_WORD_BITS, bits.MAX_WORD_BITS + 1):
        raise ValueError(f"word_bits is {word_bits}; words have {bits.MIN_WORD_BITS} to {bits.MAX_WORD_BITS} bits")
    if isa not in ISAS:
        raise ValueError(f"unknown instruction set '{isa}' (instruction sets: {', '.join(ISAS)})")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 31:
        raise ValueError(f"seed is {seed}; it is an integer 0 .. 2^31 - 1")
    entry = UNITS[name]
    for option, value in options.items():
        if value is not None and option not in entry.options:
            takers = " and ".join(f"'{other}'" for other, each in UNITS.items() if option in each.options)
            units = "units" if " and " in takers else "unit"
            raise ValueError(f"{option} is for the {units} {takers}; the unit '{name}' has none")
    return entry, {option: options[option] for option in entry.options}
