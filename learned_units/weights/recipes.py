"""Trained weights by recipe: made on first use, then read from the cache; what is refused is reported, never used."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from learned_units import store
from learned_units.store import Progress, WeightsError

Tensors = dict[str, np.ndarray]
Manifest = dict[str, Any]


class Made(NamedTuple):
    """What a recipe makes: tensors by name, and what it adds to the manifest (`seed_used` and `verified` at least)."""

    tensors: Tensors
    fields: Manifest


class Report(NamedTuple):
    """What is known of weights, from their manifest, in words."""

    subject: str  # what they are for: "groups of 8, any word width"
    sizes: str  # how large they are: "2 x 32-448"
    verified: str  # what was verified, in one line
    table: list[tuple[str, ...]]  # a heading and one row for each network; the first column is its name


@dataclass(frozen=True)
class Recipe:
    """How the weights in one file are made, named and judged."""

    file: str  # the name of the file in the cache, without its suffix
    expected: Mapping[str, Any]  # what its manifest must say: everything that decides the weights, `unit` among it
    make: Callable[[Progress], Made]  # raises WeightsError if no acceptable weights can be had
    check: Callable[[Tensors, Manifest], None]  # raises WeightsError for tensors or claims that do not suffice
    report: Callable[[Manifest], Report]

    @property
    def path(self) -> Path:
        """Where the weights are cached."""
        return folder() / f"{self.file}.safetensors"


def folder() -> Path:
    """Where all weights are cached."""
    return store.cache_folder() / "weights"


def obtain(recipe: Recipe, progress: Progress | None) -> tuple[Tensors, Manifest]:
    """The weights, from the cache or made now. Raises WeightsError if no acceptable ones can be had."""
    found = _cached(recipe, progress)
    if found is not None:
        return found
    with _locked(recipe, progress) as alive:
        found = _cached(recipe, progress) if recipe.path.exists() else None
        return found or _make(recipe, alive)


def remake(recipe: Recipe, progress: Progress | None = None) -> Manifest:
    """Make the weights anew and store them, replacing what is there. Returns the manifest."""
    with _locked(recipe, progress) as alive:
        return _make(recipe, alive)[1]


def read(recipe: Recipe, path: Path) -> tuple[Tensors, Manifest]:
    """The weights in a file. Raises WeightsError, naming it, if they are not acceptable by the recipe."""
    tensors, manifest = store.load(path, recipe.expected)
    try:
        recipe.check(tensors, manifest)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    return tensors, manifest


def _cached(recipe: Recipe, progress: Progress | None) -> tuple[Tensors, Manifest] | None:
    if not recipe.path.exists():
        return None
    try:
        return read(recipe, recipe.path)
    except WeightsError as error:
        message = f"weights refused, training anew: {error}"
        if progress is None:
            warnings.warn(message, stacklevel=5)  # whoever called load_unit
        else:
            progress(message, 0.0)
        return None


@contextlib.contextmanager
def _locked(recipe: Recipe, progress: Progress | None) -> Iterator[Progress]:
    """Hold the lock of the file; yields a progress function that keeps it fresh."""
    report = progress or (lambda what, part: None)
    waiting = "waiting for another process that trains the same weights"
    with store.lock(recipe.path, lambda: report(waiting, 0.0)) as touch:

        def alive(what: str, part: float) -> None:
            touch()
            report(what, part)

        yield alive


def _make(recipe: Recipe, progress: Progress) -> tuple[Tensors, Manifest]:
    made = recipe.make(progress)
    manifest = store.save(recipe.path, made.tensors, {**recipe.expected, **store.origin(), **made.fields})
    return made.tensors, manifest


def record(path: Path, tensor_hash: str, name: str, claim: Mapping[str, Any]) -> Manifest:
    """Add a claim, verified after the training, to the manifest of stored weights; the file is the old one or the new.

    The claim replaces an earlier one of that name. Returns the manifest. Raises WeightsError if the file cannot be read
    or written, or no longer holds the tensors the claim is about.
    """
    with store.lock(path, lambda: None):
        tensors, manifest = store.load(path, {})
        if manifest["tensor_hash"] != tensor_hash:
            raise WeightsError(f"{path}: holds other weights now; what was verified is not theirs")
        claims = {**manifest.get("claims", {}), name: dict(claim)}
        return store.save(path, tensors, {**manifest, "claims": claims})
