"""The trained NTK unit with its weights rounded to 8 bits: whole numbers, whose sums are the same on every machine.

The weights of the unit are rounded to the nearest of 255 numbers, one scale for each tensor; nothing is trained again.
The rounded networks are run on every input like those they come from, and two things must hold: every margin is at
least the floor, and no sum of absolute values reaches 2^24, so that float32 computes every prediction exactly up to
its last three operations (over sqrt(n), times the scale, less the threshold), in whatever order it adds.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from learned_units import devices
from learned_units.circuits import subtract_branch
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import rounded
from learned_units.networks.rounded import Rounded, RoundedParams
from learned_units.store import Progress, WeightsError, plain
from learned_units.unit import Unit
from learned_units.units import ntk
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import EnsembleManifest, Plan
from learned_units.weights.recipes import Fields, Made, Recipe, Tensors, train_command

KIND = "int8"
BITS = 8
SCOPE = dataclasses.replace(
    ntk.TRAINED,
    sentence=f"{ntk.TRAINED.sentence} The weights are whole numbers of 8 bits, rounded after the training.",
)


def load(word_bits: int, isa: str, seed: int, progress: Progress | None, group: int | None) -> Unit:
    """The unit. Raises ValueError for a group whose inputs are too many to enumerate, WeightsError without weights."""
    tensors, manifest = recipes.obtain(recipe(word_bits, isa, seed, group), progress)
    spec = ntk.NtkSpec(word_bits, isa, ntk.checked_group(group))
    detail = f"int8, {ensembles.describe(manifest)}"
    return Unit(
        "ntk", spec, params(tensors, spec.group), SCOPE, manifest.seed_used, detail, manifest.tensor_hash, manifest
    )


def recipe(word_bits: int, isa: str, seed: int, group: int | None) -> Recipe[EnsembleManifest]:
    """The rounded weights. They are made from those of the unit, which are shipped or trained. Raises ValueError."""
    group = ntk.checked_group(group)
    if group > ensembles.ENUMERABLE_GROUP:
        raise ValueError(
            f"group is {group}; int8 weights are for groups of up to {ensembles.ENUMERABLE_GROUP}, "
            "where every input of the rounded networks can be run"
        )
    source, plan = ntk.recipe(word_bits, isa, seed, group), ntk.plan(group, word_bits)
    return Recipe(
        EnsembleManifest,
        f"{source.file}-{KIND}",
        {**source.expected, "weights": KIND},
        functools.partial(_make, source, plan, group),
        functools.partial(_check, group),
        plan.report,
        lambda tensors, manifest, progress: _judge(tensors, manifest, plan, group, progress),
        train_command("ntk", weights=KIND, group=None if group == ntk.DEFAULT_GROUP else group, seed=seed or None),
        ensembles.MARGIN_FLOOR,
    )


def params(tensors: Mapping[str, np.ndarray], group: int) -> dict[str, RoundedParams]:
    """Stored tensors, ready to predict. Raises WeightsError for one that is missing or misshapen."""
    ready = {}
    for name, template_set in subtract_branch.template_sets(group).items():
        try:
            inner, outer, scales = (tensors[f"{name}.{part}"] for part in ("inner", "outer", "scales"))
        except KeyError as missing:
            raise WeightsError(f"the tensor {missing} is missing") from None
        shapes = inner.shape[:1], outer.shape[::-1][:1], inner.shape[1:], scales.shape
        wanted = (template_set.size,), (template_set.output_bits,), outer.shape[:1], (2,)
        if shapes != wanted or {inner.dtype, outer.dtype} != {np.dtype(np.int8)} or not np.isfinite(scales).all():
            raise WeightsError(f"the weights of the network '{name}' are not those of a network of whole numbers")
        ready[name] = rounded.make_rounded(template_set, Rounded(inner, scales[0]), Rounded(outer, scales[1]))
    return ready


def largest_sum(template_set: TemplateSet, network: RoundedParams) -> float:
    """The largest sum of the absolute values of a prediction's terms, as whole numbers, over every input."""
    from learned_units.proof import enumeration

    # Their number n divides a prediction by sqrt(n); a half gap of 1 and thresholds of 0 leave it as it is.
    bare = network._replace(outer=jnp.abs(network.outer), scale=jnp.ones_like(network.scale))
    inputs, largest = template_set.reachable_inputs(), 0.0
    block = devices.block_size(len(inputs), enumeration.BLOCK)
    for given, found in devices.in_blocks(enumeration.predict_inputs, bare, inputs, block, template_set=template_set):
        number = np.maximum((given >= 0).sum(1, keepdims=True), 1)
        largest = max(largest, float((found.value * np.sqrt(number)).max()))
    return largest


def _make(source: Recipe[EnsembleManifest], plan: Plan, group: int, progress: Progress) -> Made:
    trained, manifest = recipes.obtain(source, progress)
    tensors: Tensors = {}
    for name in subtract_branch.template_sets(group):
        both = [rounded.rounded(trained[f"{name}.{part}"], BITS) for part in ("inner", "outer")]
        tensors |= {f"{name}.inner": both[0].numbers, f"{name}.outer": both[1].numbers}
        tensors[f"{name}.scales"] = np.array([each.scale for each in both], np.float32)
    kept = {name: manifest.written[name] for name in ("ensemble_size", "initialisation", "seed_used")}
    return Made(tensors, kept | _judge(tensors, manifest, plan, group, progress))


def _judge(tensors: Tensors, manifest: EnsembleManifest, plan: Plan, group: int, progress: Progress) -> Fields:
    """Run the rounded networks on every input. Raises WeightsError for one that is not acceptable."""
    from learned_units.proof import enumeration

    words, wired = plan.wiring()
    networks, reports = params(tensors, group), {}
    for name, template_set in subtract_branch.template_sets(group).items():
        report = functools.partial(progress, f"proving '{name}' in {KIND}")
        found = enumeration.enumerate_inputs(
            template_set, networks[name], floor=ensembles.MARGIN_FLOOR, progress=report
        )
        if found.wrong or not found.smallest_margin >= ensembles.MARGIN_FLOOR:
            raise WeightsError(f"the network '{name}' in {KIND} has a margin of {found.smallest_margin:.3f}")
        if not largest_sum(template_set, networks[name]) < rounded.EXACT:
            raise WeightsError(f"the sums of the network '{name}' in {KIND} are too large to be exact")
        reports[name] = dataclasses.replace(
            manifest.networks[name], inputs=found.inputs, smallest_margin=found.smallest_margin
        )
    verified = plain(ensembles.summary(reports.values(), f", sums of whole numbers exact{words}")) | wired
    return {"networks": {name: plain(each) for name, each in reports.items()}, "verified": verified}


def _check(group: int, tensors: Tensors, manifest: EnsembleManifest) -> None:
    """Raise WeightsError for weights that do not fit, or a manifest that claims too little."""
    networks = params(tensors, group)
    smallest = manifest.verified.smallest_margin
    if manifest.networks.keys() != networks.keys() or smallest is None or smallest < ensembles.MARGIN_FLOOR:
        raise WeightsError(f"the manifest claims too little: {plain(manifest.verified)}")
