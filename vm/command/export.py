"""`sbn export`: a unit as files that others can use without this project."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from learned_units.whole_file import write_whole
from vm.console import jax_setup, outputs, terminal
from vm.console.launch import UsageError
from vm.console.terminal import Talk

if TYPE_CHECKING:
    from learned_units.unit import Unit


def run(options: argparse.Namespace) -> int:
    """Write the folder, or with --format the one file, whole or not at all. Exit code 1 where the unit is wrong."""
    target = Path(options.output)
    if options.format is not None:
        outputs.check({"-o": options.output}, {})
    elif target.is_dir() and any(target.iterdir()) or target.exists() and not target.is_dir():
        raise UsageError(f"{target} is there already; name a folder that is new or empty")
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from learned_units.exported import DisagreesError
    from vm.console import chosen_unit

    unit = chosen_unit.load(options, options.width, options.isa, talk)
    try:
        if options.format is not None:
            data = _one_file(unit, options.format)
            write_whole(target, data)
            talk.say(f"{target}: {len(data):,} bytes")
        else:
            _write_folder(unit, target, talk)
    except DisagreesError as error:
        terminal.say_error(f"sbn: error: {error}; nothing was written")
        return 1
    return 0


def _one_file(unit: Unit, form: str) -> bytes:
    from learned_units import exported

    if form == "stablehlo":
        return exported.step(unit)
    weights = {f"weights.{name}": array for name, array in exported.weights(unit).items()}
    return exported.npz(weights | exported.vectors(unit))


def _write_folder(unit: Unit, target: Path, talk: Talk) -> None:
    """The files are written beside the folder's place, and take it together."""
    from learned_units import exported

    files: Mapping[str, bytes] = exported.files(unit)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        for name, data in files.items():
            write_whole(unfinished / name, data)
        os.chmod(unfinished, 0o777 & ~_umask())
        if target.exists():
            target.rmdir()  # it is empty
        os.replace(unfinished, target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    for name, data in files.items():
        talk.say(f"{target / name}: {len(data):,} bytes")


def _umask() -> int:
    """The user's umask, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
