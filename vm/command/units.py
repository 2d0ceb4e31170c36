"""`sbn units`: what is learned in each unit, and what was verified for the weights stored here."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from vm.console import jax_setup, terminal
from vm.margin import format_margin

if TYPE_CHECKING:
    from learned_units.store import Claim


def run(options: argparse.Namespace) -> int:
    """Print the table, and a line for each stored file; damaged ones are named."""
    jax_setup.prepare()
    from learned_units.catalog import DEFAULT_UNIT, UNITS
    from learned_units.weights import recipes

    rows = [("unit", "difference", "branch decision", "next pc", "native glue")]
    scopes = {name: entry.scope for name, entry in UNITS.items()}
    for name, scope in scopes.items():
        shown = f"{name} (default)" if name == DEFAULT_UNIT else name
        rows.append((shown, scope.difference, scope.decision, scope.select, scope.glue))
    terminal.write_table(rows)
    for name, scope in scopes.items():
        terminal.write(f"\n{terminal.filled(f'{name}: {scope.sentence}', indent='  ')}\n")
    folder = recipes.folder()
    stored = sorted(folder.glob("*.safetensors"))
    terminal.write(f"\nWeights in {folder}:{'' if stored else ' none yet; `sbn train ntk` makes some'}\n")
    if stored:
        terminal.write("What is verified holds for the weights with the hash shown and for this platform's float32.\n")
    for path in stored:
        terminal.write(textwrap.indent(_describe(path), "  ") + "\n")
    return 0


def _describe(path: Path) -> str:
    """What was verified for the weights in one file, or why they are refused."""
    from learned_units import catalog, store
    from learned_units.store import WeightsError
    from learned_units.weights import recipes

    try:
        recipe = catalog.recipe_of(store.load(path, {})[1])
        manifest = recipes.read(recipe, path)[1]
    except WeightsError as error:
        return f"{path.name}: refused: {str(error).removeprefix(f'{path}: ')}"
    report = recipe.report(manifest)
    claims = "".join(f"\n  {_claim(claim)}" for claim in manifest.claims.values())
    return (
        f"{path.name}: {report.subject}, seed {manifest.seed_used}, {report.sizes}\n"
        f"  {report.verified}{claims}\n"
        f"  {manifest.tensor_hash} ({manifest.platform}, jax {manifest.jax})"
    )


def _claim(claim: Claim) -> str:
    """One thing that `sbn verify` found to hold."""
    margin = "" if claim.smallest_margin is None else f", smallest margin {format_margin(claim.smallest_margin)}"
    if claim.word_bits is None:
        return f"verified: {claim.operands}: {claim.cases:,}{margin}"
    done, shards = claim.shards
    part = "" if done == shards else f" ({done:,} of {shards:,} shards)"
    form = f"{claim.word_bits}-bit {claim.isa}"
    return f"verified: {claim.operands}, {form}: {claim.cases:,} cases{part}{margin}"
