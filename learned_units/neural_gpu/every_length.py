"""A one-sided network proved right on operands of every length at once, by a finite closed set.

A cell of the proof is the state of one position, the place that it is on its tape (`tape_graph.py`), and whether it is
reached: after SETTLING + t steps the first t positions of a tape are. A window is two neighbouring cells. The set holds
the windows of all tapes at the step from which positions are reached, and grows until it is closed: for two windows
that can overlap in three neighbouring cells, the last two cells after one step are a window of the set again. By
induction every window of every tape, at every later step, is in it. After SETTLING + n steps all n positions of a tape
are reached, and that is when it is read: so it suffices that each reached cell of the set answers right.

The states are two-valued, so they are exact in any arithmetic as long as no number that a sign is taken of is nearer to
0 than rounding can move it (`rounding_bound`), or is 0 in any arithmetic. The argument in full: docs/neural_gpu.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from learned_units.neural_gpu import one_sided, tape_graph
from learned_units.neural_gpu.one_sided import OneSided
from learned_units.neural_gpu.tape import Task
from learned_units.neural_gpu.tape_graph import AFTER, BEFORE, Place
from learned_units.store import Progress

MOST_WINDOWS = 20_000  # a set that grows beyond is given up
FLOAT32_UNIT = 2.0**-24  # the largest relative error of one rounding


class NotProvedError(Exception):
    """The set is not closed, a reached cell answers wrongly, or a number is too near to 0. The message says which."""


class Closed(NamedTuple):
    """A closed set in which every reached cell answers right."""

    windows: int
    cells: int
    states: int  # of a position on a tape
    pairs: int  # of states of a position and of its left neighbour: all that the network is ever given
    steps: int  # after which nothing was added
    smallest_number: float  # whose sign is taken, by its size
    rounding: float  # at most what float32 makes such a number differ by
    smallest_margin: float  # |p1 - p0| of a reached cell


class Cell(NamedTuple):
    """One position of some tape at some step."""

    state: int  # bit k is 1 where map k is 1
    place: int  # index into the places of the graph
    reached: bool


class Table(NamedTuple):
    """The network on all states: what it does to a position, from its own state and that to its left."""

    before_sign: np.ndarray  # float64 [2^m + 1, 2^m, m]: left, own, map; the last left is what is outside
    always_zero: np.ndarray  # bool, of that shape: 0 in any arithmetic, since a gate that is 1 lets a 0 through
    next_state: np.ndarray  # int [2^m + 1, 2^m]
    logits: np.ndarray  # float64 [2^m]
    embedding: np.ndarray  # int [symbols]: the first state at each symbol

    @property
    def outside(self) -> int:
        """The state that stands for what is left of a tape, where all maps are 0."""
        return self.next_state.shape[1]


Window = tuple[Cell, Cell]


class Closure(NamedTuple):
    """All windows of all tapes at all steps, and more."""

    earlier: set[Window]  # before step SETTLING
    windows: set[Window]  # from then on: closed
    steps: int  # after which nothing was added

    def pairs(self) -> set[tuple[int, int]]:
        """The states of a position and of its left neighbour: all that the network is ever given."""
        return {(left.state, own.state) for left, own in self.earlier | self.windows}


def tabulate(network: OneSided) -> Table:
    """The network's weights, evaluated in float64 on every pair of states."""
    wide = _wide(network)
    maps = wide.embedding.shape[1]
    every = (np.arange(1 << maps)[:, None] >> np.arange(maps) & 1) * 2.0 - 1
    left = np.concatenate([every, np.zeros((1, maps))])
    number, gate, shifted = _before_sign(wide, left[:, None], every[None])
    codes = 1 << np.arange(maps)
    return Table(
        number,
        (shifted == 0) & (gate >= 1 + 2 * rounding_bound(network)),
        (number >= 0) @ codes,
        every @ wide.readout_kernel + wide.readout_bias[0],
        (wide.embedding >= 0) @ codes,
    )


def prove(network: OneSided, task: Task, progress: Progress) -> Closed:
    """What the closed set of a network shows. Raises NotProvedError where there is none, or it is not enough."""
    table, places = tabulate(network), tape_graph.graph(task).places
    return _judged(close(table, task, progress), table, places, rounding_bound(network))


def close(table: Table, task: Task, progress: Progress) -> Closure:
    """The closed set. Raises NotProvedError where it grows too large or a reached cell of it answers wrongly."""
    graph = tape_graph.graph(task)
    outside = Cell(table.outside, graph.places.index(BEFORE), True)
    earlier, windows = _settling(table, graph)
    steps = 0
    while added := _after(windows, outside, table) - windows:
        windows |= added
        steps += 1
        progress(f"closing the set of '{task.name}': {len(windows):,} windows after {steps} steps", 0.5)
        _check_answers((own for _, own in added), table, graph.places)
        if len(windows) > MOST_WINDOWS:
            raise NotProvedError(f"the set has {len(windows):,} windows after {steps} steps and is not closed")
    return Closure(earlier, windows, steps)


