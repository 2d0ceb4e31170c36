"""Rows spread over the devices of this process, each of which computes a part of them.

A block has the same size on every device and however many devices there are, so the same program runs for each row, and
what it computes does not depend on their number.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from learned_units import interrupts

ROWS, WHOLE = PartitionSpec("rows"), PartitionSpec()
AHEAD = 1  # turns computed while the host looks at the results of an earlier one


def spread(function: Callable, takes: tuple[PartitionSpec, ...], devices: Sequence[Any]) -> Callable:
    """`function` with its arguments split evenly over the devices where they are ROWS, repeated where they are WHOLE.

    Its results are ROWS. For use under jit.
    """
    return jax.shard_map(function, mesh=_mesh(devices), in_specs=takes, out_specs=ROWS, check_vma=False)


def place(tree: Any, split: PartitionSpec, devices: Sequence[Any]) -> Any:
    """A tree of arrays where `spread` wants it."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), split))


def block_size(rows: int, most: int) -> int:
    """Rows of a block where there are that many in all: a power of two up to `most`, so that few sizes are compiled."""
    return min(most, 1 << max(rows - 1, 0).bit_length())


def in_blocks(
    compute: Callable, params: Any, rows: np.ndarray, block: int, **static: Any
) -> Iterator[tuple[np.ndarray, Any]]:
    """compute(params, rows of a block, **static) for all rows in order: the rows of each block, and its results.

    rows: [rows, ...]. static: hashable. Each device computes one block at a time; results are numpy arrays [rows, ...],
    and what the last block is filled up with is left out of them. Raises KeyboardInterrupt between two blocks.
    """
    devices = tuple(jax.local_devices()[: max(1, -(-len(rows) // block))])
    run = _on_each(compute, tuple(static.items()), devices)
    params = place(params, WHOLE, devices)
    turn = block * len(devices)
    waiting: collections.deque[tuple[np.ndarray, Any]] = collections.deque()
    for start in range(0, len(rows), turn):
        interrupts.check()
        given = rows[start : start + turn]
        filled = np.pad(given, ((0, turn - len(given)), *((0, 0) for _ in given.shape[1:])), mode="edge")
        waiting.append((given, run(params, filled)))
        if len(waiting) > AHEAD:
            yield from _cut(*waiting.popleft(), block)
    for given, results in waiting:
        yield from _cut(given, results, block)


def _cut(rows: np.ndarray, results: Any, block: int) -> Iterator[tuple[np.ndarray, Any]]:
    """The blocks of one turn."""
    results = jax.tree.map(np.asarray, results)
    for start in range(0, len(rows), block):
        part = slice(start, min(start + block, len(rows)))
        yield rows[part], jax.tree.map(lambda each, part=part: each[part], results)


@functools.cache
def _on_each(compute: Callable, static: tuple[tuple[str, Any], ...], devices: tuple[Any, ...]) -> Callable:
    return jax.jit(spread(functools.partial(compute, **dict(static)), (WHOLE, ROWS), devices))


@functools.cache
def _mesh(devices: tuple[Any, ...]) -> Mesh:
    return Mesh(np.array(devices), ("rows",))
