"""`sbn units`: what is learned in each unit, and what was verified for the weights stored here."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from vm.command import jax_setup, terminal, weights_report

TEXT_COLUMNS = 100


def run(options: argparse.Namespace) -> int:
    """Print the table, and a line for each stored file; damaged ones are named."""
    jax_setup.prepare()
    from learned_units.catalog import DEFAULT_UNIT, SCOPES
    from learned_units.store import cache_folder

    rows = [("unit", "difference", "branch decision", "next pc", "native glue")]
    for name, scope in SCOPES.items():
        shown = f"{name} (default)" if name == DEFAULT_UNIT else name
        rows.append((shown, scope.difference, scope.decision, scope.select, scope.glue))
    terminal.write(terminal.table(rows))
    for name, scope in SCOPES.items():
        terminal.write("\n" + textwrap.fill(f"{name}: {scope.sentence}", TEXT_COLUMNS, subsequent_indent="  ") + "\n")
    folder = cache_folder() / "weights"
    stored = sorted(folder.glob("*.safetensors"))
    terminal.write(f"\nWeights in {folder}:{'' if stored else ' none yet; `sbn train ntk` makes them'}\n")
    for path in stored:
        terminal.write(textwrap.indent(_describe(path), "  ") + "\n")
    return 0


def _describe(path: Path) -> str:
    """What was verified for the weights in one file, or why they are refused."""
    from learned_units import store
    from learned_units.ntk import construction
    from learned_units.store import WeightsError

    try:
        tensors, manifest = store.load(path, {"unit": "ntk"})
        group = manifest["group"]
        if manifest["design"] != construction.design(group):
            raise WeightsError(f"{path}: made by another version of the training")
        construction.check_claims(manifest)
        construction.as_params(tensors, group)
    except WeightsError as error:
        return f"{path.name}: refused: {str(error).removeprefix(f'{path}: ')}"
    width = f", {manifest['word_bits']}-bit words" if "word_bits" in manifest else ", any word width"
    return (
        f"{path.name}: groups of {group}{width}, seed {manifest['seed_used']}, {weights_report.sizes(manifest)}\n"
        f"  {weights_report.verified(manifest)}\n"
        f"  {manifest['tensor_hash']} ({manifest['platform']}, jax {manifest['jax']})"
    )
