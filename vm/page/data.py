"""What the page holds of a program and its unit, and the scripts that run it.

A page is given the image with its source, the weights as they are stored, the templates, thresholds and schedule, and
what was verified of them. A unit without an engine in the page is given a recorded run instead.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import numpy as np

from assembler import Image
from assembler.image import INPUT_MODES, Origin
from assembler.library import FILE as LIBRARY
from learned_units import bits
from learned_units.circuits import subtract_branch
from learned_units.circuits.passes import Pass, Read, Spread
from learned_units.circuits.templates import TemplateSet
from learned_units.networks.ensemble import EnsembleParams
from learned_units.unit import Unit
from learned_units.units.ntk import NtkSpec

FORMAT = 1
RECORDED_STEPS = 20_000  # of a unit without an engine in the page
MOST_MEMORY = 1 << 22  # words: what a page holds of each takes 30 bytes

# What is concatenated, in this order: each module stands after those it imports.
ENGINE = (
    "words",
    "damage",
    "network",
    "unit",
    "reference",
    "machine",
    "history",
    "source",
    "session",
    "motions",
    "worker",
    "start",
)
CLIENT = ("words", "source", "client")

TITLES = {
    "first": "where the operands differ, and where a borrow begins or is passed on",
    "prefix": "intervals joined: whether a borrow leaves them or is passed on",
    "difference": "the bits of the difference",
    "any": "whether some bit is 1",
    "select": "one of two words, by a flag",
}

_IMPORT = re.compile(r'^import [^;]*? from "\.{1,2}/[a-z]+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function |class |const )", re.MULTILINE)


def page_data(
    image: Image,
    unit: Unit,
    *,
    name: str,
    input: bytes = b"",
    input_ended: bool = True,
    sources: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Everything a page holds, as JSON can say it.

    input: what the console is given; without its end, whoever looks may type more. sources: whole texts by the names
    that the source map gives their files. Raises ValueError for a unit of another width or instruction set than the
    image's, and for more memory than MOST_MEMORY.
    """
    from vm.execution import check_unit

    check_unit(unit, image)
    if INPUT_MODES[image.input_mode].numbers:
        raise ValueError("the console of a page carries bytes, and this program's carries numbers")
    if image.memory_size() > MOST_MEMORY:
        raise ValueError(f"a page holds at most {MOST_MEMORY:,} words of memory, and this is {image.memory_size():,}")
    live = isinstance(unit.spec, NtkSpec) and all(isinstance(each, EnsembleParams) for each in unit.params.values())
    networks, schedule = _networks(unit) if live else ([], [])
    low, high = _limbs(image.words, image.word_bits)
    return {
        "format": FORMAT,
        "name": name,
        "program": {
            "wordBits": image.word_bits,
            "isa": image.isa,
            "entry": str(image.entry),
            "memorySize": image.memory_size(),
            "inputMode": image.input_mode,
            "low": low,
            "high": high,
            "labels": sorted(
                ([label, address] for label, address in image.labels.items() if 0 <= address < image.memory_size()),
                key=lambda entry: entry[1],
            ),
            "constants": [[constant, str(image.symbols[constant])] for constant in sorted(image.constants)],
        },
        "source": _source(image, sources or {}),
        "input": {"bytes": _base64(input), "ended": input_ended},
        "unit": _unit(unit, live),
        "networks": networks,
        "schedule": schedule,
        "recording": None if live else _recording(image, unit, input),
    }


def data_json(data: Mapping[str, Any]) -> str:
    """The data as text that may stand inside a script element: no character of it begins a tag or ends the element."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def engine_source() -> str:
    """The engine as one script: for a worker, or for a page that can have none."""
    return f'"use strict";\n(() => {{\n{_concatenated(ENGINE)}\n}})();\n'


def client_source() -> str:
    """What the page's own script calls: its names stand at the top level."""
    return _concatenated(CLIENT)


def strip_modules(text: str) -> str:
    """A module without its imports and exports. Raises ValueError for a form of either that is not understood."""
    stripped = _EXPORT.sub("", _IMPORT.sub("", text))
    left = re.search(r"^(?:import|export)\b.*", stripped, re.MULTILINE)
    if left:
        raise ValueError(f"this import or export cannot be taken out of a module: {left[0]}")
    return stripped


def _concatenated(modules: Iterable[str]) -> str:
    folder = resources.files("vm.page")
    return "\n".join(strip_modules((folder / f"{each}.js").read_text(encoding="utf-8")) for each in modules)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _array(values: np.ndarray, kind: str) -> str:
    """Base64 of an array's values, little-endian, row by row."""
    return _base64(np.ascontiguousarray(values).astype(kind).tobytes())


def _limbs(words: Iterable[int], word_bits: int) -> tuple[str, str | None]:
    """The low limbs of words, and the high ones where there are any."""
    limbs = bits.words_to_limbs(np.array(list(words), np.uint64), word_bits)
    return _array(limbs[:, 0], "<u4"), _array(limbs[:, 1], "<u4") if limbs.shape[1] > 1 else None


