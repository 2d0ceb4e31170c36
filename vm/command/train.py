"""`sbn train`: make a unit's weights and store them."""

from __future__ import annotations

import argparse

from vm.command import jax_setup, terminal, weights_report
from vm.command.terminal import Talk
from vm.command.usage import UsageError, stated_by_user


def run(options: argparse.Namespace) -> int:
    """Train, unless acceptable weights are stored already, and print what is known of them."""
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from learned_units import catalog

    with stated_by_user():
        # Refuses what no unit can have. A closed form or native arithmetic takes no training.
        unit = options.unit if options.unit != "ntk" else "ntk-limit"
        scope = catalog.load_unit(unit, options.width, "sbn", options.seed, group=options.group).scope
    if options.unit != "ntk":
        raise UsageError(f"nothing in the unit '{options.unit}' is trained: its steps are {scope.step_kind}")
    group = catalog.DEFAULT_GROUP if options.group is None else options.group
    reported = []

    def progress(what: str, part: float) -> None:
        reported.append(what)
        talk.progress(what, part)

    if options.force:
        manifest = catalog.train(group, options.width, options.seed, progress)
    else:
        manifest = catalog.load_unit("ntk", options.width, "sbn", options.seed, progress, group).manifest
    talk.clear()
    if not reported:
        talk.say("these weights were stored already; --force trains them anew")
    path = catalog.weights_path(group, options.width, options.seed)
    rows = [
        ("verified", weights_report.verified(manifest)),
        ("seed", str(manifest["seed_used"])),
        ("hash", f"{manifest['tensor_hash']} (SHA-256 of the tensors)"),
        ("file", str(path)),
    ]
    terminal.write(weights_report.networks_table(manifest) + "\n" + terminal.table(rows))
    return 0
