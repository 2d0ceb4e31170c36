"""From --unit, --seed, --group and --weights to a unit."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from learned_units import catalog
from vm.console.launch import UsageError, stated_by_user
from vm.console.terminal import Talk

if TYPE_CHECKING:
    from learned_units.unit import Unit

WORD = "word"  # all positions there are: the paper's form
EIGHT = 8


def settle_group(options: argparse.Namespace, word_bits: int) -> None:
    """Let `--group word` be the number of bits in a word."""
    if options.group == WORD:
        options.group = word_bits


def form_of_group(options: argparse.Namespace, forms: Mapping[int | str, str], default: str | None) -> str | None:
    """The form that --group asks for, where there are two of them: for EIGHT positions, and for WORD.

    Raises UsageError for another number.
    """
    if options.group is None:
        return default
    if options.group not in forms:
        raise UsageError(
            f"--group is {options.group}; here it is {EIGHT}, or `{WORD}` for one network that rewrites the whole state"
        )
    return forms[options.group]


def check(options: argparse.Namespace, word_bits: int, isa: str) -> None:
    """Refuse options that name no unit, before anything is loaded. Raises UsageError."""
    settle_group(options, word_bits)
    with stated_by_user():
        name = options.unit or catalog.DEFAULT_UNIT
        catalog.check(name, word_bits, isa, options.seed, options.group, options.weights)


def load(options: argparse.Namespace, word_bits: int, isa: str, talk: Talk) -> Unit:
    """The unit the options ask for, trained if need be."""
    name = options.unit or catalog.DEFAULT_UNIT
    settle_group(options, word_bits)
    with stated_by_user():
        unit = catalog.load_unit(
            name,
            word_bits,
            isa,
            seed=options.seed,
            progress=talk.progress,
            group=options.group,
            weights=options.weights,
        )
    talk.clear()
    return unit
