"""How likely a unit is to be wrong anywhere in a run: four kinds of statement, each with what it covers and assumes.

exhaustive  every input of every network was predicted and is right: failure 0, for these weights.
algebraic   the closed form with the calibrated readout decides "m >= 1" by construction: failure 0.
bound       for plain ensembles (independent Gaussian starts, infinite width, trained to convergence): a prediction is
            Gaussian over the draw of the networks, with the mean and variance of `kernel.py`. The probability that one
            decision is wrong is exact; over many decisions they are added up (union bound).
estimate    for antisymmetric ensembles, whose variance over draws is 0 at infinite width, so that what is left is the
            error of finite width: z standard errors to the threshold, measured over inputs (`finite_width.py`), turned
            into a rate as if the error were Gaussian, and added up. It describes the trained networks at hand on
            inputs like those measured. It is not a probability over networks and not a bound.

The union over a run is sound for plain ensembles: as long as every decision was right, what the networks are asked is
fixed by the program, not by the networks, so the first wrong decision is one of the steps x decisions counted here.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from learned_units.circuits import subtract_branch
from learned_units.circuits.algorithm import Algorithm, Rewrite
from learned_units.circuits.state_templates import TemplateList
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import kernel, limit
from learned_units.proof import counting, rounding
from learned_units.unit import Unit
from learned_units.units.ntk import NtkSpec, WiredSpec
from learned_units.weights.ensembles import EnsembleManifest

Readout = Literal["calibrated", "sign"]
Hidden = Literal[1, "1/k'"]
READOUTS: tuple[Readout, ...] = ("calibrated", "sign")
MOST_NETWORKS = 1 << 60


class Load(NamedTuple):
    """What one network has to decide in one computation: an instruction, an addition, ..."""

    network: str
    templates: int  # k', training examples
    most_matched: int  # n is at most this
    outputs: tuple[tuple[int, int], ...]  # (c, how many outputs c templates assert)
    evaluations: int  # of the network, in one computation
    pooled: bool = False  # every template asserts the only output, so that m = n

    @property
    def decisions(self) -> int:
        """Thresholded outputs in one computation."""
        return self.evaluations * sum(number for _, number in self.outputs)


class Certificate(NamedTuple):
    """One statement about a run. `failure` is at most 1."""

    kind: Literal["exhaustive", "algebraic", "bound", "estimate"]
    failure: float
    covers: str
    assumes: str


def tail(distance: float) -> float:
    """The probability that a standard Gaussian exceeds `distance`."""
    return 0.5 * math.erfc(distance / math.sqrt(2))


def distance(readout: Readout, templates: int, asserting: int, matched: int, matched_asserting: int) -> float:
    """Signed distance of one network's mean from the threshold, in its standard deviations over starts.

    Positive where the mean is on the right side: above for m >= 1, else not above. Infinite where the variance is 0.
    k = templates, c = asserting, n = matched, m = matched_asserting.
    """
    if readout == "calibrated":
        half_gap = float(kernel.coefficients(templates, matched).gap[matched]) / 2
        from_threshold = abs(2 * matched_asserting - 1) * half_gap
    else:
        side = 1 if matched_asserting else -1
        from_threshold = side * kernel.mean(templates, asserting, matched, matched_asserting)
    if matched <= 1:
        return math.inf if from_threshold >= -1e-12 else -math.inf  # a training example, or nothing, is exact
    return from_threshold / math.sqrt(kernel.variance(templates, matched))


@functools.cache
def worst_distance(readout: Readout, templates: int, asserting: int, matched: int, pooled: bool) -> float:
    """The smallest distance over what can be matched of an output's templates. More than one is only farther off."""
    if pooled:
        return distance(readout, templates, asserting, matched, matched)
    most = min(1, asserting, matched)
    return min(distance(readout, templates, asserting, matched, m) for m in range(most + 1))


