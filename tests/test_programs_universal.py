"""A universal Turing machine: what stands on its tape does what it does by itself."""

import random
import re
from functools import cache

import pytest
from marks import slow

import programs
from assembler import assemble
from vm import Halt, Machine
from vm.reference import ReferenceMachine, Stop

# A small machine: for each state, from 1 on, what it does where it reads 0 and 1: what it writes, where the head goes,
# and the next state, which is 0 at the end.
Small = list[tuple[tuple[int, str, int], tuple[int, str, int]]]

BUSY_BEAVERS: list[tuple[Small, int, int]] = [  # with the steps they take, and the ones they write
    ([((1, "R", 2), (1, "L", 2)), ((1, "L", 1), (1, "R", 0))], 6, 4),
    ([((1, "R", 2), (1, "R", 0)), ((0, "R", 3), (1, "R", 2)), ((1, "L", 3), (1, "L", 1))], 14, 6),
]
DESCRIPTION = "*1Rii,1Lii:1Li,1R"  # the first of them


def written(tape: str, head: int) -> str:
    """A tape of 0 and 1 as it stands after the `#`."""
    return tape[:head] + "ab"[int(tape[head])] + tape[head + 1 :]


def described(small: Small, tape: str = "0", head: int = 0) -> str:
    """A small machine and its tape, as the universal one reads them."""
    blocks = (",".join(f"{write}{move}{'i' * then}" for write, move, then in entries) for entries in small)
    return f"*{':'.join(blocks)}#{written(tape, head)}"


def by_itself(small: Small, tape: str = "0", head: int = 0, most: int = 60) -> tuple[str, int] | None:
    """The tape a small machine leaves, and its steps; None where it takes more than `most`."""
    cells, state, steps = list(tape), 1, 0
    while state:
        if steps == most:
            return None
        write, move, state = small[state - 1][int(cells[head])]
        cells[head] = str(write)
        head += 1 if move == "R" else -1
        if head < 0:
            cells, head = ["0", *cells], 0
        elif head == len(cells):
            cells.append("0")
        steps += 1
    return written("".join(cells), head), steps


@cache
def rules() -> dict[tuple[str, str], tuple[str, str, str]]:
    lines = programs.guest("universal.tm").partition("\n\n")[0].splitlines()
    found = [line.split() for line in lines if not line.startswith(";")]
    table = {(state, read): (write, move, then) for state, read, write, move, then in found}
    assert len(table) == len(found), "no case has two rules"
    return table


def on_the_tape(tape: str) -> str:
    """What the universal machine makes of its tape."""
    cells, head, state = dict(enumerate(tape)), 0, next(iter(rules()))[0]
    while rule := rules().get((state, cells.get(head, "_"))):
        cells[head], move, state = rule
        head += 1 if move == "R" else -1
    return "".join(cells[place] for place in sorted(cells)).strip("_")


def run(tape: str) -> str:
    """What `turing` prints in the end, without the mark of the state, where the universal machine has this tape."""
    image = assemble(programs.source("turing"), "turing.sbn")
    rules = programs.guest("universal.tm").partition("\n\n")[0]
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, input=f"{rules}\n\n{tape}\n".encode())
    assert machine.run(5_000_000).stop is Stop.HALTED
    return re.sub(r"\[.\]", "", machine.output.decode().splitlines()[1]).strip("_")


@pytest.mark.parametrize(("small", "steps", "ones"), BUSY_BEAVERS)
def test_a_busy_beaver_on_the_tape_writes_as_many_ones(small: Small, steps: int, ones: int) -> None:
    left, tape = on_the_tape(described(small)).split("#")
    assert by_itself(small) == (tape, steps)
    assert sum(tape.count(symbol) for symbol in "1b") == ones
    # The description is as it was, but for the star of the last state and the mark of the last entry.
    assert left.translate(str.maketrans("*r", ":R")) == described(small).partition("#")[0].replace("*", ":")


def test_random_machines_on_the_tape_do_what_they_do_by_themselves() -> None:
    source, compared = random.Random(1), 0
    while compared < 150:
        states = source.randint(1, 4)
        small: Small = [
            (
                (source.randint(0, 1), source.choice("LR"), source.randint(0, states)),
                (source.randint(0, 1), source.choice("LR"), source.randint(0, states)),
            )
            for _ in range(states)
        ]
        tape = "".join(source.choices("01", k=source.randint(1, 4)))
        head = source.randrange(len(tape))
        expected = by_itself(small, tape, head)
        if expected is not None:
            assert on_the_tape(described(small, tape, head)).split("#")[1] == expected[0], (small, tape, head)
            compared += 1


def test_the_file_has_the_busy_beaver_on_its_tape_and_turing_runs_it() -> None:
    assert programs.guest("universal.tm").endswith(f"\n\n{DESCRIPTION}#a\n")
    assert described(BUSY_BEAVERS[0][0]) == f"{DESCRIPTION}#a"
    assert run(f"{DESCRIPTION}#a") == on_the_tape(f"{DESCRIPTION}#a")
    assert run(f"{DESCRIPTION}#a").endswith("#11b1")


@pytest.mark.parametrize(
    ("unit", "tape"), [("native", "*1R,0L#b1"), *slow(("ntk", "*1R,0L#b1"), ("ntk-limit", f"{DESCRIPTION}#a"))]
)
def test_the_universal_machine_agrees_with_the_reference_at_every_step(unit: str, tape: str) -> None:
    typed = f"{programs.guest('universal.tm').partition(chr(10) * 2)[0]}\n\n{tape}\n"
    machine = Machine(assemble(programs.source("turing"), "turing.sbn"), unit, input=typed.encode())
    outcome = machine.run()
    assert outcome.halt is Halt.HALTED, outcome.message
    assert outcome.divergence is None
    assert re.sub(r"\[.\]", "", machine.output.decode().splitlines()[1]).strip("_") == on_the_tape(tape)
