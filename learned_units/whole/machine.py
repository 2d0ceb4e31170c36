"""The whole machine by networks: state bits -> state bits. Its own type, not a unit: it needs no machine around it.

Between the first state and the last there is nothing but the encoder (template matching), the networks' predictions,
the threshold, and wiring. The host writes the first state and looks at states between instructions.

Two forms. "one": a single network maps the whole state to the next one, and is iterated. "grouped": seven small
networks, each with few enough inputs to enumerate, wired together. See docs/whole_machine.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from learned_units import bits, catalog
from learned_units.networks import predictor
from learned_units.store import Progress, Wanted
from learned_units.weights import whole_grouped, whole_one
from learned_units.weights.ensembles import EnsembleManifest
from learned_units.whole import grouped
from learned_units.whole.grouped import Grouped
from learned_units.whole.one_network import OneNetwork
from learned_units.whole.state import Boundary, Iteration, WholeSpec

FORMS = ("one", "grouped")
UNITS = {"ntk": "grouped", "ntk-limit": "one"}  # and the form each has by default
LEAST_CELLS = 3
MOST_CELLS = {"one": 1024, "grouped": 256}
ENCODER = "template matching"
THRESHOLD = "halfway between 0 and 1 matched template"


@dataclass(frozen=True)
class WholeMachine:
    """A machine of `spec.cells` words of which every part is predicted by networks.

    `unit` is "ntk" (trained) or "ntk-limit" (closed form); `detail` says in a few words what the networks are.
    """

    unit: str
    spec: WholeSpec
    params: Any
    detail: str
    seed: int | None = None
    manifest: EnsembleManifest | None = None

    @property
    def step_kind(self) -> str:
        """How summaries call its steps."""
        return "learned" if self.unit == "ntk" else "closed-form"

    def boot(self, words: Sequence[int] | np.ndarray, pc: int) -> jax.Array:
        """The first state, float32 [state bits]: unsigned words from cell 0 on, then zeros. The host's only writing."""
        spec = self.spec
        padded = np.zeros(spec.cells, np.uint64)
        padded[: len(words)] = np.array(words, np.uint64)
        place = np.arange(spec.word_bits, dtype=np.uint64)
        memory = (padded[:, None] >> place) & np.uint64(1)
        counter = (np.uint64(pc) >> place) & np.uint64(1)
        boundary = Boundary(memory.astype(np.float32), counter.astype(np.float32), np.zeros(1, np.float32))
        return spec.encode(boundary)

    def explain(self, state: jax.Array) -> list[Iteration]:
        """The iterations of one instruction from a state between two, by the code that runs it."""
        return self.spec.explain(self.params, state)


def load_whole(
    cells: int,
    word_bits: int,
    isa: str = "sbn",
    unit: str = "ntk",
    form: str | None = None,
    seed: int = 0,
    progress: Wanted = None,
) -> WholeMachine:
    """A whole machine, ready to run; what is trained is trained on first use, then read from the cache.

    cells: words of memory, from 3 to MOST_CELLS of the form; 2^word_bits - 1 at most, as the address -1 is no cell.
    unit: "ntk" or "ntk-limit". form: one of FORMS; by default "grouped" for the trained machine, "one" for the limit.
    Raises ValueError for an argument out of range, WeightsError if there are no acceptable weights.
    progress: as for `load_unit`.
    """
    catalog.recipe("ntk-limit", word_bits, isa, seed)  # refuses what no unit can have
    if unit not in UNITS:
        raise ValueError(f"there is no whole machine for the unit '{unit}' (units: {', '.join(UNITS)})")
    form = form or UNITS[unit]
    if form not in FORMS:
        raise ValueError(f"unknown form '{form}' of the whole machine (forms: {', '.join(FORMS)})")
    most = min(MOST_CELLS[form], (1 << word_bits) - 1)
    if not bits.is_integer(cells) or not LEAST_CELLS <= cells <= most:
        raise ValueError(
            f"a whole machine of {word_bits}-bit words in this form has {LEAST_CELLS} to {most:,} cells, not {cells}"
        )
    if progress is None:
        from learned_units.progress import shown

        with shown() as report:
            return _loaded(cells, word_bits, isa, unit, form, seed, report)
    return _loaded(cells, word_bits, isa, unit, form, seed, progress or None)


def _loaded(
    cells: int, word_bits: int, isa: str, unit: str, form: str, seed: int, progress: Progress | None
) -> WholeMachine:
    from learned_units.proof import whole_templates, whole_wiring

    if form == "grouped":
        whole_wiring.check(cells, word_bits, isa)
        spec = Grouped(cells, word_bits, isa)
        if unit == "ntk-limit":
            return WholeMachine(unit, spec, grouped.limit_params(), "closed form of seven networks")
        params, manifest = whole_grouped.obtain(seed, progress)
        return WholeMachine(unit, spec, params, whole_grouped.describe(manifest), manifest.seed_used, manifest)
    whole_templates.check(cells, word_bits, isa)
    spec = OneNetwork(cells, word_bits, isa)
    if unit == "ntk":
        params, manifest = whole_one.obtain(spec, seed, progress)
        return WholeMachine(unit, spec, params, whole_one.describe(manifest), manifest.seed_used, manifest)
    templates = spec.templates
    detail = f"one network of {templates.size:,} templates and {templates.state_bits:,} state bits"
    return WholeMachine(unit, spec, predictor.closed_form(templates), detail)
