"""The trained networks of the tasks: which are shared, how the others are made, accepted and cached.

The grouped designs use the networks of the unit `ntk` where the templates are the same, and two of their own, which are
enumerated like those. Template lists are trained for one task and number of bits (and one permutation), and judged
on the states that runs of the task reach: on all of them where the operands are few enough to run all.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from learned_units.circuits import addition, multiplication
from learned_units.circuits.designs import GROUP, Design
from learned_units.circuits.template_list import TemplateList
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import ensemble, listed, readout, training
from learned_units.proof.reached import reached
from learned_units.store import Progress, WeightsError
from learned_units.units import ntk_loading
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import Judge, checked_weights
from learned_units.weights.recipes import Made, Manifest, Recipe, Report, Tensors

UNIT = "tasks"  # in manifests
SHARED = ("first", "prefix", "difference", "select", "any")  # networks of the unit `ntk`
BLOCK = 2048
MOST_TRAINED_BITS = {"permute": 64, "add": 32, "multiply": 8}  # of the paper's designs: beyond, networks get very wide


def obtain(design: Design, seed: int, progress: Progress | None) -> tuple[dict[str, Any], str]:
    """The parameters of a task's networks and a few words on them.

    Raises ValueError for a design that is not trained, WeightsError if there are no acceptable weights.
    """
    networks = design.algorithm.networks
    most = MOST_TRAINED_BITS.get(design.task, 0)
    if design.form == "paper" and design.bits > most:
        raise ValueError(
            f"the paper's design of '{design.task}' is trained for up to {most} bits, not {design.bits}; "
            "the grouped design and the unit ntk-limit go further"
        )
    params: dict[str, Any] = {}
    manifests: list[Manifest] = []
    if any(each.name in SHARED for each in networks):
        tensors, manifest = recipes.obtain(ntk_loading.recipe(16, "sbn", seed), progress)
        params |= ensembles.as_params(tensors, GROUP)
        manifests.append(manifest)
    if any(each.name in own_sets() for each in networks):
        tensors, manifest = recipes.obtain(recipe(None, seed), progress)
        params |= _as_params(tensors, own_sets().values())
        manifests.append(manifest)
    lists = _lists(design)
    if lists:
        tensors, manifest = recipes.obtain(recipe(design, seed), progress)
        params |= _as_params(tensors, lists)
        manifests.append(manifest)
    return {each.name: params[each.name] for each in networks}, _describe(manifests)


def own_sets() -> dict[str, TemplateSet]:
    """The template sets of the grouped designs that the unit `ntk` does not have."""
    return {each.name: each for each in (addition.first(GROUP), multiplication.full_adder())}


def _lists(design: Design) -> list[TemplateList]:
    return [each for each in design.algorithm.networks if isinstance(each, TemplateList)]


def recipe(design: Design | None, seed: int) -> Recipe:
    """The weights of a design's template lists, or, for None, of `own_sets`."""
    expected: dict[str, Any] = {"unit": UNIT, "seed": seed}
    if design is None:
        networks: Sequence[TemplateSet | TemplateList] = tuple(own_sets().values())
        judges = [ensembles.judge_every_input(each) for each in own_sets().values()]
        expected |= {"task": "arithmetic", "group": GROUP}
        file = f"tasks-arithmetic-g{GROUP}"
        tried = ensembles.GROUPED_UNITS
    else:
        networks = _lists(design)
        judges = [_judge_reached(design, each) for each in _lists(design)]
        expected |= {"task": design.task, "form": design.form, "bits": design.bits, "places": list(design.places)}
        which = f"-{_fingerprint(design.places)[:8]}" if design.places else ""
        file = f"tasks-{design.task}-{design.form}-{design.bits}{which}"
        tried = ensembles.WORD_UNITS
    sizes = (ensembles.NETWORKS, ensembles.INITIALISATION, ensembles.MARGIN_FLOOR, ensembles.Z_FLOOR)
    expected["design"] = _fingerprint((networks, tried, sizes, ensembles.LARGEST_ERROR, training.TOLERANCE))
    return Recipe(
        f"{file}-seed{seed}",
        expected,
        functools.partial(_make, networks, judges, tried, seed),
        functools.partial(_check, networks),
        report,
    )