def _source(image: Image, sources: Mapping[str, str]) -> dict[str, Any] | None:
    """The source map: each run of words has a path of places, from the line the user wrote inwards."""
    if image.source_map is None or not image.source_map.runs:
        return None
    lines: dict[str, dict[int, str]] = {}
    places: dict[tuple[str, int], int] = {}
    paths: dict[tuple[int, ...], int] = {}

    def place(origin: Origin) -> int:
        lines.setdefault(origin.file, {})[origin.line] = origin.text
        return places.setdefault((origin.file, origin.line), len(places))

    runs = []
    for run in image.source_map:
        chain = (*reversed(run.origin.calls), run.origin)
        path = tuple(place(origin) for origin in chain)
        runs.append([run.start, run.end, paths.setdefault(path, len(paths))])
    first = image.source_map.runs[0].origin
    names = list(lines)
    return {
        "main": names.index((first.calls[-1] if first.calls else first).file),
        "files": [
            {
                "name": name,
                "library": name == LIBRARY,
                "text": sources.get(name),
                "lines": sorted([line, text] for line, text in lines[name].items()),
            }
            for name in names
        ],
        "places": [[names.index(file), line] for file, line in places],
        "paths": [list(path) for path in paths],
        "runs": runs,
    }


def _unit(unit: Unit, live: bool) -> dict[str, Any]:
    """What the unit is and what was verified of its weights."""
    manifest, scope = unit.manifest, unit.scope
    verified = manifest.verified if manifest is not None else None
    return {
        "name": unit.name,
        "kind": "live" if live else "recorded",
        "detail": unit.detail,
        "stepKind": scope.step_kind,
        "scope": {
            "sentence": scope.sentence,
            "difference": scope.difference,
            "decision": scope.decision,
            "select": scope.select,
            "glue": scope.glue,
        },
        "seed": unit.seed,
        "tensorHash": unit.tensor_hash,
        "verified": verified
        and {
            "kind": verified.kind,
            "inputs": verified.inputs,
            "smallestMargin": verified.smallest_margin,
            "schedules": verified.schedules,
        },
        "claims": [
            {"operands": claim.operands, "cases": claim.cases, "smallestMargin": claim.smallest_margin}
            for claim in (manifest.claims.values() if manifest is not None else ())
        ],
        "origin": f"jax {manifest.jax}, {manifest.platform}" if manifest is not None else "",
    }


def _networks(unit: Unit) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The networks that the schedule asks, and the schedule."""
    spec, params = unit.spec, unit.params
    assert isinstance(spec, NtkSpec)
    sets = subtract_branch.template_sets(spec.group)
    steps = subtract_branch.schedule(spec.word_bits, spec.isa, spec.group)
    reports = getattr(unit.manifest, "networks", {})
    networks = []
    for name in dict.fromkeys(step.network for step in steps):
        margin = reports[name].smallest_margin if name in reports else None
        networks.append(_network(sets[name], params[name]) | {"smallestMargin": margin})
    return networks, [_pass(step, sets[step.network]) for step in steps]


def _network(templates: TemplateSet, params: EnsembleParams) -> dict[str, Any]:
    inner, outer, table = (np.asarray(tensor) for tensor in params)
    units = inner.shape[-1]
    return {
        "name": templates.name,
        "title": TITLES[templates.name],
        "group": templates.group,
        "pooled": templates.pooled,
        "outputs": list(templates.outputs),
        "units": units,
        "families": [
            {"when": [list(each) for each in family.when], "then": list(family.then)} for family in templates.families
        ],
        "inner": _array(inner.reshape(-1, units), "<f4"),
        "outer": _array(outer.reshape(-1, units).T, "<f4"),
        "thresholds": table[1:].astype(float).tolist(),
        "halfGaps": table[0].astype(float).tolist(),
    }


def _pass(step: Pass, templates: TemplateSet) -> dict[str, Any]:
    reads = []
    for line, source in step.reads:
        assert isinstance(source, (Read, Spread)), "the machine's schedule has no other wiring"
        where = {"shift": source.shift} if isinstance(source, Read) else {"index": source.index}
        reads.append({"line": line, "field": source.field, **where})
    return {
        "network": step.network,
        "positions": step.positions,
        "groups": step.groups(templates.group),
        "reads": reads,
        "writes": [list(each) for each in step.writes],
    }


def _recording(image: Image, unit: Unit, input: bytes) -> dict[str, Any]:
    """A run of RECORDED_STEPS or less, one entry a step, as the machine itself records it."""
    from vm.chunk import Chunk
    from vm.execution import Machine
    from vm.state import Halt

    chunks: list[Chunk] = []
    machine = Machine(image, unit, input=input)
    outcome = machine.run(RECORDED_STEPS, on_chunk=chunks.append)
    kept = [chunk.record for chunk in chunks if chunk.record is not None]

    def column(name: str) -> np.ndarray:
        return np.concatenate([np.asarray(getattr(record, name)) for record in kept]) if kept else np.zeros(0)

    words = {"pc": "pcs", "address": "addresses", "new": "words"}
    limbs = {name: _limbs(column(source).tolist(), image.word_bits) for name, source in words.items()}
    return {
        "steps": outcome.steps,
        "complete": outcome.halt is not Halt.BUDGET,
        "stop": outcome.message,
        **{name: low for name, (low, _) in limbs.items()},
        "high": {name: high for name, (_, high) in limbs.items()} if image.word_bits > bits.LIMB_BITS else None,
        "nextPc": str(machine.pc),
        "margin": _array(column("margins"), "<f4"),
        "consumed": _array(column("consumed"), "u1"),
    }
