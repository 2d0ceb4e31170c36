"""`sbn reproduce`: the papers' tables and figures, measured here and now."""

from __future__ import annotations

import argparse
import difflib
import importlib
import textwrap
import time
from typing import TYPE_CHECKING

from learned_units.experiments import EXPERIMENTS
from learned_units.whole_file import write_whole
from vm.console import jax_setup, outputs, picture, terminal
from vm.console.launch import UsageError
from vm.console.terminal import Talk

if TYPE_CHECKING:
    from learned_units.experiments.table import Table


def run(options: argparse.Namespace) -> int:
    """Print an experiment's table, or the list of them. Files are written whole, once everything is measured."""
    if options.experiment is None:
        return _list(options)
    if options.experiment not in EXPERIMENTS:
        near = difflib.get_close_matches(options.experiment, EXPERIMENTS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise UsageError(f"no experiment '{options.experiment}'{hint} (experiments: {', '.join(EXPERIMENTS)})")
    plot: str | None = options.plot
    if plot is not None and not EXPERIMENTS[options.experiment].is_drawn:
        drawn = ", ".join(name for name, experiment in EXPERIMENTS.items() if experiment.is_drawn)
        raise UsageError(f"'{options.experiment}' is a table and has no figures; those that have: {drawn}")
    csv: str | None = options.csv
    target = picture.requested("--plot", plot, options)
    outputs.check({"--csv": csv, "--plot": plot}, {})
    talk = Talk(options.quiet)
    jax_setup.prepare()
    began = time.monotonic()
    table: Table = importlib.import_module(
        f"learned_units.experiments.{EXPERIMENTS[options.experiment].module}"
    ).measure(options.quick, talk.progress)
    talk.clear()
    if csv == outputs.STDOUT:
        terminal.write(table.as_csv())
    else:
        terminal.write(f"{table.title}\n\n")
        terminal.write_table(table.shown(), right=table.numeric())
        for note in table.notes:
            terminal.write("\n")
            terminal.prose(note)
    terminal.flush()
    if csv is not None and csv != outputs.STDOUT:
        write_whole(csv, table.as_csv().encode())
        talk.say(f"{len(table.rows)} rows written to {csv}")
    if target is not None:
        from vm.pictures import panels

        target.write(panels.figure(table.panels, target.size), talk)
    talk.say(f"measured in {time.monotonic() - began:.0f} s{' (--quick: smaller sizes)' if options.quick else ''}")
    return 0


def _list(options: argparse.Namespace) -> int:
    """What there is to reproduce, a sentence each."""
    if options.csv is not None or options.plot is not None:
        raise UsageError("name the experiment whose figures are to be written; `sbn reproduce` lists them")
    width = max(map(len, EXPERIMENTS), default=0) + 2
    for name, experiment in EXPERIMENTS.items():
        text = f"{name:<{width}}{experiment.sentence} ({experiment.duration})"
        terminal.write(textwrap.fill(text, terminal.PROSE_COLUMNS, subsequent_indent=" " * width) + "\n")
    return 0
