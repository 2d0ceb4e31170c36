"""The Lisp among the bundled programs: what it answers, whether its memory lasts, and the evaluator written in it."""

import functools
import random
import re

import pytest
from marks import slow

import programs
from assembler import Image, assemble
from vm import Halt, Machine
from vm.reference import ReferenceMachine, Stop

FEW = 260  # cells with which all of them are soon used up


@functools.cache
def image(cells: int = 4_000, reserve: int = 200) -> Image:
    source = programs.source("lisp")
    for old, new in (("CELLS, 4_000\n", f"CELLS, {cells}\n"), ("RESERVE, 200 ", f"RESERVE, {reserve} ")):
        assert old in source
        source = source.replace(old, new)
    return assemble(source, name="lisp.sbn")


def run(typed: str | bytes, max_steps: int = 2_000_000, image: Image | None = None) -> str:
    """What Lisp prints up to the last prompt; it must halt."""
    given, lisp = typed if isinstance(typed, bytes) else typed.encode(), image or globals()["image"]()
    machine = ReferenceMachine(lisp.words, 16, lisp.isa, lisp.entry, input=given)
    assert machine.run(max_steps).stop is Stop.HALTED
    printed = machine.output.decode("latin-1")
    assert printed.endswith("> \n")
    return printed.removesuffix("> \n")


TRANSCRIPT = r"""
1 -2 007 -0 32767 32768 65536 -32769
=> 1 | -2 | 7 | 0 | 32767 | -32768 | 0 | 32767
() nil #f t #t else '#t 'else
=> () | () | () | t | t | t | #t | else
'x''x '(a 'b) '() '(()) '( . (1))
=> x | (quote x) | (a (quote b)) | () | (()) | (1)
'X 'x (eq? 'X 'x)
=> X | x | ()
car if (lambda (x) x)
=> #<function> | #<form> | #<lambda>
)1
=> error: there is a ) too many | 1
'(1 . 2 3)
=> error: a ) is missing after a . and a value | 3 | error: there is a ) too many
(cons 1 2) (cons 1 '(2)) (car '(1 2)) (cdr '(1 2)) (list) (list 1 'a)
=> (1 . 2) | (1 2) | 1 | (2) | () | (1 a)
(null? nil) (null? 0) (pair? '(1)) (pair? nil) (pair? 1) (atom? 'a) (atom? '(1))
=> t | () | t | () | () | t | ()
(number? 1) (number? 'a) (number? car) (symbol? 'a) (symbol? 1) (symbol? nil)
=> t | () | () | t | () | ()
(eq? 'a 'a) (eq? 7 7) (eq? 7 8) (eq? '(1) '(1)) (eq? nil ()) (not 1) (not nil)
=> t | t | () | () | t | () | t
(+ 1) (+ 1 2 3) (- 5) (- 5 1 1) (* 2 3 4) (+ 32767 1) (* 300 300)
=> 1 | 6 | -5 | 3 | 24 | -32768 | 24464
(quotient 7 -2) (remainder -7 2) (abs -7) (abs 7)
=> -3 | -1 | 7 | 7
(= 1 1) (< -32768 32767) (<= 2 1) (> 2 1) (>= 1 1) (< 1 1)
=> t | t | () | t | t | ()
(if 1 2 3) (if nil 2 3) (if nil 2) (if 0 'yes)
=> 2 | 3 | () | yes
(cond) (cond (nil 1)) (cond (nil 1) (2)) (cond (1 2 3) (foo)) (cond (else 4))
=> () | () | 2 | 3 | 4
(and) (and 1 2) (and 1 nil (foo)) (or) (or nil 2 (foo)) (or nil nil)
=> t | 2 | () | () | 2 | ()
(begin) (begin 1 2) (let () 5) (let ((x 1) (y 2)) y (+ x y))
=> () | 2 | 5 | 3
(define x 1) (let ((x 2) (y x)) (list x y)) x
=> x | (2 1) | 1
((lambda (x . y) (list x y)) 1 2 3) ((lambda x x) 1 2) ((lambda x x)) ((lambda () 5))
=> (1 (2 3)) | (1 2) | () | 5
(define (f n) (if (= n 0) 1 (* n (f (- n 1)))))
(f 10) (map f '(1 2 3 4))
=> f | 24320 | (1 2 6 24)
(define (adder n) (lambda (x) (+ x n))) (define g (adder 5)) (define n 9) (g 1) ((adder -1) 1)
=> adder | g | n | 6 | 0
(define (new) (let ((n 0)) (lambda () (set! n (+ n 1))))) (define c (new)) (define d (new)) (c) (c) (d)
=> new | c | d | 1 | 2 | 1
(define (o x) (define y (* x 2)) (define (g z) (+ y z)) (g 1)) (o 5) y
=> o | 11 | error: there is no such name: y
(define (o) (define y 2) (+ y 1)) (o) y
=> o | 3 | error: there is no such name: y
(define x 1) (define (p) x) (set! x 2) (p)
=> x | p | 2 | 2
(define (even n) (or (= n 0) (odd (- n 1)))) (define (odd n) (and (> n 0) (even (- n 1)))) (even 20)
=> even | odd | t
(define if 5) if ((lambda (car) (car 1)) -)
=> if | 5 | -1
(apply + '(1 2 3)) (apply car '((1))) (apply f nil) (apply (lambda (a b) (- a b)) '(5 3))
=> 6 | 1 | error: there is no such name: f | 2
(define l '(1 2)) (apply (lambda (a b) a) l) l (apply list l) (map list '(1 2))
=> l | 1 | (1 2) | (1 2) | ((1) (2))
(map - '(1 2)) (map (lambda (x) (map (lambda (y) (* x y)) '(1 2))) '(3 4))
=> (-1 -2) | ((3 6) (4 8))
(eval '(+ 1 2)) (eval (list 'car ''(7 8)))
=> 3 | 7
foo (foo) (5 1) (nil) ((quote x))
=> error: there is no such name: foo | error: there is no such name: foo | error: not a function: 5 | error: not
   a function: () | error: not a function: x
(car 1) (cdr nil) (+ 'a 1) (< 1 nil) (abs '(1))
=> error: not a pair: 1 | error: not a pair: () | error: not a number: a | error: not a number: () | error: not a
   number: (1)
(car) (cons 1) (+) (if) (quote) ((lambda (x) x))
=> error: too few arguments: #<function> | error: too few arguments: #<function> | error: too few arguments:
   #<function> | error: too few arguments: #<form> | error: too few arguments: #<form> | error: too few
   arguments: #<lambda>
(car 1 2) (cons 1 2 3) ((lambda (x) x) 1 2) ((lambda () 1) 2)
=> error: too many arguments: #<function> | error: too many arguments: #<function> | error: too many arguments:
   #<lambda> | error: too many arguments: #<lambda>
(car . 1) (+ 1 . 2) (if . 3)
=> error: too few arguments: #<function> | error: too few arguments: #<function> | error: too few arguments:
   #<form>
(quotient 1 0) (remainder 1 (- 1 1))
=> error: division by zero | error: division by zero
(let x 5) (let ((x)) 5) (let (x) 5)
=> error: let takes a list of names and values | error: let takes a list of names and values | error: let takes a
   list of names and values
(quit) exit (help me) (define (quit) 5) (quit)
=> error: (bye) ends Lisp; there is no such name: quit | error: (bye) ends Lisp; there is no such name: exit | error:
   (bye) ends Lisp; there is no such name: help | quit | 5
(define 5 6) (set! 5 6) (set! zz 1) (cond 5)
=> error: not a symbol: 5 | error: not a symbol: 5 | error: there is no such name: zz | error: not a pair: 5
(+ 1 (car (cdr '(1)))) 1
=> error: not a pair: () | 1
(apply if '(1 2)) (map quote '(1))
=> error: not a function: #<form> | error: not a function: #<form>
"""
ANSWERS = [
    (typed, [value.strip() for value in " ".join(values.split()).split(" | ")])
    for typed, values in re.findall(r"(.*?)\n=> ([^\n]*\n(?:   [^\n]*\n)*)", TRANSCRIPT, re.DOTALL)
]
WRITTEN_OTHERWISE = [
    ("", []),
    ("; nothing\n ;", []),
    ("'(1 (2 3)\n\t(4 . 5) . 6);x", ["(1 (2 3) (4 . 5) . 6)"]),
    ("'a-b? '- '+1 '12x '-x 'é'.", ["a-b?", "-", "+1", "12x", "-x", "Ã©", "."]),
    (
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx"],
    ),
    ("(print '(a)) (begin (display 1) (display 'b) 2) (begin (newline) 3)", ["(a)\n(a)", "1b\n2", "\n3"]),
]


