"""The bundled programs that draw and play, compared with what Python says."""

import functools
import random
import re

import pytest
from marks import slow

import programs
from assembler import Image, assemble
from vm import Halt, Machine
from vm.reference import ReferenceMachine, Stop


@functools.cache
def image_of(name: str) -> Image:
    return assemble(programs.source(name), name=f"{name}.sbn")


def run(name: str, typed: str, max_steps: int = 2_000_000) -> str:
    """What a program prints; it must halt."""
    image = image_of(name)
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, input=typed.encode())
    assert machine.run(max_steps).stop is Stop.HALTED
    return machine.output.decode()


# --- mandelbrot -------------------------------------------------------------------------------------------------------


def mandelbrot(columns: int, rounds: int) -> str:
    """The picture in the same fixed-point numbers."""
    one, rows = 4096, columns // 2
    wide = 5 * one // 2 // columns
    picture = ""
    for row in range(rows):
        for column in range(columns):
            cx, cy, x, y, count = -2 * one + column * wide, (2 * row + 1 - rows) * wide, 0, 0, 0
            while count < rounds and max(abs(x), abs(y)) <= 2 * one and (x * x >> 12) + (y * y >> 12) <= 4 * one:
                xx, yy, both = x * x >> 12, y * y >> 12, (x + y) ** 2 >> 12
                x, y, count = xx - yy + cx, both - xx - yy + cy, count + 1
            picture += "#" if count == rounds else ".,:;-=+*%@"[min(count, 10) - 1]
        picture += "\n"
    return picture


@pytest.mark.parametrize(("columns", "rounds"), [(2, 1), (3, 0), (30, 12), *slow((79, 40), (200, 3))])
def test_mandelbrot_draws_the_set(columns, rounds):
    assert run("mandelbrot", f"{columns} {rounds}", 20_000_000) == mandelbrot(columns, rounds)


def test_the_picture_is_that_of_real_numbers_but_for_a_few_points():
    shown = run("mandelbrot", "30 20").splitlines()
    wide, differing = 2.5 / 30, 0
    for row, line in enumerate(shown):
        for column, char in enumerate(line):
            c, z, count = complex(-2 + column * wide, (row - 7) * 2 * wide), 0j, 0
            while abs(z) <= 2 and count < 20:
                z, count = z * z + c, count + 1
            differing += (char == "#") != (count == 20)
    assert differing <= 4  # of 450, at the edge


# --- maze -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "rows", "choice"), [(1, 1, 0), (1, 9, 1), (9, 1, 2), (7, 4, 3), (12, 9, -4), (30, 2, 5)]
)
def test_every_place_of_a_maze_can_be_reached_in_one_way(columns, rows, choice):
    lines = run("maze", f"{columns} {rows} {choice}").splitlines()
    assert [len(line) for line in lines] == [2 * columns + 1] * (2 * rows + 1)
    free = {(y, x) for y, line in enumerate(lines) for x, char in enumerate(line) if char in " ."}
    places = {(2 * y + 1, 2 * x + 1) for y in range(rows) for x in range(columns)}
    assert places <= free and len(free) == 2 * len(places) - 1  # a tree: connected, as below, without a circle
    assert reached((1, 1), free) == free
    way = {(y, x) for y, x in free if lines[y][x] == "."}
    assert reached((1, 1), way) == way and (2 * rows - 1, 2 * columns - 1) in way
    ends = [cell for cell in way if len(reached(cell, way & around(cell) | {cell})) == 2]
    assert len(ends) == (0 if len(way) == 1 else 2)  # a line


def around(cell: tuple[int, int]) -> set[tuple[int, int]]:
    y, x = cell
    return {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)}


