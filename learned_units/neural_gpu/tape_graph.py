"""The exact answers as one finite graph: the tapes of a task, of every length, are its walks.

A place is a position of some tape with what the positions to its left say of it: the carry or borrow that comes in and,
where the task asks for it, whether every lower bit of the result is 0. That decides its answer, and which places can
follow. A walk from BEFORE to AFTER is a tape, and no tape is missing: this is long addition or subtraction, one
position after the other, whatever the number of positions.
"""

from __future__ import annotations

from typing import NamedTuple

from learned_units.neural_gpu import tape
from learned_units.neural_gpu.tape import Task

OUTSIDE = -1  # stands for the symbol of what is left and right of a tape, where the state is 0


class Place(NamedTuple):
    """A position of some tape. The answer at an end is known at the place before it, and is handed on."""

    symbol: int  # of the tape, or OUTSIDE
    incoming: int  # the carry or borrow into it, 0 or 1
    lower_zero: int  # 1 if all bits of the result to its left are 0 and the task asks for it, else 0
    taken: int  # at an end: whether the branch is taken; else 0
    answer: int  # 0 or 1; outside 0


BEFORE = Place(OUTSIDE, 0, 1, 0, 0)  # everything to the left of a tape
AFTER = Place(OUTSIDE, 0, 0, 0, 0)  # everything to the right of it


class Graph(NamedTuple):
    """All places of a task's tapes, BEFORE and AFTER among them, and which can stand to the right of each."""

    places: tuple[Place, ...]
    right_of: tuple[tuple[int, ...], ...]  # indices of places, one tuple for each place


def graph(task: Task) -> Graph:
    """The tapes of a task with operands of one bit or more."""
    found = {BEFORE: 0, AFTER: 1}
    right_of: dict[Place, list[Place]] = {}
    todo = [BEFORE, AFTER]
    while todo:
        place = todo.pop()
        right_of[place] = _right_of(task, place)
        for each in right_of[place]:
            if each not in found:
                found[each] = len(found)
                todo.append(each)
    return Graph(tuple(found), tuple(tuple(found[each] for each in right_of[place]) for place in found))


def _right_of(task: Task, place: Place) -> list[Place]:
    if place == AFTER:
        return [AFTER]
    if place == BEFORE:
        return [BEFORE, *_digits(task, 0, 1)]
    if place.symbol < tape.FIRST_END:
        first, second = divmod(place.symbol - tape.FIRST_DIGIT, 2)
        total = first + second + place.incoming if task.adds else first - second - place.incoming
        outgoing = int(total > 1 or total < 0)
        all_zero = int(place.lower_zero and not place.answer)
        taken = int(not task.adds and (place.answer == 1 or (task.zero_taken and all_zero == 1)))
        answer = taken if task.ends[0] == "taken" else outgoing
        return [*_digits(task, outgoing, all_zero), Place(tape.FIRST_END, 0, 0, taken, answer)]
    if place.symbol == tape.FIRST_END + len(task.ends) - 1:
        return [AFTER]
    return [Place(place.symbol + 1, 0, 0, place.taken, place.taken)]


def _digits(task: Task, incoming: int, lower_zero: int) -> list[Place]:
    """The four pairs of bits. The lowest bit of sum and difference is the same."""
    asked = lower_zero if task.zero_taken else 0
    return [
        Place(tape.FIRST_DIGIT + 2 * a + b, incoming, asked, 0, (a + b + incoming) % 2) for a in (0, 1) for b in (0, 1)
    ]