@pytest.mark.parametrize(("typed", "values"), ANSWERS + WRITTEN_OTHERWISE)
def test_each_expression_is_answered(typed, values):
    assert run(typed) == "".join(f"> {value}\n" for value in values)


def test_it_ends_where_the_input_ends_or_with_bye():
    printed = b"> 1\n> \n"
    for typed in (b"1", b"1 (", b"1 ; 2", b"1 (bye) 2", b"1 (list 2 (bye))"):
        machine = ReferenceMachine(image().words, 16, image().isa, image().entry, input=typed)
        assert machine.run(100_000).stop is Stop.HALTED
        assert machine.output == printed


DEEP = "(define (deep n) (if (= n 0) 0 (+ 1 (deep (- n 1)))))"


def test_recursion_is_deep_and_too_deep_a_one_is_an_error():
    assert run(f"{DEEP}(deep 400)(deep -1)(deep 9)", 4_000_000) == "> deep\n> 400\n> error: too deep: (- n 1)\n> 9\n"


def test_lists_may_be_nested_deeply_and_too_deep_a_one_is_an_error():
    assert run("'" + "(" * 300 + ")" * 300) == "> " + "(" * 300 + ")" * 300 + "\n"
    assert run("'" + "(" * 9_000 + "\n(+ 1 2)", 9_000_000) == "> error: too deep\n> 3\n"