def reached(start: tuple[int, int], free: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The free cells that a walk from one of them comes to."""
    seen, edge = set(), {start}
    while edge:
        seen |= edge
        edge = {cell for each in edge for cell in around(each) if cell in free} - seen
    return seen


def test_mazes_differ_by_the_number_that_chooses_them():
    assert run("maze", "5 5 1") == run("maze", "5 5 1") != run("maze", "5 5 2")


# --- queens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "ways"), [(1, 1), (2, 0), (3, 0), (4, 2), (5, 10), (6, 4), (7, 40), *slow((8, 92))])
def test_queens_finds_all_ways(size, ways):
    *board, last = run("queens", str(size)).splitlines()
    assert last == f"{ways} ways"
    assert len(board) == (size if ways else 0)
    queens = [(row, line.index("Q")) for row, line in enumerate(board)]
    assert [line.count("Q") for line in board] == [1] * len(board)
    for values in ([x for _, x in queens], [y + x for y, x in queens], [y - x for y, x in queens]):
        assert len(set(values)) == len(values)


# --- turing -----------------------------------------------------------------------------------------------------------

Rules = dict[tuple[str, str], tuple[str, str, str]]


def turing(rules: Rules, start: str, tape: str, most: int) -> str | None:
    """What is shown at the end; None if the machine does not stop."""
    cells = dict(enumerate(tape))
    state, head, left, right = start, 0, 0, max(len(tape) - 1, 0)
    for steps in range(most):
        rule = rules.get((state, cells.get(head, "_")))
        if rule is None:
            shown = "".join(f"[{state}]" * (k == head) + cells.get(k, "_") for k in range(left, right + 1))
            return f"{shown}\n{steps} steps\n"
        cells[head], move, state = rule
        head += {"L": -1, "S": 0, "R": 1}[move]
        left, right = min(left, head), max(right, head)
    return None


def test_random_turing_machines_do_what_they_do_in_python():
    source, compared = random.Random(1), 0
    while compared < 25:
        cases = [(state, symbol) for state in "ABC" for symbol in "_01"]
        rules: Rules = {
            case: (source.choice("_01"), source.choice("LRRS"), source.choice("ABCH"))
            for case in source.sample(cases, source.randrange(4, 10))
        }
        tape = "".join(source.choices("_01", k=source.randrange(9)))
        text = "".join(f"{state} {read} {' '.join(rest)}\n" for (state, read), rest in rules.items())
        expected = turing(rules, text[0], tape, 300)
        if expected is not None and " 0 steps" not in expected:
            _, shown = run("turing", f"{text}\n{tape}\n").split("\n", 1)
            assert shown == expected, (text, tape)
            compared += 1


def test_the_busy_beaver_writes_thirteen_ones_in_107_steps():
    printed = run("turing", programs.guest("busy-beaver.tm"))
    assert printed.endswith("\n107 steps\n") and printed.count("1", 0, printed.index("107")) == 13


@pytest.mark.parametrize("text", ["", "a", "ab", "aa", "abba", "ababa", "abab", "baabaa"])
def test_a_turing_machine_knows_a_palindrome(text):
    rules = programs.guest("palindrome.tm").partition("\n\n")[0]
    printed = run("turing", f"{rules}\n\n{text}\n")
    assert ("y" in printed) == (text == text[::-1])


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("", "[?]_\n[?]_\n0 steps\n"),
        ("\n01", "[?]01\n[?]01\n0 steps\n"),
        ("A 0 1 R", "a rule is five characters, such as A 0 1 R B\n"),
        ("A 0 1 R\nB", "a rule is five characters, such as A 0 1 R B\n"),
        ("A 0 1 X B\n", "a rule is five characters, such as A 0 1 R B\n"),
        ("A 0 1 R B\n" * 201, "too many rules\n"),
        ("A _ _ L A\n", "[A]_\nthe tape is too short\n"),
        ("A _ _ R A\n", "[A]_\nthe tape is too short\n"),
        ("\n" + "0" * 1_000, "the tape is too short\n"),
    ],
)
def test_what_is_no_machine_is_refused(typed, printed):
    assert run("turing", typed) == printed


# --- snake ------------------------------------------------------------------------------------------------------------


def cells(frame: str, char: str) -> list[tuple[int, int]]:
    return [(y, x) for y, line in enumerate(frame.splitlines()) for x, found in enumerate(line) if found == char]


def test_a_snake_that_eats_gets_longer_and_dies_in_itself():
    keys, score = "", 0
    while score < 6:
        frame = run("snake", f"{keys}\n").split("#" * 18 + "\n" + "#" * 18)[-1]
        frame = frame[: frame.rindex("#\n") + 1]
        assert len(cells(frame, "o")) == score + 1
        [(food_y, food_x)], (y, x) = cells(frame, "*"), head(keys)
        keys += ("s" if food_y > y else "w") * abs(food_y - y) + ("d" if food_x > x else "a") * abs(food_x - x)
        score += 1
    assert run("snake", f"{keys}q").endswith("\n6 eaten\n")
    y, x = head(keys)
    turn = ("w" if keys[-1] in "ad" else "a", {"a": "d", "d": "a", "w": "s", "s": "w"}[keys[-1]])
    assert run("snake", f"{keys}{turn[1]}").endswith("ouch! 6 eaten\n")


def head(keys: str) -> tuple[int, int]:
    """Where the snake's head is after some keys."""
    moves = {"w": (-1, 0), "s": (1, 0), "a": (0, -1), "d": (0, 1)}
    return 4 + sum(moves[key][0] for key in keys), 9 + sum(moves[key][1] for key in keys)


@pytest.mark.parametrize(("keys", "score"), [("d" * 8, 0), ("w" * 4, 0), ("a" * 9, 0), ("s" * 3, 0), ("\n" * 8, 0)])
def test_a_snake_dies_at_the_walls(keys, score):
    assert re.search(r"\d", run("snake", keys[:-1]).split("ouch!")[-1])
    assert "ouch!" not in run("snake", keys[:-1]) and "ouch!" in run("snake", keys)


# --- on the units -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("mandelbrot", "0 1"),
        ("mandelbrot", "201 1"),
        ("maze", "0 5"),
        ("maze", "5 31"),
        ("queens", "0"),
        ("queens", "10"),
    ],
)
def test_sizes_that_are_too_small_or_too_large_are_refused(name, typed):
    assert run(name, typed).startswith("from ")


@pytest.mark.parametrize(
    ("unit", "name", "typed"),
    [
        ("native", "queens", "7"),
        *slow(
            ("ntk-limit", "queens", "8"),
            ("ntk-limit", "mandelbrot", "60 30"),
            ("ntk-limit", "maze", "30 20 1"),
            ("ntk-limit", "turing", programs.guest("palindrome.tm")),
            ("ntk-limit", "snake", "ddd\nss\n\naaaa\n"),
        ),
    ],
)
def test_a_long_run_agrees_with_the_reference_at_every_step(unit, name, typed):
    machine = Machine(image_of(name), unit, input=typed.encode())
    outcome = machine.run()
    assert outcome.halt is Halt.HALTED, outcome.message
    assert machine.output.decode() == run(name, typed, 20_000_000)
