"""The paper's own setting (arXiv 2502.16763) as weights of the unit `ntk`: one network for the whole word.

Plain Gaussian starts, the paper's parametrisation, gradient descent without momentum, and threshold 0 with a stated
tolerance (`networks/plain.py`). An ensemble is enlarged until it is right on every input that it can receive; so words
are short. Nothing of this is shipped: the weights are trained on first use.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from learned_units.catalog import ISAS
from learned_units.circuits import subtract_branch
from learned_units.circuits.passes import Pass
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import plain as plain_networks
from learned_units.networks import predictor, two_layer
from learned_units.networks.ensemble import EnsembleParams
from learned_units.store import Manifest, Progress, WeightsError, plain
from learned_units.unit import EVERY_INPUT, Scope, Unit
from learned_units.units.ntk import WiredSpec
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import NetworkReport
from learned_units.weights.recipes import Fields, Made, Recipe, Report, Tensors, train_command

KIND = "paper"
MOST_BITS = 8  # of a word
WIDTH = 256  # of each network; at half of it gradient descent fails
NETWORKS_TRIED = (30, 100, 200, 300, 600, 1000)  # in turn, for each ensemble
BLOCK = 256  # inputs predicted at once: what their hidden units take is 0.1 GB at most
# In half gaps. Where one template is matched, what it does not assert stands the tolerance, 0.002 half gaps, from the
# threshold. Orders of summation that were tried differ by a fiftieth of the floor; the bound for all is above it.
MARGIN_FLOOR = 1e-3
SEEDS_TRIED = 4


@dataclass(frozen=True, kw_only=True)
class PaperReport(NetworkReport):
    """How one ensemble came about."""

    networks: int


@dataclass(frozen=True, kw_only=True)
class PaperManifest(Manifest):
    """The manifest of the weights."""

    initialisation: str
    networks: Mapping[str, PaperReport]


@dataclass(frozen=True)
class PaperSpec(WiredSpec):
    """Width and instruction set; each network serves the whole word."""

    @property
    def sets(self) -> Mapping[str, TemplateSet]:
        return subtract_branch.template_sets(self.word_bits)

    @property
    def schedule(self) -> tuple[Pass, ...]:
        return subtract_branch.schedule(self.word_bits, self.isa, self.word_bits)

    @property
    def enumerable(self) -> bool:
        return False  # not by position: what can be received is what words lead to (`proof/word_inputs.py`)

    def check_composition(self) -> int:
        return _check_composition(self.word_bits)


SCOPE = Scope(
    sentence=(
        "The paper's own setting: ensembles of plain two-layer ReLU networks, one network for the whole word, trained "
        "by gradient descent without momentum, with threshold 0 but for a tolerance of 0.001. They predict every bit "
        "of the difference, the branch decision and the next pc. Template matching (the encoder), the wiring between "
        "passes and the threshold are not learned."
    ),
    difference="learned",
    decision="learned",
    select="learned",
    glue="template matching, wiring, threshold",
    step_kind="learned",
)


def load(word_bits: int, isa: str, seed: int, progress: Progress | None, group: int | None) -> Unit:
    """The unit. Raises ValueError for words or a group that this is not for, WeightsError without weights."""
    tensors, manifest = recipes.obtain(recipe(word_bits, isa, seed, group), progress)
    detail = f"the paper's setting, ensembles of {_sizes(manifest)}, {EVERY_INPUT}"
    spec = PaperSpec(word_bits, isa)
    return Unit(
        "ntk", spec, params(tensors, word_bits), SCOPE, manifest.seed_used, detail, manifest.tensor_hash, manifest
    )


def recipe(word_bits: int, isa: str, seed: int, group: int | None) -> Recipe[PaperManifest]:
    """The weights for words of one width. Raises ValueError for words or a group that this is not for."""
    del isa
    if word_bits > MOST_BITS:
        raise ValueError(
            f"words have {word_bits} bits; {KIND} weights are for words of up to {MOST_BITS}, where every input of one "
            "network for the whole word can be run (--width 8)"
        )
    if group not in (None, word_bits):
        raise ValueError(f"group is {group}; with {KIND} weights a network serves the word, which has {word_bits} bits")
    expected = {"unit": "ntk", "weights": KIND, "group": word_bits, "word_bits": word_bits, "seed": seed}
    return Recipe(
        PaperManifest,
        f"ntk-{KIND}-w{word_bits}-seed{seed}",
        {**expected, "design": _design(word_bits)},
        functools.partial(_make, word_bits, seed),
        functools.partial(_check, word_bits),
        functools.partial(_report, word_bits),
        functools.partial(_prove, word_bits),
        train_command("ntk", weights=KIND, width=word_bits, seed=seed or None),
        MARGIN_FLOOR,
    )


def params(tensors: Mapping[str, np.ndarray], word_bits: int) -> dict[str, EnsembleParams]:
    """Stored tensors, ready to predict. Raises WeightsError for one that is missing or misshapen."""
    return {
        name: plain_networks.make_plain(template_set, *ensembles.weights_of(tensors, name, template_set))
        for name, template_set in _trained_sets(word_bits).items()
    }


def _trained_sets(word_bits: int) -> dict[str, TemplateSet]:
    """Those that some schedule of this width uses."""
    used = {step.network for isa in ISAS for step in subtract_branch.schedule(word_bits, isa, word_bits)}
    return {name: each for name, each in subtract_branch.template_sets(word_bits).items() if name in used}


def _design(word_bits: int) -> str:
    sizes = (WIDTH, NETWORKS_TRIED, MARGIN_FLOOR, plain_networks.INITIALISATION, float(plain_networks.TOLERANCE))
    descent = (two_layer.TOLERANCE, two_layer.ITERATIONS_PER_CALL, two_layer.MOST_ITERATIONS)
    told = (predictor.VERSION, _trained_sets(word_bits), sizes, descent)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _make(word_bits: int, seed: int, progress: Progress) -> Made:
    from learned_units.proof import word_inputs

    received, schedules = word_inputs.by_network(word_bits), _check_composition(word_bits)
    for tried in range(seed, seed + SEEDS_TRIED):
        tensors: Tensors = {}
        reports: dict[str, PaperReport] = {}
        for name, template_set in _trained_sets(word_bits).items():
            accepted = _enlarge(template_set, received[name], tried, progress)
            if accepted is None:
                break
            trained, reports[name] = accepted
            tensors |= {f"{name}.inner": trained.inner, f"{name}.outer": trained.outer}
        else:
            fields = {"initialisation": plain_networks.INITIALISATION, "seed_used": tried}
            return Made(tensors, fields | _found(reports, schedules))
    last = seed + SEEDS_TRIED - 1
    raise WeightsError(f"no seed from {seed} to {last} gave acceptable {KIND} weights for {word_bits}-bit words")


def _enlarge(
    template_set: TemplateSet, received: np.ndarray, seed: int, progress: Progress
) -> tuple[plain_networks.Merged, PaperReport] | None:
    """The smallest ensemble that is accepted, and how it came about; None where none is."""
    from learned_units.networks import training

    for count in NETWORKS_TRIED:
        doing = f"training '{template_set.name}': {count} networks of width {WIDTH}"
        try:
            trained = plain_networks.train(
                template_set.labels(),
                count,
                WIDTH,
                seed,
                lambda iteration, error, doing=doing: progress(doing, training.progress_made(error)),
            )
        except training.TrainingError:
            return None  # more networks of this width do not help
        predicts = plain_networks.make_plain(template_set, trained.inner, trained.outer)
        measured = _enumerate(template_set, predicts, received, progress)
        if measured["smallest_margin"] >= MARGIN_FLOOR:
            report = PaperReport(
                networks=count,
                width=WIDTH,
                examples=template_set.size,
                iterations=trained.iterations,
                error=trained.error,
                **measured,
            )
            return trained, report
    return None


def _prove(word_bits: int, tensors: Tensors, manifest: PaperManifest, progress: Progress) -> Fields:
    """Judge stored networks as `_make` judges its own. Raises WeightsError for one that is not acceptable."""
    from learned_units.proof import word_inputs

    received, ready = word_inputs.by_network(word_bits), params(tensors, word_bits)
    reports = {}
    for name, template_set in _trained_sets(word_bits).items():
        measured = _enumerate(template_set, ready[name], received[name], progress)
        if not measured["smallest_margin"] >= MARGIN_FLOOR:
            raise WeightsError(f"the network '{name}' is not acceptable here: {measured}")
        reports[name] = dataclasses.replace(manifest.networks[name], **measured)
    return _found(reports, _check_composition(word_bits))


def _enumerate(template_set: TemplateSet, params: EnsembleParams, received: np.ndarray, progress: Progress) -> Fields:
    """Inputs and smallest margin of a network, as fields of its report; stopped early once one is below the floor."""
    from learned_units.proof import enumeration

    found = enumeration.enumerate_inputs(
        template_set,
        params,
        inputs=received,
        floor=MARGIN_FLOOR,
        block=BLOCK,
        progress=functools.partial(progress, f"checking inputs of '{template_set.name}'"),
    )
    return {"inputs": found.inputs, "smallest_margin": found.smallest_margin}


def _found(reports: Mapping[str, PaperReport], schedules: int) -> Fields:
    """What is known of the networks once they are judged, as it is written."""
    verified = ensembles.summary(reports.values(), ", composition checked at this width")
    return {
        "networks": {name: plain(each) for name, each in reports.items()},
        "verified": plain(verified) | {"schedules": schedules},
    }


def _check(word_bits: int, tensors: Tensors, manifest: PaperManifest) -> None:
    """Raise WeightsError for weights that do not fit, or a manifest that claims too little."""
    smallest = manifest.verified.smallest_margin
    enough = smallest is not None and smallest >= MARGIN_FLOOR  # which a margin that is no number is not
    if manifest.networks.keys() != params(tensors, word_bits).keys() or not enough:
        raise WeightsError(f"the manifest claims too little: {plain(manifest.verified)}")


def _sizes(manifest: PaperManifest) -> str:
    """How large the ensembles are: "100-300 x 256"."""
    counts = [each.networks for each in manifest.networks.values()]
    return f"{'-'.join(map(str, dict.fromkeys((min(counts), max(counts)))))} x {WIDTH}"


def _report(word_bits: int, manifest: PaperManifest) -> Report:
    """What is known of the networks, from their manifest."""
    rows: list[tuple[str, ...]] = [
        ("network", "ensemble", "examples", "iterations", "inputs checked", "smallest margin")
    ]
    for name, each in manifest.networks.items():
        size = f"{each.networks} x {each.width}"
        margin = f"{each.smallest_margin:.4f}"
        rows.append((name, size, str(each.examples), str(each.iterations), f"{each.inputs:,}, all", margin))
    found = manifest.verified
    return Report(
        subject=f"the paper's setting, one network for {word_bits}-bit words",
        sizes=_sizes(manifest),
        verified=(
            f"{found.kind}: {found.inputs:,} inputs, smallest margin {found.smallest_margin:.4f}, "
            f"{found.schedules} schedules"
        ),
        table=rows,
    )


def _check_composition(word_bits: int) -> int:
    """Lemmas 5 and 7 of docs/verification.md for words of this width. Returns the number of schedules."""
    from learned_units.proof import enumeration

    enumeration.check_specifications(subtract_branch.template_sets(word_bits))
    for isa in ISAS:
        enumeration.check_schedule(word_bits, isa, word_bits)
    return len(ISAS)