def test_a_loop_by_recursion_runs_for_as_long_as_it_likes():
    """It needs no stack, and of the memory only a little at a time."""
    loop = "(define (loop n) (cond ((= n 0) 'done) (else (and t (begin 1 (let ((m (- n 1))) (loop m)))))))"
    assert run(f"{loop}(loop 300)", image=image(FEW, 20)) == "> loop\n> done\n"


def test_what_is_needed_outlives_what_is_not():
    """The garbage of a run is many times the memory, and every list that is still in use keeps its elements."""
    typed = """
    (define (count n) (if (= n 0) nil (cons n (count (- n 1)))))
    (define kept (count 5))
    (define (add) (let ((n kept)) (lambda () (apply + n))))
    (define sum (add))
    (define (churn n) (if (= n 0) (sum) (begin (count 8) (set! kept (map (lambda (x) (+ x 1)) kept)) (churn (- n 1)))))
    (churn 40)
    kept
    """
    printed = run(typed, image=image(FEW, 20))
    assert printed.splitlines()[-2:] == ["> 15", "> (45 44 43 42 41)"]


def test_full_memory_is_an_error_and_can_be_emptied():
    fill = "(define keep nil)(define (fill) (begin (set! keep (cons 1 keep)) (fill)))(fill)"
    typed = f"{fill}(car keep)(set! keep nil)(list 1 2)"
    answers = run(typed, 9_000_000, image(FEW, 20)).splitlines()
    assert answers[2:] == ["> error: out of memory", "> 1", "> ()", "> (1 2)"]


def test_names_may_be_as_many_as_there_is_room_for():
    names = [f"{letter}{n}" for n in range(11) for letter in "ghjkuvwxyzABCDEFGHIJKLMNO"]
    printed = run(" ".join(f"'{name}" for name in names) + " 1 (car '(g0))", 9_000_000).splitlines()
    assert printed[:200] == [f"> {name}" for name in names[:200]]
    assert "> error: too many names" in printed and printed[-2:] == ["> 1", "> g0"]
    assert run("'" + "x" * 31).startswith("> error: the name is too long")


def number(source: random.Random, depth: int) -> tuple[str, int]:
    """A random expression for a number, and its value."""
    if depth == 0 or source.random() < 0.2:
        value = source.choice([0, 1, 2, 3, 7, 181, 999, 32767, -1, -5])
        return str(value), value
    parts = [number(source, depth - 1) for _ in range(source.randrange(1, 4))]
    operator = source.choice("+-*")
    value = parts[0][1]
    for _, next in parts[1:]:
        value = {"+": value + next, "-": value - next, "*": value * next}[operator]
    if operator == "-" and len(parts) == 1:
        value = -value
    return f"({operator} {' '.join(text for text, _ in parts)})", (value + 32768) % 65536 - 32768


def test_random_sums_have_the_values_they_have_in_python():
    source = random.Random(1)
    some = [number(source, 3) for _ in range(30)]
    assert run("\n".join(text for text, _ in some)) == "".join(f"> {value}\n" for _, value in some)


WORDS = (
    "1 2 -5 x y (x) (x . y) () quote if cond define set! lambda let begin and or car cdr cons list map apply eval "
    "null? pair? atom? number? symbol? eq? not + - * quotient remainder abs = < print display newline nil t "
    "else ' . ) \xff"
).split(" ")


def anything(source: random.Random, depth: int) -> str:
    """A random expression, which may be none."""
    if depth == 0 or source.random() < 0.3:
        return source.choice(WORDS)
    return f"({' '.join(anything(source, depth - 1) for _ in range(source.randrange(5)))})"


@pytest.mark.parametrize("count", [25, *slow(1_000)])
def test_whatever_is_typed_the_machine_does_not_stop_with_an_error(count):
    source = random.Random(count)
    for _ in range(count):
        typed = " ".join(anything(source, 4) for _ in range(source.randrange(1, 12))).encode("latin-1")
        machine = ReferenceMachine(image().words, 16, image().isa, image().entry, input=typed)
        assert machine.run(100_000).stop in (Stop.HALTED, Stop.BUDGET), typed


# --- the programs that come with it -----------------------------------------------------------------------------------

LISTS = """> filter
> append
> sort
> (-89 -4 2 3 15 31 35 65 79 92)
> range
> primes
> (2 3 5 7 11 13 17 19 23 29 31 37 41 43 47)
> compose
> (9 4 1 0 1 4 9)
"""
META = """> value
> call
> values
> second
> third
> look-up
> bind
> functions
> 5040
> (1 2)
"""


@pytest.mark.parametrize(
    ("unit", "guest", "printed"),
    [
        ("native", "meta.lisp", META),
        *slow(("ntk-limit", "lists.lisp", LISTS), ("ntk-limit", "meta.lisp", META), ("ntk", "meta.lisp", META)),
    ],
)
def test_a_long_run_agrees_with_the_reference_at_every_step(unit, guest, printed):
    machine = Machine(image(), unit, input=programs.guest(guest).encode())
    outcome = machine.run()
    assert outcome.halt is Halt.HALTED, outcome.message
    assert machine.output.decode() == printed + "> \n"
