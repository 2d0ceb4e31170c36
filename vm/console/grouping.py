"""What --group asks for: how many bit positions one network serves."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from vm.console.usage import UsageError

WORD = "word"  # all positions there are: the paper's form
EIGHT = 8


def settle(options: argparse.Namespace, word_bits: int) -> None:
    """Let `--group word` be the number of bits in a word."""
    if options.group == WORD:
        options.group = word_bits


def form(options: argparse.Namespace, forms: Mapping[int | str, str], default: str | None) -> str | None:
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
