"""The units by name: `load_unit` builds them, trains what must be trained on first use, and caches it."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from learned_units import bits, native, store
from learned_units.ntk import construction, limit, readout
from learned_units.ntk.unit import NtkSpec
from learned_units.store import Progress, WeightsError
from learned_units.tasks import subtract_branch
from learned_units.unit import Scope, Unit

DEFAULT_UNIT = "ntk"
DEFAULT_GROUP = 8  # bit positions one NTK network serves
ISAS = ("sbn", "subleq")

SCOPES: Mapping[str, Scope] = {
    "ntk": Scope(
        sentence=(
            "Five small ensembles of two-layer ReLU networks, trained by gradient descent on 160 template examples, "
            "predict every bit of the difference, the branch decision and the next pc. "
            "Template matching (the encoder), the wiring between passes and the threshold are not learned."
        ),
        difference="learned",
        decision="learned",
        select="learned",
        glue="template matching, wiring, threshold",
        step_kind="learned",
    ),
    "ntk-limit": Scope(
        sentence=(
            "The closed-form mean of those ensembles at infinite width and size, evaluated live. "
            "With the calibrated readout its decision is algebraically 'at least one matched template': "
            "a fast, honest reference for the theory, not a learned computation."
        ),
        difference="closed form",
        decision="closed form",
        select="closed form",
        glue="template matching, wiring, threshold",
        step_kind="closed-form",
    ),
    "native": native.SCOPE,
}


def load_unit(
    name: str = DEFAULT_UNIT,
    word_bits: int = 16,
    isa: str = "sbn",
    seed: int = 0,
    progress: Progress | None = None,
    group: int | None = None,
) -> Unit:
    """A unit, ready to run: trained on first use (seconds), then read from the cache.

    name: "ntk", "ntk-limit" or "native". word_bits: 4..64. isa: "sbn" or "subleq". seed: the first one tried; the one
    used is `unit.seed`. progress(what, part done 0..1) is called while weights are made. group: bit positions one
    network serves, 1..64 (default 8; word_bits is the paper's form); for the NTK units only.
    Raises ValueError for an argument out of range, WeightsError if no acceptable weights can be had.
    """
    if name not in SCOPES:
        near = difflib.get_close_matches(str(name), SCOPES, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown unit '{name}'{hint} (units: {', '.join(SCOPES)})")
    if not _is_integer(word_bits) or word_bits not in range(bits.MIN_WORD_BITS, bits.MAX_WORD_BITS + 1):
        raise ValueError(f"word_bits is {word_bits}; words have {bits.MIN_WORD_BITS} to {bits.MAX_WORD_BITS} bits")
    if isa not in ISAS:
        raise ValueError(f"unknown instruction set '{isa}' (instruction sets: {', '.join(ISAS)})")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 31:
        raise ValueError(f"seed is {seed}; it is an integer 0 .. 2^31 - 1")
    if name == "native":
        return native.load(word_bits, isa)
    group = DEFAULT_GROUP if group is None else group
    if not _is_integer(group) or group not in range(1, bits.MAX_WORD_BITS + 1):
        raise ValueError(f"group is {group}; a network serves 1 to {bits.MAX_WORD_BITS} positions")
    spec = NtkSpec(word_bits, isa, group)
    if name == "ntk-limit":
        sets = subtract_branch.template_sets(group)
        params = {key: limit.make_params(each, readout.calibrated(each)) for key, each in sets.items()}
        return Unit(name, spec, params, SCOPES[name], detail="closed form at infinite width, groups of " + str(group))
    tensors, manifest = _trained(group, word_bits, seed, progress)
    params = construction.as_params(tensors, group)
    return Unit(name, spec, params, SCOPES[name], manifest["seed_used"], construction.describe(manifest), manifest)


def _is_integer(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def weights_path(group: int, word_bits: int, seed: int) -> Path:
    """Where the weights of an NTK unit are cached. They depend on the word width only where inputs are sampled."""
    width = "" if group <= construction.ENUMERABLE_GROUP else f"-w{word_bits}"
    return store.cache_folder() / "weights" / f"ntk-g{group}{width}-seed{seed}.safetensors"


def train(group: int, word_bits: int, seed: int, progress: Progress | None = None) -> dict[str, Any]:
    """Make the weights of an NTK unit anew and store them, replacing what is there. Returns the manifest."""
    path = weights_path(group, word_bits, seed)
    report = progress or (lambda what, part: None)
    with store.lock(path, lambda: report("waiting for another process that trains the same weights", 0.0)) as touch:
        return _make(path, group, word_bits, seed, report, touch)[1]


def _trained(group: int, word_bits: int, seed: int, progress: Progress | None) -> tuple[dict[str, Any], dict[str, Any]]:
    path = weights_path(group, word_bits, seed)
    found = _cached(path, group, word_bits, seed, progress)
    if found is not None:
        return found
    report = progress or (lambda what, part: None)
    with store.lock(path, lambda: report("waiting for another process that trains the same weights", 0.0)) as touch:
        found = _cached(path, group, word_bits, seed, progress) if path.exists() else None
        return found or _make(path, group, word_bits, seed, report, touch)


def _cached(
    path: Path, group: int, word_bits: int, seed: int, progress: Progress | None
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What the cache holds, or None; weights that are refused are reported, and never used."""
    if not path.exists():
        return None
    try:
        tensors, manifest = store.load(path, _expected(group, word_bits, seed))
        try:
            construction.check_claims(manifest)
            construction.as_params(tensors, group)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from None
    except WeightsError as error:
        message = f"weights refused, training anew: {error}"
        if progress is None:
            warnings.warn(message, stacklevel=4)
        else:
            progress(message, 0.0)
        return None
    return tensors, manifest


def _expected(group: int, word_bits: int, seed: int) -> dict[str, Any]:
    expected = {"unit": "ntk", "group": group, "seed": seed, "design": construction.design(group)}
    return expected if group <= construction.ENUMERABLE_GROUP else expected | {"word_bits": word_bits}


def _make(path: Path, group: int, word_bits: int, seed: int, report: Progress, touch) -> tuple[dict, dict]:
    def alive(what: str, part: float) -> None:
        touch()
        report(what, part)

    made = construction.make(group, word_bits, seed, alive)
    manifest = store.save(path, made.tensors, _expected(group, word_bits, seed) | store.origin() | made.fields)
    return made.tensors, manifest
