"""Making the trained ensembles of a unit: how wide each network must be is found out, not given.

A group of up to ENUMERABLE_GROUP positions can be enumerated: each ensemble is widened until the smallest margin over
every input it can receive is at least MARGIN_FLOOR. Larger groups (the paper's form: one network for the whole word)
receive too many inputs; there each ensemble is widened until z is at least Z_FLOOR (`proof/finite_width.py`). What
judges is imported when weights are made: reading them from the cache needs none of it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from learned_units.circuits import subtract_branch
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import ensemble, predictor, readout, training, two_layer
from learned_units.store import Progress, WeightsError
from learned_units.weights.recipes import Made

NETWORKS = 2  # networks in an ensemble: of the same total width, fewer and wider ones are closer to their limit
INITIALISATION = "mirrored"
ENUMERABLE_GROUP = 8
# Margins are measured in half gaps between 0 and 1 matched template. A decision made with a margin of a quarter keeps
# its side under any error below a quarter of the half gap, which at n = 8 is 0.03: float32 sums of up to 10^4 terms of
# order 1e-2, in whatever order, differ by less than 1e-5.
MARGIN_FLOOR = 0.25
Z_FLOOR = 8.0
LARGEST_ERROR = 0.9  # of a prediction at finite width, in half gaps, where inputs are sampled
# Units of the whole ensemble tried in turn, both halves counted.
GROUPED_UNITS = (64, 320, 640, 768, 896, 1024, 1280, 1536, 2048, 3072, 4096)
WORD_UNITS = (512, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768)
SEEDS_TRIED = 8

# judge(inner, outer, progress) -> whether to accept an ensemble, and what was measured.
Judge = Callable[[np.ndarray, np.ndarray, Callable[[float], None]], tuple[bool, dict[str, Any]]]


def design(group: int) -> str:
    """A fingerprint of everything but the seed that decides the weights and what is claimed of them.

    Templates, recipe and sizes tried; the readout's thresholds and half gaps (to six places, as the last digits are the
    platform's); and the version of the code that predicts and verifies.
    """
    sets = subtract_branch.template_sets(group)
    readouts = {name: [np.round(part, 6).tolist() for part in readout.calibrated(each)] for name, each in sets.items()}
    recipe = (
        predictor.VERSION,
        readouts,
        sets,
        (NETWORKS, INITIALISATION, MARGIN_FLOOR, Z_FLOOR, LARGEST_ERROR, GROUPED_UNITS, WORD_UNITS),
        (training.TOLERANCE, training.ITERATIONS_PER_CALL, training.MOST_ITERATIONS),
    )
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


def make(group: int, word_bits: int | None, seed: int, progress: Progress) -> Made:
    """Train and accept the five ensembles. `word_bits` is needed where the inputs are sampled, not enumerated.

    Raises WeightsError when no seed gives acceptable weights at any width.
    """
    for tried in range(seed, seed + SEEDS_TRIED):
        tensors: dict[str, np.ndarray] = {}
        reports: dict[str, Any] = {}
        for name, template_set in subtract_branch.template_sets(group).items():
            units = GROUPED_UNITS if template_set.group <= ENUMERABLE_GROUP else WORD_UNITS
            judge = _judge_of(template_set, word_bits, group)
            accepted = widen(name, template_set.labels(), units, tried, judge, progress)
            if accepted is None:
                break
            inner, outer, reports[name] = accepted
            tensors |= {f"{name}.inner": inner, f"{name}.outer": outer}
        else:
            fields = {
                "ensemble_size": NETWORKS,
                "initialisation": INITIALISATION,
                "seed_used": tried,
                "networks": reports,
                "verified": _verified(group, reports),
            }
            return Made(tensors, fields)
    raise WeightsError(f"no seed from {seed} to {seed + SEEDS_TRIED - 1} gave acceptable weights for group {group}")


def prove(
    group: int, word_bits: int | None, tensors: dict[str, np.ndarray], manifest: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Judge stored ensembles as `make` judges its own. Returns `networks` and `verified` as found now.

    Raises WeightsError for a network that is not acceptable.
    """
    reports = {}
    for name, template_set in subtract_branch.template_sets(group).items():
        inner, outer = checked_weights(tensors, name, template_set.size, template_set.output_bits)
        reports[name] = judged(
            name, inner, outer, _judge_of(template_set, word_bits, group), manifest["networks"][name], progress
        )
    return {"networks": reports, "verified": _verified(group, reports)}


