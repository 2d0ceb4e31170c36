"""Trained weights by recipe: shipped or made, judged on this machine, then cached; refusals are reported."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from learned_units import store
from learned_units.store import Manifest, Progress, WeightsError

Tensors = dict[str, np.ndarray]
Fields = dict[str, Any]  # of a manifest, as they are written
M = TypeVar("M", bound=Manifest)


class Made(NamedTuple):
    """What a recipe makes: tensors by name, and what it adds to the manifest (`seed_used` and `verified` at least)."""

    tensors: Tensors
    fields: Fields


class RefutedError(WeightsError):
    """Weights that failed a verification. The message says what failed and when, and how they are trained again."""


class Report(NamedTuple):
    """What is known of weights, from their manifest, in words."""

    subject: str  # what they are for: "groups of 8, any word width"
    sizes: str  # how large they are: "2 x 32-448"
    verified: str  # what was verified, in one line
    table: list[tuple[str, ...]]  # a heading and one row for each network; the first column is its name


@dataclass(frozen=True)
class Recipe(Generic[M]):
    """How the weights in one file are made, named and judged."""

    kind: type[M]  # of manifest
    file: str  # the name of the file in the cache, without its suffix
    expected: Mapping[str, Any]  # what its manifest must say: everything that decides the weights, `unit` among it
    make: Callable[[Progress], Made]  # raises WeightsError if no acceptable weights can be made
    check: Callable[[Tensors, M], None]  # raises WeightsError for tensors or claims that do not suffice
    report: Callable[[M], Report]
    # Judges weights that were made elsewhere as `make` judges its own. Returns the fields of the manifest that this
    # settles; raises WeightsError for weights that are not acceptable here.
    prove: Callable[[Tensors, M, Progress], Fields]
    command: str | None = None  # that trains them again, whatever is stored; None where they have none
    floor: float | None = None  # the smallest margin that is accepted on every input; None where inputs are sampled

    @property
    def path(self) -> Path:
        """Where the weights are cached."""
        return folder() / f"{self.file}.safetensors"


def folder() -> Path:
    """Where all weights are cached."""
    return store.cache_folder() / "weights"


def shipped_folder() -> Traversable:
    """Where the weights lie that come with the package: files as in the cache, made by `sbn train`."""
    return resources.files("learned_units.weights") / "shipped"


def obtain(recipe: Recipe[M], progress: Progress | None) -> tuple[Tensors, M]:
    """The weights: from the cache; or those that are shipped, once they are proved on this machine; or made now.

    What was proved with other libraries or on another platform is proved again, since sums of floats may differ there.
    Raises WeightsError if no acceptable weights can be made, RefutedError for weights that failed a verification and
    that a command trains again; others of that kind are made again here.
    """
    found = _cached(recipe, progress)
    if found is not None and _holds_here(found[1]):
        return found
    with contextlib.ExitStack() as held:
        with contextlib.suppress(store.UnwritableError):  # what is made will say so when it is to be stored
            held.enter_context(_locked(recipe, progress))
        if recipe.path.exists():
            found = _cached(recipe, progress)
        if found is not None and _holds_here(found[1]):
            return found
        keep = functools.partial(_save_or_warn, progress)
        return _prove(recipe, found or _shipped(recipe, progress), progress) or _make(recipe, progress, keep)


def train(recipe: Recipe[M], progress: Progress | None) -> tuple[Tensors, M]:
    """The weights as this machine trains them: from the cache if it did, else trained now; never the shipped ones.

    Raises WeightsError if no acceptable weights can be made, or if they cannot be stored.
    """
    try:
        found = _cached(recipe, progress)
    except RefutedError:
        found = None
    if found is not None and not found[1].shipped:
        return found
    store.check_writable(recipe.path)
    with _locked(recipe, progress):
        return _make(recipe, progress, store.save)


def remake(recipe: Recipe[M], progress: Progress | None = None) -> M:
    """Make the weights once more and store them, replacing what is there. Returns the manifest.

    Raises WeightsError as `train`.
    """
    store.check_writable(recipe.path)
    with _locked(recipe, progress):
        return _make(recipe, progress, store.save)[1]


def read(recipe: Recipe[M], path: Path) -> tuple[Tensors, M]:
    """The weights in a file. Raises WeightsError, naming it, if they are not acceptable by the recipe; RefutedError if
    they failed a verification."""
    tensors, written = store.load(path, recipe.expected)
    if store.refutation_path(written["tensor_hash"]).exists():
        from learned_units.weights import refuted

        failed = refuted.what_failed(written["tensor_hash"])
        again = f"train them again with `{recipe.command}`" if recipe.command else "they are made again when needed"
        raise RefutedError(f"{path}: these weights failed a verification, {failed}; they are not used: {again}")
    try:
        return tensors, accepted(recipe, tensors, written)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def accepted(recipe: Recipe[M], tensors: Tensors, written: Mapping[str, Any]) -> M:
    """The manifest of weights. Raises WeightsError if it is malformed, or they are not acceptable by the recipe."""
    manifest = recipe.kind.read(written)
    recipe.check(tensors, manifest)
    return manifest


def _cached(recipe: Recipe[M], progress: Progress | None) -> tuple[Tensors, M] | None:
    if not recipe.path.exists():
        return None
    try:
        return read(recipe, recipe.path)
    except WeightsError as error:
        if isinstance(error, RefutedError) and recipe.command is not None:
            raise
        _warn(f"weights refused: {error}", progress)
        return None


def _shipped(recipe: Recipe[M], progress: Progress | None) -> tuple[Tensors, M] | None:
    """The weights that come with the package, if they are those of this recipe."""
    entry = shipped_folder() / f"{recipe.file}.safetensors"
    if not entry.is_file():
        return None
    with resources.as_file(entry) as path:
        try:
            tensors, manifest = read(recipe, path)
        except RefutedError as error:
            if recipe.command is not None:
                raise
            _warn(f"weights refused: {error}", progress)
            return None
        except WeightsError:  # of another version of this program
            return None
    return tensors, recipe.kind.read({**manifest.written, "shipped": True})


def _holds_here(manifest: Manifest) -> bool:
    """Whether what the manifest says was measured with these libraries, on this platform."""
    return all(manifest.written.get(name) == value for name, value in store.origin().items())


def _prove(recipe: Recipe[M], found: tuple[Tensors, M] | None, progress: Progress | None) -> tuple[Tensors, M] | None:
    """Weights from elsewhere, judged on this machine and stored with what was found; None where they do not hold."""
    if found is None:
        return None
    tensors, manifest = found
    try:
        proved = recipe.prove(tensors, manifest, progress or _silent)
    except WeightsError as error:
        _warn(f"weights refused on this machine: {error}", progress)
        return None
    kept = {name: value for name, value in manifest.written.items() if name != "claims"}
    written = _save_or_warn(progress, recipe.path, tensors, {**kept, **store.origin(), **proved})
    return tensors, recipe.kind.read(written)


def _make(recipe: Recipe[M], progress: Progress | None, save: Callable[..., Fields]) -> tuple[Tensors, M]:
    from learned_units.weights import refuted

    made = recipe.make(progress or _silent)
    written = save(recipe.path, made.tensors, {**recipe.expected, **store.origin(), **made.fields})
    refuted.forget(written["tensor_hash"])  # they were judged now
    return made.tensors, recipe.kind.read(written)


def _save_or_warn(progress: Progress | None, path: Path, tensors: Tensors, manifest: Fields) -> Fields:
    """Store the weights, or say that the next run must do without. Returns the manifest as it would be stored."""
    try:
        return store.save(path, tensors, manifest)
    except store.UnwritableError as error:
        _warn(f"weights are not kept: {error}", progress)
        return store.seal(tensors, manifest)


@contextlib.contextmanager
def _locked(recipe: Recipe, progress: Progress | None) -> Iterator[None]:
    """Hold the lock of the file. Raises UnwritableError, before anything is made, if the cache cannot be written."""
    waiting = "waiting for another process that is making the same weights"
    with store.lock(recipe.path, lambda: (progress or _silent)(waiting, 0.0)):
        yield


def _silent(what: str, part: float) -> None:
    """Progress that nobody asked for."""


def _warn(message: str, progress: Progress | None) -> None:
    """Tell whoever asked for weights: through their progress, or as a warning."""
    if progress is None:
        from learned_units.progress import warn

        warn(message)
    else:
        progress(message, 0.0)


def record(path: Path, tensor_hash: str, name: str, claim: Mapping[str, Any]) -> Fields:
    """Add a claim, verified after the training, to the manifest of stored weights; the file is the old one or the new.

    The claim replaces an earlier one of that name. Returns the manifest. Raises WeightsError if the file cannot be read
    or written, or no longer holds the tensors the claim is about.
    """
    with store.lock(path, lambda: None):
        tensors, manifest = store.load(path, {})
        if manifest["tensor_hash"] != tensor_hash:
            raise WeightsError(f"{path}: now holds other weights, which are not the ones that were verified")
        claims = {**manifest.get("claims", {}), name: dict(claim)}
        return store.save(path, tensors, {**manifest, "claims": claims})


def refute(path: Path | None, tensor_hash: str, what: str) -> None:
    """Take back what was claimed of weights that failed a verification: from now on they are refused.

    path: a file that may hold them; claims of later verifications are removed from it. what: failed, in words. Raises
    WeightsError if that cannot be recorded.
    """
    from learned_units.weights import refuted

    refuted.record(tensor_hash, what)
    if path is None or not path.exists():
        return
    with store.lock(path, lambda: None):
        tensors, manifest = store.load(path, {})
        if manifest["tensor_hash"] == tensor_hash and "claims" in manifest:
            store.save(path, tensors, {name: value for name, value in manifest.items() if name != "claims"})


def train_command(unit: str, **options: object) -> str:
    """The command that trains weights again. options: of `sbn train`; None is left out."""
    given = "".join(f" --{name} {value}" for name, value in options.items() if value is not None)
    return f"sbn train {unit}{given} --force"
