"""The NTK units: subtract and branch through the passes of the task, each predicted by an ensemble or by its limit.

What runs (`NtkSpec`; as `WiredSpec` whatever is wired of passes), what is learned in it, and the plan and the recipe of
its weights.
"""

from __future__ import annotations

import abc
import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import custom_batching

from learned_units import bits
from learned_units.circuits import passes, subtract_branch
from learned_units.circuits.passes import Pass, PassTrace, Prediction
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import predictor
from learned_units.store import Progress
from learned_units.unit import Decision, Scope, StepResult, Unit, smallest_margin
from learned_units.weights import ensembles, recipes
from learned_units.weights.ensembles import EnsembleManifest, Plan, Planned
from learned_units.weights.recipes import Fields, Recipe, train_command

if TYPE_CHECKING:
    from learned_units.circuits.literals import LiteralSet

DEFAULT_GROUP = 8  # bit positions one network serves
# What `weights` can be: those of this module, and of others by the module that has their `load` and `recipe`.
FLOAT32 = "float32"
OTHER_WEIGHTS = {"int8": "ntk_int8", "paper": "ntk_paper"}
Params = Mapping[str, predictor.NetworkParams]


@dataclass(frozen=True)
class WiredSpec(abc.ABC):
    """Width and instruction set; what the networks compute, and how they are wired, is said by the classes of units."""

    word_bits: int
    isa: str

    @property
    @abc.abstractmethod
    def sets(self) -> Mapping[str, TemplateSet | LiteralSet]:
        """What each network learns."""

    @property
    @abc.abstractmethod
    def schedule(self) -> tuple[Pass, ...]:
        """The passes of one instruction: fields a, b, C, F and `one` (a single 1) in, fields d and pc out."""

    @property
    @abc.abstractmethod
    def enumerable(self) -> bool:
        """Whether every input of every network can be enumerated."""

    @abc.abstractmethod
    def check_composition(self) -> int:
        """Check that the passes compose to subtraction and branch, at every width these networks serve.

        Returns the number of schedules. Raises VerificationError.
        """

    @property
    def evaluations(self) -> int:
        """Network evaluations one instruction takes: groups, over all passes."""
        sets = self.sets
        return sum(step.groups(sets[step.network].group) for step in self.schedule)

    def evaluate(
        self, params: Params, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> StepResult:
        """Words uint32 [limbs] -> StepResult. The margin is the smallest over every output of every pass."""
        return _evaluator(self)(params, minuend, subtrahend, target, fall_through)

    def explain(
        self, params: Params, minuend: jax.Array, subtrahend: jax.Array, target: jax.Array, fall_through: jax.Array
    ) -> list[Decision]:
        """Every output of every pass, in order, from the same code as `evaluate`."""
        traces = _trace(params, minuend, subtrahend, target, fall_through, spec=self)
        sets = self.sets
        decisions = []
        for stage, (step, trace) in enumerate(zip(self.schedule, traces, strict=True)):
            learned = sets[step.network]
            number = np.stack(trace.matched).sum((0, 2))
            value, threshold, margin = np.broadcast_arrays(
                trace.prediction.value, trace.prediction.threshold, trace.margin
            )
            for o, output in enumerate(learned.outputs):
                for g in range(value.shape[0]):
                    for p in range(value.shape[2]):
                        bit = g if learned.pooled else g * learned.group + p
                        if not learned.pooled and bit >= step.positions:
                            continue
                        decisions.append(
                            Decision(
                                stage,
                                step.network,
                                output,
                                bit,
                                int(number[g]),
                                float(value[g, o, p]),
                                float(threshold[g, o, p]),
                                int(trace.bits[g, o, p]),
                                float(margin[g, o, p]),
                            )
                        )
        return decisions

    def _decide(self, params: Params, *words: jax.Array) -> StepResult:
        """Words uint32 [limbs, ...] -> StepResult of arrays with the same further axes."""
        fields, traces = self._run(params, *words)
        margins = [smallest_margin(trace.margin, (0, 1, 2)) for trace in traces]
        return StepResult(
            bits.bits_to_limbs(fields["d"] > 0, self.word_bits),
            bits.bits_to_limbs(fields["pc"] > 0, self.word_bits),
            functools.reduce(jnp.minimum, margins),
        )

    def _run(self, params: Params, minuend, subtrahend, target, fall_through) -> tuple[dict, list[PassTrace]]:
        sets = self.sets

        def predict(network: str, matched: tuple[jax.Array, ...]) -> Prediction:
            return predictor.predict(sets[network], params[network], matched)

        fields = subtract_branch.input_fields(minuend, subtrahend, target, fall_through, self.word_bits)
        return passes.run_schedule(self.schedule, sets, fields, predict)


@functools.cache
def _evaluator(spec: WiredSpec):
    """What `spec.evaluate` runs. Under vmap over words the batch becomes the last axis of every array (see `passes`);
    under vmap over weights, and when it is differentiated, the step of one case is taken as it stands."""

    @custom_batching.custom_vmap
    def evaluate(params: Params, *words: jax.Array) -> StepResult:
        return spec._decide(params, *words)

    @evaluate.def_vmap
    def evaluate_batch(axis_size: int, in_batched: Any, params: Params, *words: jax.Array):
        weights_batched, *words_batched = in_batched
        if any(jax.tree.leaves(weights_batched)):
            axes = jax.tree.map(lambda batched: 0 if batched else None, in_batched)
            result = jax.vmap(spec._decide, tuple(axes), axis_size=axis_size)(params, *words)
            return result, jax.tree.map(lambda _: True, result)
        last = [
            jnp.moveaxis(word, 0, -1) if batched else jnp.broadcast_to(word[:, None], (len(word), axis_size))
            for word, batched in zip(words, words_batched, strict=True)
        ]
        result = spec._decide(params, *last)
        return jax.tree.map(lambda each: jnp.moveaxis(each, -1, 0), result), jax.tree.map(lambda _: True, result)

    differentiable = jax.custom_jvp(evaluate)
    differentiable.defjvp(lambda primals, tangents: jax.jvp(spec._decide, primals, tangents))
    return differentiable


@functools.partial(jax.jit, static_argnames=("spec",))
def _trace(params: Params, minuend, subtrahend, target, fall_through, *, spec: WiredSpec) -> list[PassTrace]:
    return spec._run(params, minuend, subtrahend, target, fall_through)[1]


@dataclass(frozen=True)
class NtkSpec(WiredSpec):
    """Width, instruction set and group; trained or limit is told by the parameters it is given."""

    group: int

    @property
    def sets(self) -> Mapping[str, TemplateSet]:
        return _template_sets(self.group)

    @property
    def schedule(self) -> tuple[Pass, ...]:
        return subtract_branch.schedule(self.word_bits, self.isa, self.group)

    @property
    def enumerable(self) -> bool:
        return self.group <= ensembles.ENUMERABLE_GROUP

    def check_composition(self) -> int:
        from learned_units.proof import enumeration

        return enumeration.check_composition(self.group)


@functools.cache
def _template_sets(group: int) -> Mapping[str, TemplateSet]:
    return subtract_branch.template_sets(group)


TRAINED = Scope(
    sentence=(
        "Five small ensembles of two-layer ReLU networks, trained by gradient descent on 160 template examples, "
        "predict every bit of the difference, the branch decision and the next pc. "
        "Most of each decision is the linear part of these networks, and a linear map could make it; the network 'any' "
        "is told how many of its bits are on. "
        "Template matching (the encoder), the wiring between passes and the threshold are not learned."
    ),
    difference="learned",
    decision="learned",
    select="learned",
    glue="template matching, wiring, threshold",
    step_kind="learned",
)
LIMIT = Scope(
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
)


def load_trained(
    word_bits: int,
    isa: str,
    seed: int,
    progress: Progress | None,
    group: int | None = None,
    weights: str | None = None,
) -> Unit:
    """The trained unit. Raises ValueError for a group out of range or unknown weights, WeightsError without weights."""
    other = _other(weights)
    if other is not None:
        return other.load(word_bits, isa, seed, progress, group)
    tensors, manifest = recipes.obtain(recipe(word_bits, isa, seed, group), progress)
    spec = NtkSpec(word_bits, isa, checked_group(group))
    params, detail = plan(spec.group, word_bits).params(tensors), ensembles.describe(manifest)
    return Unit("ntk", spec, params, TRAINED, manifest.seed_used, detail, manifest.tensor_hash, manifest)


def load_limit(word_bits: int, isa: str, seed: int, progress: Progress | None, group: int | None = None) -> Unit:
    """The closed form, which has no weights. Raises ValueError for a group out of range."""
    del seed, progress
    group = checked_group(group)
    params = {name: predictor.closed_form(each) for name, each in subtract_branch.template_sets(group).items()}
    detail = f"closed form at infinite width, groups of {group}"
    return Unit("ntk-limit", NtkSpec(word_bits, isa, group), params, LIMIT, detail=detail)


def recipe(
    word_bits: int, isa: str, seed: int, group: int | None = None, weights: str | None = None
) -> Recipe[EnsembleManifest]:
    """The weights of a trained unit. They depend on the word width only where inputs are sampled, on the instruction
    set never. Raises ValueError for a group out of range or unknown weights."""
    other = _other(weights)
    if other is not None:
        return other.recipe(word_bits, isa, seed, group)
    group = checked_group(group)
    expected = {"unit": "ntk", "group": group, "seed": seed}
    file, width, floor = f"ntk-g{group}", None, ensembles.MARGIN_FLOOR
    if group > ensembles.ENUMERABLE_GROUP:
        expected["word_bits"] = width = word_bits
        file += f"-w{word_bits}"
        floor = None
    command = train_command("ntk", group=None if group == DEFAULT_GROUP else group, width=width, seed=seed or None)
    return plan(group, word_bits).recipe(file, expected, command=command, floor=floor)


def recipe_of(written: Mapping[str, Any]) -> Recipe[EnsembleManifest]:
    """The recipe of stored weights, whatever version of the program made them. Raises KeyError, TypeError, ValueError
    for a manifest that cannot be of this unit."""
    return recipe(written.get("word_bits", 0), "sbn", written["seed"], written["group"], written.get("weights"))


def _other(weights: str | None) -> Any:
    """The module of weights that are not those of this one; None for those. Raises ValueError for unknown ones."""
    if weights in (None, FLOAT32):
        return None
    if weights not in OTHER_WEIGHTS:
        raise ValueError(f"unknown weights '{weights}' (weights: {', '.join((FLOAT32, *OTHER_WEIGHTS))})")
    return importlib.import_module(f"learned_units.units.{OTHER_WEIGHTS[weights]}")


def plan(group: int, word_bits: int) -> Plan:
    """The five networks of a unit. A network of a larger group receives too many inputs to enumerate: there they are
    sampled, from words of this width."""

    def planned(template_set: TemplateSet) -> Planned:
        if template_set.group <= ensembles.ENUMERABLE_GROUP:
            return ensembles.every_input(template_set)
        return ensembles.sampled_inputs(template_set, word_bits, group)

    words = "any word width" if group <= ensembles.ENUMERABLE_GROUP else f"{word_bits}-bit words"
    networks = {name: planned(each) for name, each in subtract_branch.template_sets(group).items()}
    return Plan(f"groups of {group}, {words}", networks, functools.partial(_check_composition, group))


def _check_composition(group: int) -> tuple[str, Fields]:
    from learned_units.proof import enumeration

    return ", composition checked at widths 4-64", {"schedules": enumeration.check_composition(group)}


def checked_group(group: int | None) -> int:
    """The group asked for, or the default. Raises ValueError for one out of range."""
    if group is None:
        return DEFAULT_GROUP
    if not bits.is_integer(group) or group not in range(1, bits.MAX_WORD_BITS + 1):
        raise ValueError(f"group is {group!r}; a network serves 1 to {bits.MAX_WORD_BITS} positions")
    return group
