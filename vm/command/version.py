"""`sbn --version`: versions, device and cache folder."""

from __future__ import annotations

import argparse
import platform

from vm import __version__
from vm.console import jax_setup, terminal


def run(options: argparse.Namespace) -> int:
    """Print them."""
    jax_setup.prepare()
    import jax

    from learned_units.store import cache_folder

    device = jax.devices()[0]
    rows = [
        ("sbn", __version__),
        ("python", platform.python_version()),
        ("jax", jax.__version__),
        ("device", f"{device.device_kind} ({device.platform})"),
        ("cache", str(cache_folder())),
    ]
    terminal.write_fields(rows)
    return 0
