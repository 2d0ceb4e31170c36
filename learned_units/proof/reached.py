"""Which templates of a list match together in runs of its algorithm: what a trained network is judged on.

Exhaustive where the operands are few: then a network that is right on all of them computes its task exactly. The runs
follow the templates themselves ("an output is 1 where a matched template asserts it").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from learned_units.circuits.algorithm import Algorithm, Rewrite
from learned_units.circuits.state_templates import TemplateList

MOST_BITS = 16  # operand bits all of whose values are run
MOST_RUNS = 1 << 21  # operands times passes
SAMPLED_STATES = 1 << 17


class Reached(NamedTuple):
    """Distinct matches of a list, bool [states, templates without padding], and whether there are no others."""

    matched: np.ndarray
    every: bool


def reached(task: Algorithm, network: TemplateList, seed: int = 0) -> Reached:
    """The matches of `network` over all operands, or over some: half uniform, half with long runs of equal bits."""
    step = next(step for step in task.steps if isinstance(step, Rewrite) and network.name in step.networks)
    read = sorted({bit for template in network.templates for bit, _ in template.when})
    if step.times == 1 and len(read) <= MOST_BITS:
        # one pass over the operands themselves: bits no template looks at make no difference
        state = np.zeros((1 << len(read), sum(length for _, length in network.reads)), np.float32)
        places = {bit: place for place, bit in enumerate(_bits(network.reads))}
        state[:, [places[bit] for bit in read]] = _all_values(len(read))
        return Reached(_matches(network, state), True)
    lengths = [length for _, length in task.inputs]
    total = sum(lengths)
    every = total <= MOST_BITS and (1 << total) * step.times <= MOST_RUNS
    operands = _all_values(total) if every else _some_values(max(512, SAMPLED_STATES // step.times), lengths, seed)
    state = _start(task, network, operands)
    found = []
    labels = network.labels()
    for _ in range(step.times):
        matched = np.unique(_matches(network, state), axis=0)
        found.append(matched)
        if step.times > 1:
            padded = np.pad(matched.astype(np.float32), ((0, 0), (0, network.padding)))
            state = (padded @ labels > 0).astype(np.float32)
    return Reached(np.unique(np.concatenate(found), axis=0), every)


def _matches(network: TemplateList, state: np.ndarray) -> np.ndarray:
    weights, counts = network.conditions()
    return (state @ weights == counts)[:, : len(network.templates)]


def _bits(fields: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    return [(field, index) for field, length in fields for index in range(length)]


def _start(task: Algorithm, network: TemplateList, operands: np.ndarray) -> np.ndarray:
    places = {bit: place for place, bit in enumerate(_bits(network.reads))}
    state = np.zeros((len(operands), len(places)), np.float32)
    state[:, [places[bit] for bit in _bits(task.inputs)]] = operands
    state[:, [places[bit] for bit in task.ones]] = 1
    return state


def _all_values(bits: int) -> np.ndarray:
    return (np.arange(1 << bits)[:, None] >> np.arange(bits) & 1).astype(np.float32)


def _some_values(count: int, lengths: list[int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    columns = []
    for length in lengths:
        uniform = rng.integers(0, 2, (count, length))
        # runs: a bit differs from the one below it with a probability of its own in each operand
        change = rng.random((count, length)) < rng.random((count, 1)) ** 2
        runs = (np.cumsum(change, axis=1) + rng.integers(0, 2, (count, 1))) % 2
        columns.append(np.where(np.arange(count)[:, None] % 2 == 0, uniform, runs))
    return np.concatenate(columns, axis=1).astype(np.float32)
