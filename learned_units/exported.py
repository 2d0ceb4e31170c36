"""A unit as files that need none of our code: its weights, one step in StableHLO, vectors to test it by, a model card.

`weights.safetensors`  the arrays that the step takes, by name
`step.stablehlo`       jax.export: (weights, minuend, subtrahend, target, fall_through) -> difference, next_pc, margin
`vectors.npz`          cases whose differences and next pcs were computed by integer arithmetic
`README.md`            what the unit is, what was verified, and how to run the step
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from learned_units import bits
from learned_units.store import plain
from learned_units.unit import Unit

PLATFORMS = ("cpu", "cuda", "tpu")
VECTORS = 1_000
SEED = 0
WORDS = ("minuend", "subtrahend", "target", "fall_through")

CODE = """\
import numpy
from jax import export
from safetensors.numpy import load_file

weights = load_file("weights.safetensors")
step = export.deserialize(bytearray(open("step.stablehlo", "rb").read()))
vectors = numpy.load("vectors.npz")
found = step.call(weights, *(vectors[name] for name in ("minuend", "subtrahend", "target", "fall_through")))
for name in ("difference", "next_pc"):
    assert (numpy.asarray(found[name]) == vectors[name]).all(), name
assert (numpy.asarray(found["margin"]) > 0).all()
print(len(vectors["minuend"]), "vectors are equal")
"""


class DisagreesError(Exception):
    """A unit is wrong on a test vector: there is nothing to export."""


def weights(unit: Unit) -> dict[str, np.ndarray]:
    """The arrays of `unit.params` by where they are in it, such as `difference.inner`."""
    return {_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(unit.params)[0]}


def step(unit: Unit) -> bytes:
    """One step of any number of cases, words as uint32 [cases, limbs], as jax.export writes it; for PLATFORMS."""
    structure, arrays = jax.tree.structure(unit.params), weights(unit)
    order = list(arrays)  # to a dictionary, jax gives the order of its names

    def evaluate(given: Mapping[str, jax.Array], *words: jax.Array) -> dict[str, jax.Array]:
        params = jax.tree.unflatten(structure, [given[name] for name in order])
        return jax.vmap(lambda *case: unit.spec.evaluate(params, *case)._asdict())(*words)

    (cases,) = export.symbolic_shape("cases")
    word = jax.ShapeDtypeStruct((cases, bits.limb_count(unit.word_bits)), jnp.uint32)
    shapes = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in arrays.items()}
    return bytes(export.export(jax.jit(evaluate), platforms=PLATFORMS)(shapes, *[word] * len(WORDS)).serialize())


def vectors(unit: Unit) -> dict[str, np.ndarray]:
    """Cases, among them those at the ends of the range, with their results by integer arithmetic: uint32 [n, limbs];
    margins of this unit, float32 [n]. Raises DisagreesError where the unit gives another result."""
    width, mask = unit.word_bits, (1 << unit.word_bits) - 1
    half = 1 << (width - 1)
    ends = [0, 1, 2, half - 1, half, half + 1, mask - 1, mask]
    draw = np.random.default_rng(SEED)
    drawn = draw.integers(0, mask, (VECTORS, len(WORDS)), np.uint64, endpoint=True).tolist()
    pairs = [(a, b) for a in ends for b in ends]
    cases = [[*pair, *rest[2:]] for pair, rest in zip(pairs, drawn, strict=False)] + drawn[len(pairs) :]
    differences = [(a - b) & mask for a, b, _, _ in cases]
    taken = [d >= half or (unit.isa == "subleq" and d == 0) for d in differences]
    following = [c if branches else f for (_, _, c, f), branches in zip(cases, taken, strict=True)]

    given = np.array(cases, np.uint64)
    found = unit.subtract_branch(*given.T)
    wanted = np.array([differences, following], np.uint64)
    if (np.stack([found.difference, found.next_pc]).astype(np.uint64) != wanted).any():
        raise DisagreesError("the unit is wrong on a test vector")
    arrays = {name: bits.words_to_limbs(column, width) for name, column in zip(WORDS, given.T, strict=True)}
    results = dict(zip(("difference", "next_pc"), (bits.words_to_limbs(row, width) for row in wanted), strict=True))
    return arrays | results | {"margin": found.margin}


def card(unit: Unit) -> str:
    """The model card: front matter, what is learned, what was verified, and the code that runs the step."""
    scope, manifest = unit.scope, unit.manifest
    lines = ["---", "library_name: jax", "license: mit", "tags: [neural-sbn, subtract-and-branch]", "---", ""]
    lines += [f"# {unit.name}, {unit.word_bits}-bit {unit.isa}", "", scope.sentence, ""]
    lines += ["| part | by |", "| --- | --- |"]
    lines += [f"| {part} | {by} |" for part, by in _parts(unit)]
    if manifest is not None:
        lines += [
            "",
            "## What was verified",
            "",
            f"These weights: {unit.detail}.",
            "",
            "| field | value |",
            "| --- | --- |",
        ]
        found = {name: value for name, value in plain(manifest.verified).items() if value is not None}
        lines += [f"| {name.replace('_', ' ')} | {value} |" for name, value in found.items()]
        lines += [
            f"| seed | {manifest.seed_used} |",
            f"| tensor hash | {manifest.tensor_hash} |",
            f"| measured with | jax {manifest.jax}, {manifest.platform} |",
            "",
            "The hash is that of the tensors as the project stores them; `weights.safetensors` holds them in the form",
            "that a step uses. What was verified holds for these weights and this platform's float32.",
        ]
    lines += [
        "",
        "## Use",
        "",
        f"Words are uint32 [cases, {bits.limb_count(unit.word_bits)}], least significant first.",
    ]
    lines += ["It takes jax, safetensors and flatbuffers, in this folder:", "", "```python", CODE.rstrip(), "```", ""]
    return "\n".join(lines)


def files(unit: Unit) -> dict[str, bytes]:
    """All files by name. Raises DisagreesError."""
    from safetensors.numpy import save

    return {
        "README.md": card(unit).encode(),
        "weights.safetensors": save(weights(unit)),
        "step.stablehlo": step(unit),
        "vectors.npz": npz(vectors(unit)),
    }


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays in numpy's own format."""
    written = io.BytesIO()
    np.savez_compressed(written, allow_pickle=False, **arrays)
    return written.getvalue()


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path)


def _parts(unit: Unit) -> list[tuple[str, str]]:
    scope = unit.scope
    return [
        ("difference", scope.difference),
        ("branch decision", scope.decision),
        ("next pc", scope.select),
        ("native", scope.glue),
    ]