def nearest(load: Load, readout: Readout, hidden: Hidden = 1) -> tuple[tuple[float, int], ...]:
    """For each kind of output of a network, the distance at the worst n, and its decisions in one computation.

    hidden: the variance of hidden weights at the start, "1/k'" as in the paper's parametrisation. Where it is smaller,
    so is the variance of a prediction, in proportion; the mean is the same.
    """
    matched = range(1, load.most_matched + 1)
    root = 1.0 if hidden == 1 else math.sqrt(load.templates)
    return tuple(
        (
            root * min(worst_distance(readout, load.templates, c, n, load.pooled) for n in matched),
            load.evaluations * number,
        )
        for c, number in load.outputs
    )


def union_of_tails(distances: Sequence[tuple[float, int]], networks: int, computations: int = 1) -> float:
    """The sum over decisions of the probability that the mean of that many networks is on the wrong side; at most 1."""
    root = math.sqrt(networks)
    return min(1.0, computations * sum(number * tail(root * each) for each, number in distances))


def failure_bound(loads: Sequence[Load], networks: int, readout: Readout, computations: int = 1) -> float:
    """Union bound on the probability that a plain ensemble errs anywhere in that many computations, at the worst n."""
    return union_of_tails([each for load in loads for each in nearest(load, readout)], networks, computations)


def failure_bound_all_inputs(sets: Mapping[str, TemplateSet], networks: int, readout: Readout, whole: bool) -> float:
    """The same over every output of every distinct input the networks can receive: one draw, right on all programs.

    whole: a network serves the whole word (nothing below its lowest position), not a group of it.
    """
    total = 0.0
    for template_set in sets.values():
        for n, inputs in _inputs(template_set, whole).items():
            for asserting, number in _outputs(template_set.label_counts(), template_set.pooled, template_set.group):
                nearest = worst_distance(readout, template_set.size, asserting, n, template_set.pooled)
                total += inputs * number * tail(math.sqrt(networks) * nearest)
    return min(1.0, total)


def networks_needed(bound: Callable[[int], float], delta: float) -> int | None:
    """The smallest ensemble whose bound is at most delta; None if none is (a readout on the wrong side)."""
    if bound(MOST_NETWORKS) > delta:
        return None
    high = 1
    while bound(high) > delta:
        high *= 2
    low = high // 2  # too few, or 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bound(middle) <= delta else (middle, high)
    return high


def paper_networks(loads: Sequence[Load], delta: float, decisions: int, hidden: Hidden = 1) -> int | None:
    """The bound of arXiv 2502.16763 (first version): N >= 8 (var / mean^2) ln(2 decisions / delta), sign readout.

    It was stated for permutations and is applied here to other tasks, at the worst n and m; None where the sign readout
    is on the wrong side. The paper's k is the number of decisions. hidden: as in `nearest`.
    """
    worst = min(each for load in loads for each, _ in nearest(load, "sign", hidden))
    if worst <= 0:
        return None
    return max(1, math.ceil(8 / worst**2 * math.log(2 * decisions / delta)))


def loads(spec: NtkSpec) -> list[Load]:
    """What the networks of a unit decide in one instruction."""
    sets = subtract_branch.template_sets(spec.group)
    evaluations: Counter[str] = Counter()
    for step in subtract_branch.schedule(spec.word_bits, spec.isa, spec.group):
        evaluations[step.network] += step.groups(sets[step.network].group)
    return [load_of(sets[name], number) for name, number in evaluations.items()]


def loads_of_algorithm(algorithm: Algorithm) -> list[Load]:
    """What the networks of a task decide in one computation."""
    named = {network.name: network for network in algorithm.networks}
    evaluations: Counter[str] = Counter()
    for step in algorithm.steps:
        if isinstance(step, Rewrite):
            evaluations.update(dict.fromkeys(step.networks, step.times))
        else:
            evaluations[step.network] += step.groups(named[step.network].most_matched)
    return [load_of(named[name], number) for name, number in evaluations.items()]


