"""The papers' tables and figures, measured again: one file for each, run by `sbn reproduce NAME`.

To add one: write `learned_units/experiments/NAME.py` with a function

    def measure(quick: bool, progress: Progress) -> Table

and a line in EXPERIMENTS below. `quick` asks for the same measurement at a size that takes seconds, which is what the
tests run. `progress(what, part done 0..1)` is called often: what it raises, Ctrl-C included, must leave nothing behind.
What is printed, written as CSV and drawn comes from the Table alone (`learned_units/experiments/table.py`), whose
figures are all computed in the call; a figure quoted from a paper stands in a column that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Experiment(NamedTuple):
    """What `sbn reproduce` lists. `module` is imported only when the experiment is run."""

    module: str  # in this package
    sentence: str  # what is measured
    duration: str  # on one core
    is_drawn: bool = True  # whether it has figures


EXPERIMENTS: Mapping[str, Experiment] = {
    "permutations": Experiment(
        "permutations",
        "networks needed to permute 2 to 30 bits, by formula and by training, beside the paper's, and how they grow",
        "5 min",
    ),
    "moments": Experiment(
        "moments", "mean and variance of a prediction, closed form against trained networks of 1k to 32k units", "2 min"
    ),
    "networks": Experiment(
        "networks", "networks needed for addition, multiplication and SBN, by bound and by readout", "1 s"
    ),
    "paper": Experiment(
        "paper",
        "SBN in the paper's own setting: how many trained networks suffice, beside the bounds",
        "2 min",
        is_drawn=False,
    ),
    "summands": Experiment(
        "summands",
        "all summands of up to 10 bits added by the paper's design, and how many come out wrong",
        "half a minute",
    ),
    "products": Experiment(
        "products",
        "all factors of up to 10 bits multiplied by the paper's design, and how many products come out wrong",
        "5 min",
    ),
    "modular": Experiment(
        "modular",
        "which modular polynomials are learned from half of their table, and the weights' spectra",
        "2 min",
    ),
    "modular-seeds": Experiment(
        "modular_seeds",
        "the same polynomials modulo 23 and 97 from five seeds each, where other rows say when to stop",
        "12 min",
    ),
    "modular-sums": Experiment(
        "modular_sums",
        "networks trained on sums of two to four terms, and how like the analytic weights they become",
        "5 min",
    ),
    "modular-width": Experiment(
        "modular_width", "how wide analytic and grokked experts must be to be right on every input", "2 min"
    ),
    "training-sets": Experiment(
        "training_sets", "number of training examples against number of inputs to be right on", "1 s"
    ),
    "widths": Experiment("widths", "width of a network against its error, for each initialisation", "1 min"),
    "groups": Experiment(
        "groups",
        "bit positions a network serves: examples, inputs, width it takes, and whether it is proved",
        "1-2 min",
    ),
    "controls": Experiment(
        "controls",
        "the trained units' networks on every input, with activation or weights replaced: how much is linear",
        "4 min",
        is_drawn=False,
    ),
    "controls-bits": Experiment(
        "controls_bits",
        "the networks of ntk-bits on every input, altered likewise, and what a linear map could do",
        "10 s",
        is_drawn=False,
    ),
    "precision": Experiment(
        "precision",
        "the default unit's networks on every input, with rounded, noisy and missing weights",
        "3 min",
        is_drawn=False,
    ),
    "xor": Experiment("xor", "width against margin for a task that no linear map can do", "2 min"),
    "neural-gpu": Experiment(
        "neural_gpu", "the Neural GPU's error rate by length, 20 to 2,000 bits, and its original encoding", "20 min"
    ),
    "neural-gpu-tasks": Experiment(
        "neural_gpu_tasks",
        "copy, reverse, duplicate, sort, count and add: the Neural GPU's error rate by length, beside a plain network",
        "10 min",
    ),
    "neural-gpu-ablation": Experiment(
        "neural_gpu_ablation",
        "aligned subtraction to 2,000 bits, with and without each ingredient of the training",
        "12 min",
    ),
    "neural-gpu-multiplication": Experiment(
        "neural_gpu_multiplication",
        "multiplication learned end to end by a Neural GPU: error rate by length, from 4 to 401 bits",
        "18 min",
    ),
    "neural-gpu-string": Experiment(
        "neural_gpu_string",
        'multiplication of the single string "a*b" by the Neural GPU: error rate by length, to 10 bits',
        "4 min",
    ),
}
