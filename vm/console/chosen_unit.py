"""From --unit, --seed, --group and --weights to a unit."""

from __future__ import annotations

import argparse

from learned_units import catalog
from learned_units.unit import Unit
from vm.console import grouping
from vm.console.terminal import Talk
from vm.console.usage import stated_by_user


def load(options: argparse.Namespace, word_bits: int, isa: str, talk: Talk) -> Unit:
    """The unit the options ask for, trained if need be."""
    name = options.unit or catalog.DEFAULT_UNIT
    grouping.settle(options, word_bits)
    with stated_by_user():
        unit = catalog.load_unit(name, word_bits, isa, options.seed, talk.progress, options.group, options.weights)
    talk.clear()
    return unit