def rounding_bound(network: OneSided) -> float:
    """At most what float32, in any order of summation, makes a number whose sign is taken, or a margin, differ by.

    With u = 2^-24, m maps and A the largest sum of sizes of the weights of one output: a sum z is off by
    e = (2 m + 3) u A at most, a gate by e/2 + u, the product r z_c by e + A (e/2 + u) + u A, and a mixture of numbers
    in -1..1 by that, twice a gate's error and 8 u. Derived in docs/neural_gpu.md.
    """
    maps = network.embedding.shape[1]
    wide = _wide(network)
    of_step = np.abs(np.concatenate([wide.left, wide.own, wide.bias[None]])).sum(0).max()
    of_readout = np.abs(wide.readout_kernel).sum() + np.abs(wide.readout_bias).sum()
    largest = float(max(of_step, of_readout))
    summed = (2 * maps + 3) * FLOAT32_UNIT * largest
    gate = summed / 2 + FLOAT32_UNIT
    return summed + largest * (gate + FLOAT32_UNIT) + 2 * gate + 8 * FLOAT32_UNIT


def _wide(network: OneSided) -> Any:
    """A OneSided of the same weights as numpy arrays, float64."""
    return OneSided(*(np.asarray(each, np.float64) for each in network))  # pyright: ignore[reportArgumentType]


def _before_sign(network: Any, left: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`one_sided.before_sign` in float64; and the update gate's sum, and what the gate lets through: [..., m] each."""
    maps = own.shape[-1]
    left, own = np.broadcast_arrays(left, own)
    summed = left @ network.left + own @ network.own
    gates = summed[..., : 2 * maps] + network.bias[: 2 * maps]
    opened = np.clip(gates * 0.5 + 0.5, 0, 1)
    reset, update = opened[..., :maps], opened[..., maps:]
    squashed = np.clip(reset * summed[..., 2 * maps :] + network.bias[2 * maps :], -1, 1)
    stay = maps - maps // 2
    shifted = np.concatenate([own[..., :stay], left[..., stay:]], -1)
    return squashed + update * (shifted - squashed), gates[..., maps:], shifted


def _settling(table: Table, graph: tape_graph.Graph) -> tuple[set[Window], set[Window]]:
    """All windows of all tapes before step SETTLING, and those at it. Only what is outside is reached then."""
    places, outside = graph.places, Cell(table.outside, graph.places.index(BEFORE), False)

    def first(place: int) -> Cell:
        return outside if places[place] == BEFORE else Cell(int(table.embedding[places[place].symbol]), place, False)

    on_tape = [k for k, place in enumerate(places) if place not in (BEFORE, AFTER)]
    windows = {
        (first(left), first(own))
        for left in (outside.place, *on_tape)
        for own in graph.right_of[left]
        if own in on_tape
    }
    earlier: set[Window] = set()
    for _ in range(one_sided.SETTLING):
        earlier |= windows
        windows = _after(windows, outside, table)
    return earlier, {(outside._replace(reached=True) if left == outside else left, own) for left, own in windows}


def _after(windows: set[Window], outside: Cell, table: Table) -> set[Window]:
    """What windows that overlap give after one step."""
    lefts: dict[Cell, set[Cell]] = {outside: {outside}}
    for left, own in windows:
        lefts.setdefault(own, set()).add(left)

    def moved(left: Cell, own: Cell) -> Cell:
        return own if own == outside else Cell(int(table.next_state[left.state, own.state]), own.place, left.reached)

    befores = {left: {moved(far, left) for far in lefts.get(left, ())} for left, _ in windows}
    return {(before, moved(left, own)) for left, own in windows for before in befores[left]}


def _judged(found: Closure, table: Table, places: tuple[Place, ...], rounding: float) -> Closed:
    """What a closed set shows. Raises NotProvedError where that is not enough."""
    pairs, cells = found.pairs(), {own for _, own in found.windows}
    smallest_number = min(float(np.abs(table.before_sign[pair])[~table.always_zero[pair]].min()) for pair in pairs)
    if not smallest_number > 2 * rounding:
        raise NotProvedError(f"a number whose sign is taken is {smallest_number:.1e}, and rounding is {rounding:.1e}")
    _check_answers(cells, table, places)
    smallest_margin = min(float(np.tanh(abs(table.logits[cell.state]) / 2)) for cell in cells if cell.reached)
    if not smallest_margin > 2 * rounding:
        raise NotProvedError(f"the smallest margin is {smallest_margin:.1e}, and rounding is {rounding:.1e}")
    states = len({cell.state for cell in cells})
    return Closed(
        len(found.windows), len(cells), states, len(pairs), found.steps, smallest_number, rounding, smallest_margin
    )


def _check_answers(cells: Iterable[Cell], table: Table, places: tuple[Place, ...]) -> None:
    """Raise NotProvedError for a reached cell that answers wrongly."""
    for cell in cells:
        answer = int(table.logits[cell.state] > 0)
        if cell.reached and answer != places[cell.place].answer:
            raise NotProvedError(f"where {places[cell.place]} is reached the answer is {answer}")