def recipe_of(manifest: Mapping[str, Any]) -> Recipe:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError, TypeError, ValueError
    for a manifest that cannot be of a task."""
    if manifest["task"] == "arithmetic":
        return recipe(None, manifest["seed"])
    places = tuple(manifest["places"])
    return recipe(Design(manifest["task"], manifest["form"], manifest["bits"], places), manifest["seed"])


def report(manifest: Mapping[str, Any]) -> Report:
    """What is known of trained weights."""
    rows: list[tuple[str, ...]] = [
        ("network", "networks x width", "examples", "iterations", "inputs checked", "smallest margin")
    ]
    for name, each in manifest["networks"].items():
        size = f"{manifest['ensemble_size']} x {each['width']}"
        checked = f"{each['inputs']:,}, {'all' if each.get('every', True) else 'sampled'}"
        margin = f"{each['smallest_margin']:.2f}"
        rows.append((name, size, str(each["examples"]), str(each["iterations"]), checked, margin))
    widths = sorted({each["width"] for each in manifest["networks"].values()})
    found = manifest["verified"]
    z = f", z = {found['z']:.1f}" if "z" in found else ""
    if manifest["task"] == "arithmetic":
        subject = "addition and multiplication in groups, any number of bits"
    else:
        subject = f"{manifest['task']}, the {manifest['form']} design, {manifest['bits']} bits"
    return Report(
        subject=subject,
        sizes=f"{manifest['ensemble_size']} x {'-'.join(map(str, dict.fromkeys((widths[0], widths[-1]))))}",
        verified=f"{found['kind']}: {found['inputs']:,} inputs, smallest margin {found['smallest_margin']:.2f}{z}",
        table=rows,
    )


def _describe(manifests: Sequence[Manifest]) -> str:
    widths = sorted({each["width"] for manifest in manifests for each in manifest["networks"].values()})
    sizes = "-".join(str(width) for width in dict.fromkeys((widths[0], widths[-1])))
    sampled = [manifest["verified"]["z"] for manifest in manifests if "z" in manifest["verified"]]
    claim = f"z = {min(sampled):.1f} on sampled inputs" if sampled else "every input verified"
    return f"ensembles of {manifests[0]['ensemble_size']} x {sizes}, {claim}"


def _make(
    networks: Sequence[TemplateSet | TemplateList],
    judges: Sequence[Judge],
    tried: Sequence[int],
    seed: int,
    progress: Progress,
) -> Made:
    for used in range(seed, seed + ensembles.SEEDS_TRIED):
        tensors: Tensors = {}
        reports: dict[str, Any] = {}
        for each, judge in zip(networks, judges, strict=True):
            accepted = ensembles.widen(each.name, each.labels(), tried, used, judge, progress)
            if accepted is None:
                break
            inner, outer, reports[each.name] = accepted
            tensors |= {f"{each.name}.inner": inner, f"{each.name}.outer": outer}
        else:
            return Made(
                tensors,
                {
                    "ensemble_size": ensembles.NETWORKS,
                    "initialisation": ensembles.INITIALISATION,
                    "seed_used": used,
                    "networks": reports,
                    "verified": _verified(reports),
                },
            )
    names = ", ".join(each.name for each in networks)
    raise WeightsError(f"no seed from {seed} on gave acceptable weights for {names}")


def _verified(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    every = all(each.get("every", True) for each in reports.values())
    found: dict[str, Any] = {
        "kind": "every input enumerated" if every else "inputs sampled",
        "inputs": sum(each["inputs"] for each in reports.values()),
        "smallest_margin": min(each["smallest_margin"] for each in reports.values()),
    }
    if not every:
        found["z"] = min(each["z"] for each in reports.values() if "z" in each)
    return found


def _check(networks: Sequence[TemplateSet | TemplateList], tensors: Tensors, manifest: Manifest) -> None:
    verified = manifest.get("verified")
    if not isinstance(verified, dict) or set(manifest.get("networks", {})) != {each.name for each in networks}:
        raise WeightsError("the manifest does not say what was verified")
    enough = verified.get("smallest_margin", 0) >= ensembles.MARGIN_FLOOR  # not so for a NaN
    if not enough or not verified.get("z", ensembles.Z_FLOOR) >= ensembles.Z_FLOOR:
        raise WeightsError(f"the manifest claims too little: {verified}")
    _as_params(tensors, networks)


def _as_params(tensors: Tensors, networks) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for each in networks:
        inner, outer = checked_weights(tensors, each.name, each.size, each.output_bits)
        read = readout.calibrated(each)
        if isinstance(each, TemplateList):
            params[each.name] = listed.make_ensemble(inner, outer, read)
        else:
            params[each.name] = ensemble.make_params(each, inner, outer, read)
    return params


def _judge_reached(design: Design, network: TemplateList) -> Judge:
    """Accepts an ensemble by its margins on the states its task reaches and, if those are a sample, by z as well."""
    states = functools.cache(lambda: reached(design.algorithm, network))

    def judge(inner: np.ndarray, outer: np.ndarray, progress: Callable[[float], None]) -> tuple[bool, dict[str, Any]]:
        params = listed.make_ensemble(inner, outer, readout.calibrated(network))
        matched, every = states()
        found = measure(network, params, matched, progress, floor=ensembles.MARGIN_FLOOR)
        accepted = found["smallest_margin"] >= ensembles.MARGIN_FLOOR
        if not every:
            accepted = accepted and found["z"] >= ensembles.Z_FLOOR
        return accepted, found | {"every": every}

    return judge


def measure(
    network: TemplateList,
    params: listed.ListedEnsemble,
    matched: np.ndarray,
    progress: Callable[[float], None],
    floor: float = -np.inf,
) -> dict[str, Any]:
    """A trained ensemble on matches bool [states, templates]: their number, the smallest signed margin, and z.

    A margin counts as positive on the side the templates specify. z is that of `finite_width`, over the states. Stops
    once a margin is below the floor.
    """
    labels = network.labels()
    matched = np.random.default_rng(0).permutation(matched)  # what is wrong shows soon
    exact = listed.make_limit(network, readout.calibrated(network))
    smallest, squares, counted = np.inf, np.zeros(network.output_bits), 0
    for start in range(0, len(matched), BLOCK):
        block = np.pad(matched[start : start + BLOCK].astype(np.float32), ((0, 0), (0, network.padding)))
        some = len(block)
        block = np.pad(block, ((0, min(BLOCK, 1 << (len(matched) - 1).bit_length()) - some), (0, 0)), mode="edge")
        prediction, closed = listed.predict_block(params, block), listed.predict_block(exact, block)
        side = np.where(block @ labels > 0, np.float32(1), np.float32(-1))
        margin = side * np.asarray((prediction.value - prediction.threshold) / prediction.half_gap)
        smallest = float(np.minimum(smallest, margin.min()))  # a NaN stays
        error = np.asarray((prediction.value - closed.value) / closed.half_gap, np.float64)[:some]
        error = error[block[:some].sum(1) >= 2]
        squares += (error**2).sum(0)
        counted += len(error)
        progress(min(1.0, (start + BLOCK) / len(matched)))
        if not smallest >= floor:  # a NaN stops here too
            break
    root = np.sqrt(squares.max() / max(counted, 1))
    return {"inputs": len(matched), "smallest_margin": smallest, "z": 1e9 if root == 0 else float(1 / root)}


def _fingerprint(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
