"""`sbn train`: make a unit's weights and store them."""

from __future__ import annotations

import argparse

from vm.console import jax_setup, terminal
from vm.console.launch import UsageError, stated_by_user
from vm.console.terminal import Talk


def run(options: argparse.Namespace) -> int:
    """Train, unless acceptable weights were trained and stored already, and print what is known of them."""
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from learned_units import catalog
    from learned_units.weights import recipes
    from vm.console import chosen_unit

    chosen_unit.settle_group(options, options.width)
    with stated_by_user():
        recipe = catalog.recipe(
            options.unit, options.width, options.isa, options.seed, group=options.group, weights=options.weights
        )
    if recipe is None:
        kind = catalog.UNITS[options.unit].scope.step_kind
        raise UsageError(f"nothing in the unit '{options.unit}' is trained: its steps are {kind}")
    reported = []

    def progress(what: str, part: float) -> None:
        reported.append(what)
        talk.progress(what, part)

    if options.force:
        manifest = recipes.remake(recipe, progress)
    else:
        manifest = recipes.train(recipe, progress)[1]
    talk.clear()
    if not reported:
        talk.say("these weights were trained and stored already; --force trains them again")
    report = recipe.report(manifest)
    rows = [
        ("verified", report.verified),
        ("seed", str(manifest.seed_used)),
        ("hash", f"{manifest.tensor_hash} (SHA-256 of the tensors)"),
        ("file", str(recipe.path)),
    ]
    terminal.write_table(report.table, right=range(1, len(report.table[0])))
    terminal.write("\n")
    terminal.write_fields(rows)
    return 0