def load_of(templates: TemplateSet | TemplateList, evaluations: int) -> Load:
    """What one network decides in that many evaluations."""
    pooled, positions = False, 1
    if isinstance(templates, TemplateSet):
        pooled, positions = templates.pooled, templates.group
    outputs = _outputs(templates.label_counts(), pooled, positions)
    return Load(templates.name, templates.size, templates.most_matched, outputs, evaluations, pooled)


def decisions_of_all_inputs(sets: Mapping[str, TemplateSet], whole: bool) -> int:
    """Thresholded outputs over every distinct input."""
    return sum(_inputs(each, whole).total() * each.output_bits for each in sets.values())


def of_unit(unit: Unit, steps: int) -> Certificate | None:
    """What is known of a run of that many learned steps on this unit; None for units that are not wired of ensembles.

    Taken from the weights' manifest; where inputs were sampled, from the smallest z of each network.
    """
    if not isinstance(unit.spec, WiredSpec):
        return None
    if all(isinstance(params, limit.LimitParams) for params in unit.params.values()):
        return Certificate(
            "algebraic",
            0.0,
            "every input: the calibrated decision of the closed form is 'at least one matched template'",
            "float32 arithmetic right to one half gap",
        )
    if unit.manifest is None:
        return None
    verified = unit.manifest.verified
    if verified.z is None:
        return Certificate(
            "exhaustive",
            0.0,
            f"every output of the {verified.inputs:,} inputs the networks can receive, composed at "
            f"{'4 to 64' if unit.spec.enumerable else unit.word_bits} bits",
            _rounding(unit),
        )
    return estimate(sampled_loads(unit), {name: [z] for name, z in _sampled(unit).items()}, steps)


def _rounding(unit: Unit) -> str:
    """What a proof by enumeration takes for granted of float32, wherever the unit runs."""
    assert unit.manifest is not None
    margins = {name: each["smallest_margin"] for name, each in unit.manifest.written["networks"].items()}
    smallest = unit.manifest.verified.smallest_margin
    taken = rounding.in_any_order(margins, unit.params)
    if taken is None:
        return f"float32 sums in another order differ by less than the smallest margin, {smallest:.2g} half gaps"
    return (
        f"float32, with sums in any order: another order changes a margin by {taken:.2g} half gaps at most, and the "
        f"smallest margin is {smallest:.2g}"
    )


def sampled_loads(unit: Unit) -> list[Load]:
    """The networks of a unit whose inputs were sampled. Those tried on every input add nothing, and are left out."""
    assert isinstance(unit.spec, NtkSpec)
    return [load for load in loads(unit.spec) if load.network in _sampled(unit)]


def _sampled(unit: Unit) -> dict[str, float]:
    """z of the networks whose inputs were sampled."""
    assert isinstance(unit.manifest, EnsembleManifest)
    return {name: report.z for name, report in unit.manifest.networks.items() if report.z is not None}


def estimate(loads: Sequence[Load], z: Mapping[str, Sequence[float]], steps: int) -> Certificate:
    """The rate of wrong runs that z, of each network's outputs or the smallest of them, would mean if Gaussian."""
    total = 0.0
    for load in loads:
        outputs = sum(number for _, number in load.outputs)
        each = z[load.network]
        total += steps * load.evaluations * outputs * sum(map(tail, each)) / len(each)
    decisions = steps * sum(load.decisions for load in loads)
    return Certificate(
        "estimate",
        min(1.0, total),
        f"{decisions:,} decisions in {steps:,} steps",
        "errors Gaussian over inputs like those z was measured on; not a probability over networks, not a bound",
    )


def _inputs(template_set: TemplateSet, whole: bool) -> Counter[int]:
    return counting.inputs_by_matched(template_set, neighbour=not whole)


def _outputs(label_counts: Any, pooled: bool, positions: int) -> tuple[tuple[int, int], ...]:
    """(c, number of outputs) from the label counts of a template set, which are the same at every position."""
    numbers = Counter(int(c) for c in label_counts)
    return tuple((c, number * (1 if pooled else positions)) for c, number in sorted(numbers.items()))
