"""What is known of trained weights, from their manifest, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vm.command import terminal


def networks_table(manifest: Mapping[str, Any]) -> str:
    """One row for each network: its size, its training and what was measured of it."""
    from learned_units.tasks import subtract_branch

    rows: list[tuple[str, ...]] = [
        ("network", "networks x width", "examples", "iterations", "inputs checked", "smallest margin")
    ]
    for name in subtract_branch.template_sets(manifest["group"]):
        report = manifest["networks"][name]
        if "smallest_margin" in report:
            checked, margin = f"{report['inputs']:,}, all", terminal.format_margin(report["smallest_margin"])
        else:
            checked, margin = f"{report['states']:,}, sampled", f"z = {report['z']:.1f}"
        size = f"{manifest['ensemble_size']} x {report['width']}"
        rows.append((name, size, str(report["examples"]), str(report["iterations"]), checked, margin))
    return terminal.table(rows, right=(1, 2, 3, 4, 5))


def verified(manifest: Mapping[str, Any]) -> str:
    """The verification of the whole unit, in one line."""
    found = manifest["verified"]
    if "smallest_margin" in found:
        measured = f"{found['inputs']:,} inputs, smallest margin {terminal.format_margin(found['smallest_margin'])}"
    else:
        measured = f"z = {found['z']:.1f}, largest error {found['largest_error']:.2f} half gaps"
    return f"{found['kind']}: {measured}, {found['schedules']} schedules"


def sizes(manifest: Mapping[str, Any]) -> str:
    """Networks in an ensemble, and the range of their widths: "8 x 64-256"."""
    widths = sorted({report["width"] for report in manifest["networks"].values()})
    return f"{manifest['ensemble_size']} x {'-'.join(str(width) for width in dict.fromkeys((widths[0], widths[-1])))}"
