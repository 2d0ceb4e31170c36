"""The one maker of trained networks: a plan names them, says how wide each may become, and who judges it.

How wide a network must be is found out, not given: its ensemble is widened until its judge accepts it. Where every
input can be enumerated that is a margin of at least MARGIN_FLOOR on all of them; where inputs are sampled, a z of at
least Z_FLOOR (`proof/finite_width.py`). What trains and what judges is imported when weights are made: reading them
from the cache needs none of it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from learned_units.networks import predictor, two_layer
from learned_units.store import Manifest, Progress, Verified, WeightsError, plain
from learned_units.unit import EVERY_INPUT
from learned_units.weights.recipes import Fields, Made, Recipe, Report, Tensors

if TYPE_CHECKING:
    from learned_units.circuits.literals import LiteralSet
    from learned_units.circuits.templates import TemplateSet
    from learned_units.networks.predictor import Templates

NETWORKS = 2  # networks in an ensemble: of the same total width, fewer and wider ones are closer to their limit
INITIALISATION = "mirrored"
ENUMERABLE_GROUP = 8  # positions a network may serve for its inputs to be enumerated
# Margins are measured in half gaps between 0 and 1 matched template. What another order of float32 sums can change of
# them is bounded (`proof/rounding.py`), and below 0.13 for the shipped weights.
MARGIN_FLOOR = 0.25
Z_FLOOR = 8.0
LARGEST_ERROR = 0.9  # of a prediction at finite width, in half gaps, where inputs are sampled
# Units of the whole ensemble tried in turn, both halves counted.
LITERAL_UNITS = (128, 256, 512, 768, 2048, 4096, 8192)
GROUPED_UNITS = (64, 320, 640, 768, 896, 1024, 1280, 1536, 2048, 3072, 4096)
WORD_UNITS = (512, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768)
SEEDS_TRIED = 8
JUDGED_AT_ONCE = 2  # stored networks
REPORT_SECONDS = 0.1  # between two reports of their progress


@dataclass(frozen=True, kw_only=True)
class NetworkReport:
    """How one ensemble came about, and what its judge measured."""

    width: int  # of each network
    examples: int
    iterations: int
    error: float  # largest, on the examples
    inputs: int  # it was judged on
    smallest_margin: float | None = None  # on them
    z: float | None = None  # where they are a sample
    largest_error: float | None = None  # where it was measured, in half gaps


@dataclass(frozen=True, kw_only=True)
class EnsembleManifest(Manifest):
    """The manifest of the networks of a plan."""

    ensemble_size: int
    initialisation: str
    networks: Mapping[str, NetworkReport]


# judge(inner, outer, progress) -> whether to accept an ensemble, and what was measured: fields of a NetworkReport.
Judge = Callable[[np.ndarray, np.ndarray, Callable[[float], None]], tuple[bool, dict[str, Any]]]


@dataclass(frozen=True)
class Planned:
    """A network to be made: what it learns, the units of its ensemble tried in turn, and how to get its judge."""

    templates: Templates
    units_tried: Sequence[int]
    judge: Callable[[], Judge]


def nothing_else() -> tuple[str, Fields]:
    """The wiring of a plan whose networks are all there is to check."""
    return "", {}


@dataclass(frozen=True)
class Plan:
    """Networks that are made, stored and judged together."""

    subject: str  # what they are for: "groups of 8, any word width"
    networks: Mapping[str, Planned]
    # Checks what is claimed beside the networks; raises where it does not hold. Returns what to add to the kind of the
    # claim, in words, and to its fields.
    wiring: Callable[[], tuple[str, Fields]] = nothing_else

    def recipe(
        self, file: str, expected: Mapping[str, Any], *, command: str | None = None, floor: float | None = None
    ) -> Recipe[EnsembleManifest]:
        """How the weights are made and stored; `expected` has the `seed` tried first and lacks only the `design`."""
        return Recipe(
            EnsembleManifest,
            f"{file}-seed{expected['seed']}",
            {**expected, "design": self.design()},
            functools.partial(self.make, expected["seed"]),
            self.check,
            self.report,
            self.prove,
            command,
            floor,
        )

    def design(self) -> str:
        """A fingerprint of everything but the seed that decides the weights and what is claimed of them.

        Templates, sizes tried and recipe; the readout's thresholds and half gaps (to six places, as the last digits are
        the platform's); and the version of the code that predicts and verifies.
        """
        networks = {
            name: (
                each.templates,
                each.units_tried,
                [np.round(part, 6).tolist() for part in predictor.thresholds(each.templates)],
            )
            for name, each in self.networks.items()
        }
        recipe = (NETWORKS, INITIALISATION, MARGIN_FLOOR, Z_FLOOR, LARGEST_ERROR)
        descent = (two_layer.TOLERANCE, two_layer.ITERATIONS_PER_CALL, two_layer.MOST_ITERATIONS)
        return hashlib.sha256(repr((predictor.VERSION, networks, recipe, descent)).encode()).hexdigest()[:16]

    def make(self, seed: int, progress: Progress) -> Made:
        """Train and accept the networks. Raises WeightsError when no seed gives acceptable ones at any width."""
        words, wired = self.wiring()
        judges = {name: each.judge() for name, each in self.networks.items()}
        for tried in range(seed, seed + SEEDS_TRIED):
            tensors: Tensors = {}
            reports: dict[str, NetworkReport] = {}
            for name, each in self.networks.items():
                accepted = _widen(name, each, judges[name], tried, progress)
                if accepted is None:
                    break
                inner, outer, reports[name] = accepted
                tensors |= {f"{name}.inner": inner, f"{name}.outer": outer}
            else:
                fields = {"ensemble_size": NETWORKS, "initialisation": INITIALISATION, "seed_used": tried}
                return Made(tensors, fields | _found(reports, words, wired))
        last = seed + SEEDS_TRIED - 1
        raise WeightsError(f"no seed from {seed} to {last} gave acceptable weights for {self.subject}")

    def prove(self, tensors: Tensors, manifest: EnsembleManifest, progress: Progress) -> Fields:
        """Judge stored networks as `make` judges its own, two at a time: one is compiled while the other computes.

        Returns `networks` and `verified` as found now. Raises WeightsError for a network that is not acceptable.
        """
        from concurrent.futures import ThreadPoolExecutor, wait

        words, wired = self.wiring()
        reports = {}
        parts = dict.fromkeys(self.networks, 0.0)

        def judged(name: str, each: Planned) -> tuple[bool, dict[str, Any]]:
            inner, outer = weights_of(tensors, name, each.templates)
            return each.judge()(inner, outer, functools.partial(parts.__setitem__, name))

        with ThreadPoolExecutor(JUDGED_AT_ONCE) as pool:
            running = {name: pool.submit(judged, name, each) for name, each in self.networks.items()}
            try:
                for name, each in running.items():
                    while wait([each], REPORT_SECONDS).not_done:
                        progress(f"proving '{name}'", parts[name])
                    progress(f"proving '{name}'", 1.0)
                    accepted, measured = each.result()
                    if not accepted:
                        raise WeightsError(f"the network '{name}' is not acceptable here: {measured}")
                    reports[name] = replace(manifest.networks[name], **measured)
            except BaseException:  # Ctrl-C, too
                pool.shutdown(cancel_futures=True)
                raise
        return _found(reports, words, wired)

    def params(self, tensors: Tensors) -> dict[str, Any]:
        """Stored tensors, ready to predict, by network. Raises WeightsError for one that is missing or misshapen."""
        return {
            name: predictor.trained(each.templates, *weights_of(tensors, name, each.templates))
            for name, each in self.networks.items()
        }

    def check(self, tensors: Tensors, manifest: EnsembleManifest) -> None:
        """Raise WeightsError for weights that do not fit, or a manifest that does not claim what is accepted here."""
        if manifest.networks.keys() != self.networks.keys():
            raise WeightsError(f"the manifest is of the networks {', '.join(manifest.networks)}")
        found = manifest.verified
        measured = all({each.smallest_margin, each.z} != {None} for each in manifest.networks.values())
        stated = found.smallest_margin is not None or None not in (found.z, found.largest_error)
        enough = found.smallest_margin is None or found.smallest_margin >= MARGIN_FLOOR
        near = found.z is None or found.z >= Z_FLOOR
        nowhere_far = found.largest_error is None or found.largest_error < LARGEST_ERROR
        if found.inputs is None or not (measured and stated and enough and near and nowhere_far):
            raise WeightsError(f"the manifest claims too little: {plain(found)}")
        for name, each in self.networks.items():
            weights_of(tensors, name, each.templates)

    def report(self, manifest: EnsembleManifest) -> Report:
        """What is known of the networks, from their manifest."""
        heading = ("network", "ensemble", "examples", "iterations", "inputs checked", "smallest margin")
        rows: list[tuple[str, ...]] = [heading]
        for name in self.networks:
            each = manifest.networks[name]
            size = f"{manifest.ensemble_size} x {each.width}"
            checked = f"{each.inputs:,}, {'all' if each.z is None else 'sampled'}"
            margin = f"z = {each.z:.1f}" if each.smallest_margin is None else f"{each.smallest_margin:.2f}"
            rows.append((name, size, str(each.examples), str(each.iterations), checked, margin))
        found = manifest.verified
        measured = [f"{found.inputs:,} inputs"]
        if found.smallest_margin is not None:
            measured.append(f"smallest margin {found.smallest_margin:.2f}")
        if found.z is not None:
            measured.append(f"z = {found.z:.1f}")
        if found.largest_error is not None:
            measured.append(f"largest error {found.largest_error:.2f} half gaps")
        if found.schedules is not None:
            measured.append(f"{found.schedules} schedules")
        return Report(
            subject=self.subject,
            sizes=sizes([manifest]),
            verified=f"{found.kind}: {', '.join(measured)}",
            table=rows,
        )


def _found(reports: Mapping[str, NetworkReport], wiring: str, wired: Fields) -> Fields:
    """What is known of networks once they are judged, as it is written."""
    verified = plain(summary(reports.values(), wiring)) | wired
    return {"networks": {name: plain(each) for name, each in reports.items()}, "verified": verified}


def summary(reports: Iterable[NetworkReport], wiring: str = "") -> Verified:
    """What holds of networks that were made together."""
    networks = list(reports)
    margins = [each.smallest_margin for each in networks if each.smallest_margin is not None]
    z = [each.z for each in networks if each.z is not None]
    errors = [each.largest_error for each in networks if each.largest_error is not None]
    return Verified(
        kind=("inputs sampled" if z else "every input enumerated") + wiring,
        inputs=sum(each.inputs for each in networks),
        smallest_margin=min(margins) if len(margins) == len(networks) else None,
        z=min(z, default=None),
        largest_error=max(errors, default=None),
    )


def sizes(manifests: Sequence[EnsembleManifest]) -> str:
    """How large the ensembles of some plans are: "2 x 32-448"."""
    widths = [each.width for manifest in manifests for each in manifest.networks.values()]
    return f"{manifests[0].ensemble_size} x {'-'.join(map(str, dict.fromkeys((min(widths), max(widths)))))}"


def describe(*manifests: EnsembleManifest) -> str:
    """The weights of one plan or several in a few words, for summaries."""
    sampled = [manifest.verified.z for manifest in manifests if manifest.verified.z is not None]
    claim = f"z = {min(sampled):.1f} on sampled inputs" if sampled else EVERY_INPUT
    return f"ensembles of {sizes(manifests)}, {claim}"


def every_input(learned: TemplateSet | LiteralSet, units_tried: Sequence[int] | None = None) -> Planned:
    """A network accepted with a margin of at least MARGIN_FLOOR on every input it can receive.

    units_tried: GROUPED_UNITS, unless others are given.
    """
    return Planned(learned, units_tried or GROUPED_UNITS, functools.partial(_judge_every_input, learned))


def sampled_inputs(template_set: TemplateSet, word_bits: int, group: int) -> Planned:
    """A network of a unit, accepted by z on states that words of this width reach."""
    return Planned(template_set, WORD_UNITS, functools.partial(_judge_sampled, template_set, word_bits, group))


def _judge_every_input(template_set: TemplateSet | LiteralSet) -> Judge:
    from learned_units.proof import enumeration

    def judge(inner: np.ndarray, outer: np.ndarray, progress: Callable[[float], None]) -> tuple[bool, dict[str, Any]]:
        params = predictor.trained(template_set, inner, outer)
        found = enumeration.enumerate_inputs(template_set, params, floor=MARGIN_FLOOR, progress=progress)
        accepted = found.wrong == 0 and found.smallest_margin >= MARGIN_FLOOR
        return accepted, {"inputs": found.inputs, "smallest_margin": found.smallest_margin}

    return judge


def _judge_sampled(template_set: TemplateSet, word_bits: int, group: int) -> Judge:
    from learned_units.proof import finite_width

    def judge(inner: np.ndarray, outer: np.ndarray, progress: Callable[[float], None]) -> tuple[bool, dict[str, Any]]:
        params = predictor.trained(template_set, inner, outer)
        measured = finite_width.measure(template_set, params, word_bits, group, progress=progress)
        accepted = measured.z >= Z_FLOOR and measured.largest_error < LARGEST_ERROR
        return accepted, {"z": measured.z, "largest_error": measured.largest_error, "inputs": measured.states}

    return judge


def _widen(
    name: str, planned: Planned, judge: Judge, seed: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray, NetworkReport] | None:
    """The narrowest ensemble that is accepted: inner and outer weights, and a report; None where none is."""
    from learned_units.networks import training

    inputs, labels = _lesson(planned.templates)
    least = two_layer.least_width(INITIALISATION, planned.templates.input_bits, planned.templates.output_bits)
    for width in (units // NETWORKS for units in planned.units_tried if units >= NETWORKS * least):
        doing = f"training '{name}': {NETWORKS} networks of width {width}"
        try:
            trained = training.train(
                labels,
                networks=NETWORKS,
                width=width,
                initialisation=INITIALISATION,
                seed=seed,
                inputs=inputs,
                progress=lambda iteration, error, doing=doing: progress(doing, training.progress_made(error)),
            )
        except training.TrainingError:
            continue
        inner, outer = two_layer.merge(trained.ensemble)
        checking = functools.partial(progress, f"checking inputs of '{name}' at width {width}")
        accepted, measured = judge(inner, outer, checking)
        if accepted:
            report = NetworkReport(
                width=width, examples=len(labels), iterations=trained.iterations, error=trained.error, **measured
            )
            return inner, outer, report
    return None


def _lesson(templates: Templates) -> tuple[np.ndarray | None, np.ndarray]:
    """Training inputs and labels. Where an example is one template, the inputs are the identity: None."""
    from learned_units.circuits.literals import LiteralSet

    return (templates.examples() if isinstance(templates, LiteralSet) else None), templates.labels()


def weights_of(tensors: Mapping[str, np.ndarray], name: str, templates: Templates) -> tuple[np.ndarray, np.ndarray]:
    """Inner and outer weights of one network. Raises WeightsError for a tensor that is missing or misshapen."""
    inner, outer = tensors.get(f"{name}.inner"), tensors.get(f"{name}.outer")
    if inner is None or outer is None:
        raise WeightsError(f"the weights of the network '{name}' are missing")
    if (
        inner.ndim != 2
        or outer.ndim != 2
        or (inner.shape[0], outer.shape[1]) != (templates.input_bits, templates.output_bits)
    ):
        raise WeightsError(f"the weights of the network '{name}' have shapes {inner.shape} and {outer.shape}")
    if inner.shape[1] != outer.shape[0] or inner.dtype != np.float32 or outer.dtype != np.float32:
        raise WeightsError(f"the weights of the network '{name}' do not belong together")
    if not (np.isfinite(inner).all() and np.isfinite(outer).all()):
        raise WeightsError(f"the weights of the network '{name}' are not all finite")
    return inner, outer