def judged(
    name: str, inner: np.ndarray, outer: np.ndarray, judge: Judge, report: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """A stored network's report with what is measured now. Raises WeightsError if the judge does not accept it."""
    accepted, measured = judge(inner, outer, functools.partial(progress, f"proving '{name}'"))
    if not accepted:
        raise WeightsError(f"the network '{name}' is not acceptable here: {measured}")
    return report | measured


def as_params(tensors: dict[str, np.ndarray], group: int) -> dict[str, ensemble.EnsembleParams]:
    """Stored tensors as the parameters of the unit. Raises WeightsError for a tensor that is missing or misshapen."""
    params = {}
    for name, template_set in subtract_branch.template_sets(group).items():
        inner, outer = checked_weights(tensors, name, template_set.size, template_set.output_bits)
        params[name] = ensemble.make_params(template_set, inner, outer, readout.calibrated(template_set))
    return params


def checked_weights(
    tensors: dict[str, np.ndarray], name: str, size: int, output_bits: int
) -> tuple[np.ndarray, np.ndarray]:
    """Inner and outer weights of one network. Raises WeightsError for a tensor that is missing or misshapen."""
    inner, outer = tensors.get(f"{name}.inner"), tensors.get(f"{name}.outer")
    if inner is None or outer is None:
        raise WeightsError(f"the weights of the network '{name}' are missing")
    if inner.ndim != 2 or outer.ndim != 2 or (inner.shape[0], outer.shape[1]) != (size, output_bits):
        raise WeightsError(f"the weights of the network '{name}' have shapes {inner.shape} and {outer.shape}")
    if inner.shape[1] != outer.shape[0] or inner.dtype != np.float32 or outer.dtype != np.float32:
        raise WeightsError(f"the weights of the network '{name}' do not belong together")
    if not (np.isfinite(inner).all() and np.isfinite(outer).all()):
        raise WeightsError(f"the weights of the network '{name}' are not all finite")
    return inner, outer


def widen(
    name: str, labels: np.ndarray, units_tried: Sequence[int], seed: int, judge: Judge, progress: Progress
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]] | None:
    """The narrowest ensemble of `units_tried` that is accepted: inner and outer weights, a report; None where none is.

    labels: float32 [templates, output bits]. judge(inner, outer, progress) -> whether to accept, and what was measured.
    """
    least = two_layer.least_width(INITIALISATION, *labels.shape)
    for width in (units // NETWORKS for units in units_tried if units >= NETWORKS * least):
        doing = f"training '{name}': {NETWORKS} networks of width {width}"
        try:
            trained = training.train(
                labels,
                networks=NETWORKS,
                width=width,
                initialisation=INITIALISATION,
                seed=seed,
                progress=lambda iteration, error, doing=doing: progress(doing, training.progress_made(error)),
            )
        except training.TrainingError:
            continue
        inner, outer = two_layer.merge(trained.ensemble)
        checking = functools.partial(progress, f"checking inputs of '{name}' at width {width}")
        accepted, measured = judge(inner, outer, checking)
        report = {"width": width, "examples": len(labels), "iterations": trained.iterations, "error": trained.error}
        if accepted:
            return inner, outer, report | measured
    return None


def judge_every_input(template_set: TemplateSet) -> Judge:
    """Accepts an ensemble with a margin of at least MARGIN_FLOOR on every input it can receive."""
    from learned_units.proof import enumeration

    def judge(inner: np.ndarray, outer: np.ndarray, progress: Callable[[float], None]) -> tuple[bool, dict[str, Any]]:
        params = ensemble.make_params(template_set, inner, outer, readout.calibrated(template_set))
        found = enumeration.enumerate_inputs(template_set, params, floor=MARGIN_FLOOR, progress=progress)
        accepted = found.wrong == 0 and found.smallest_margin >= MARGIN_FLOOR
        return accepted, {"inputs": found.inputs, "smallest_margin": found.smallest_margin}

    return judge


def _judge_of(template_set: TemplateSet, word_bits: int | None, group: int) -> Judge:
    """How a network of this group is judged: on every input where they can be enumerated, else on samples."""
    if template_set.group <= ENUMERABLE_GROUP:
        return judge_every_input(template_set)
    assert word_bits is not None
    return _judge_sampled(template_set, word_bits, group)


def _judge_sampled(template_set: TemplateSet, word_bits: int, group: int) -> Judge:
    from learned_units.proof import finite_width

    def judge(inner: np.ndarray, outer: np.ndarray, progress: Callable[[float], None]) -> tuple[bool, dict[str, Any]]:
        params = ensemble.make_params(template_set, inner, outer, readout.calibrated(template_set))
        measured = finite_width.measure(template_set, params, word_bits, group, progress=progress)
        accepted = measured.z >= Z_FLOOR and measured.largest_error < LARGEST_ERROR
        return accepted, {"z": measured.z, "largest_error": measured.largest_error, "states": measured.states}

    return judge


def _verified(group: int, reports: dict[str, Any]) -> dict[str, Any]:
    """What holds of these weights, for the manifest: the proof by enumeration, or the sampled acceptance."""
    from learned_units.proof import enumeration

    schedules = enumeration.check_composition(group)
    if group <= ENUMERABLE_GROUP:
        return {
            "kind": "every input enumerated, composition checked at widths 4-64",
            "inputs": sum(report["inputs"] for report in reports.values()),
            "smallest_margin": min(report["smallest_margin"] for report in reports.values()),
            "schedules": schedules,
        }
    return {
        "kind": "inputs sampled, composition checked",
        "z": min(report["z"] for report in reports.values() if "z" in report),
        "largest_error": max(report["largest_error"] for report in reports.values() if "z" in report),
        "schedules": schedules,
    }


def check(tensors: dict[str, np.ndarray], manifest: dict[str, Any]) -> None:
    """Raise WeightsError for weights that do not fit, or a manifest that does not claim what this program accepts."""
    verified = manifest.get("verified")
    if not isinstance(verified, dict) or not isinstance(manifest.get("networks"), dict):
        raise WeightsError("the manifest does not say what was verified")
    if "smallest_margin" in verified:
        accepted = verified["smallest_margin"] >= MARGIN_FLOOR  # not so for a NaN
    else:
        accepted = verified.get("z", 0) >= Z_FLOOR and verified.get("largest_error", 1) < LARGEST_ERROR
    if not accepted:
        raise WeightsError(f"the manifest claims too little: {verified}")
    as_params(tensors, manifest["group"])


def describe(manifest: dict[str, Any]) -> str:
    """The weights in a few words, for summaries."""
    widths = sorted({report["width"] for report in manifest["networks"].values()})
    sizes = f"{widths[0]}-{widths[-1]}" if len(widths) > 1 else str(widths[0])
    verified = manifest["verified"]
    claim = "every input verified" if "smallest_margin" in verified else f"z = {verified['z']:.1f} on sampled inputs"
    return f"ensembles of {manifest['ensemble_size']} x {sizes}, {claim}"
