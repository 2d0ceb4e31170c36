"""The BASIC among the bundled programs: what it answers, compared with what Python says."""

import functools
import random
import re

import pytest
from marks import slow

import programs
from assembler import assemble
from vm import Halt, Machine
from vm.reference import ReferenceMachine, Stop

SYNTAX = "syntax error"
LETTERS = "syntax error: a variable is one letter, and words are keywords"
LEAVING = "BYE ends BASIC; the other commands are RUN, LIST and NEW"


@functools.cache
def image():
    return assemble(programs.source("basic"), name="basic.sbn")


def run(typed: str | bytes, max_steps: int = 2_000_000) -> str:
    """All that BASIC prints; it must halt."""
    given = typed if isinstance(typed, bytes) else typed.encode()
    machine = ReferenceMachine(image().words, 16, image().isa, image().entry, input=given)
    assert machine.run(max_steps).stop is Stop.HALTED
    return machine.output.decode("latin-1")


def answer(typed: str | bytes) -> str:
    """What it prints between its first READY and its last."""
    printed = run(typed)
    assert printed.startswith("READY\n") and printed.endswith("READY\n")
    return printed.removeprefix("READY\n").removesuffix("READY\n")


def wrap(value: int) -> int:
    return (value + 32768) % 65536 - 32768


ANSWERS = [
    ("print 1", "1\n"),
    ("\n \n\r\nPRINT 1\r\n", "1\n"),
    ('print "Hello, World! <=> \xe9"', "Hello, World! <=> \xc3\xa9\n"),
    ('? "open', "open\n"),
    ('PRINT:PRINT"A";1;-2;"B";:PRINT 3', "\nA1-2B3\n"),
    ('PRINT "a", 1, -12345, "12345678", 9,\nPRINT "x"', "a       1       -12345  12345678        9       \nREADY\nx\n"),
    ("A=5:B=A+1:LET C=A*B:PRINT A;B;C;Z", "56300\n"),
    ("forj=3to1step-1:printj;:next", "321\n"),
    ("FOR I=1 TO 2:FOR J=1 TO 2:PRINT I*10+J:NEXT J:NEXT I", "11\n12\n21\n22\n"),
    ("FOR I=1 TO 3:FOR J=1 TO 9:NEXT I:PRINT I;J", "41\n"),
    ("FOR I=32766 TO 32767:PRINT I;:NEXT", "3276632767\n"),
    ("IF 1 THEN PRINT 1 ELSE PRINT 2:PRINT 3", "1\n"),
    ('IF 0 THEN PRINT "ELSE" : PRINT 140 ELSE PRINT 2:PRINT 3', "2\n3\n"),
    ("IF 2>1 THEN IF 0 THEN PRINT 1 ELSE PRINT 2", "2\n"),
    ("IF NOT 1=2 AND 3<>4 THEN PRINT ABS(-7);ABS(7)", "77\n"),
    ("PRINT 1=1;1=2;1<1;1<=1;1>1;1>=1;1<>1;-1<1", "-100-10-10-1\n"),
    ("PRINT 32767+1;-32767-2;(-32767-1)/-1;-7/2;-7 MOD 2", "-3276832767-32768-3-1\n"),
    ("DIM A(3),B(2):A(3)=7:B(A(3)-5)=9:PRINT A(3);B(2);A(0)", "790\n"),
    ("DIM A(2):A(1)=5:DIM A(2):PRINT A(1)", "0\n"),
    ("20 PRINT 2\n10 PRINT 1\n30 PRINT 3\n20\nRUN", "1\n3\n"),
    ("10 PRINT 1\n10 PRINT 2\nRUN\nNEW\nLIST\nRUN", "2\nREADY\nREADY\nREADY\n"),
    ("5 A=A+1\n10 PRINT A\nRUN\nRUN\nPRINT A", "1\nREADY\n1\nREADY\n1\n"),
    ("10 GOSUB 40\n20 PRINT 2\n30 END\n40 PRINT 1:RETURN\nRUN", "1\n2\n"),
    ("10 PRINT 1:GOSUB 30:PRINT 3\n20 END\n30 PRINT 2:RETURN\nRUN", "1\n2\n3\n"),
    (
        "10 FOR I=1 TO 9\n20 IF I=3 THEN 40\n30 NEXT\n40 FOR I=5 TO 6:PRINT I:NEXT:NEXT\nRUN",
        "5\n6\nNEXT without FOR in line 40\n",
    ),
    ("10 X=20:GOTO X+10\n20 PRINT 2\n30 PRINT 3 : REM : PRINT 4\nRUN", "3\n"),
    ('10 INPUT A\n20 INPUT "b, c: ";B,C\n30 PRINT A+B+C\nRUN\n1\n-2 , 30\n', "? b, c: 29\n"),
    ("INPUT A,B:PRINT A;B\n\n1x\n 7 \n8, 9\n", "? a number, please: a number, please: ? 78\n"),
    ("INPUT A\n99999\n32767\nPRINT A", "? a number, please: READY\n32767\n"),
    ("DIM A(3):INPUT A(2):PRINT A(2)\n5\n", "? 5\n"),
    ("RANDOMIZE 7:A=RND(30000):RANDOMIZE 7:PRINT A=RND(30000)", "-1\n"),
    ("10 FOR I=1 TO 99:R=RND(6):IF R<1 OR R>6 THEN A=1\n20 NEXT:PRINT A\nRUN", "0\n"),
    # Errors.
    ("PRINT 1/0", "division by zero\n"),
    ("PRINT 1;2 MOD (3-3)", "1\ndivision by zero\n"),
    ("10 PRINT 1\n20 GOTO 15\nRUN\nPRINT 5", "1\nthere is no line 15 in line 20\nREADY\n5\n"),
    ("FOO=1", f"{LETTERS}\n"),
    ("PRINT FOO", f"0\n{LETTERS}\n"),
    ("HELLO", f"{LETTERS}\n"),
    ("quit", f"{LEAVING}\n"),
    ("Exit", f"{LEAVING}\n"),
    ("HELP ME", f"{LEAVING}\n"),
    ("PRINT (1", f"{SYNTAX}\n"),
    ("PRINT 1)", f"1\n{SYNTAX}\n"),
    ("PRINT 1 +", f"{SYNTAX}\n"),
    ("A=", f"{SYNTAX}\n"),
    ("LET 5=A", f"{SYNTAX}\n"),
    ("GOTO", f"{SYNTAX}\n"),
    ("IF 1 PRINT 1", f"{SYNTAX}\n"),
    ("FOR A(1)=1 TO 2", "there is no such array; DIM makes one\n"),
    ("FOR A=1", f"{SYNTAX}\n"),
    ("PRINT \xe9 ~ ]", f"{SYNTAX}\n"),
    ("INPUT 5\n1 PRINT", f"? \n{SYNTAX}\n"),
    ("THEN", f"{SYNTAX}\n"),
    ("A(1)=2", "there is no such array; DIM makes one\n"),
    ("DIM A(2):A(3)=1", "the index is outside of the array\n"),
    ("DIM A(2):PRINT A(-1)", "the index is outside of the array\n"),
    ("DIM A(-1)", "the index is outside of the array\n"),
    ("DIM A(32767)", "there is no room left\n"),
    ("DIM A(16000):DIM B(9)\nDIM B(500)", "READY\nthere is no room left\n"),
    ("RETURN", "RETURN without GOSUB\n"),
    ("NEXT", "NEXT without FOR\n"),
    ("FOR I=1 TO 2\nNEXT", "READY\nNEXT without FOR\n"),
    ("FOR I=1 TO 2:NEXT J", "NEXT without FOR\n"),
    ("10 GOSUB 10\nRUN", "too many subroutines or loops are in progress in line 10\n"),
    ("PRINT 32768", "the number is too large\n"),
    ("99999 PRINT 1", "the number is too large\n"),
    ("PRINT RND(0)", "RND takes a number above 0\n"),
    ("PRINT " + "(" * 114, f"{SYNTAX}\n"),
    ("PRINT " + "-" * 113 + "1", "-1\n"),
    ("DIM A(1):? " + "A(" * 54 + "1", f"{SYNTAX}\n"),
    ("PRINT " + "((((((" + "1" + "))))))" + "+(1+(2*(3-(4))))", "0\n"),
    ("REM" + "x" * 117 + "\nREM" + "x" * 118, "READY\nthe line is too long\n"),
    ("?" * 300, "the line is too long\n"),
    *slow(("?" * 40_000, "the line is too long\n")),
]


@pytest.mark.parametrize(("typed", "printed"), ANSWERS, ids=range(len(ANSWERS)))
def test_what_is_typed_is_answered(typed, printed):
    assert answer(typed) == printed
    assert answer(f"{typed}\nPRINT 6*7") == f"{printed}READY\n42\n"  # an error is not the end


def test_it_ends_where_the_input_ends_or_with_bye():
    assert run("") == "READY\n"
    assert run("BYE\nPRINT 1") == "READY\n"
    assert run("10 INPUT A\nRUN") == "READY\n? \n"
    assert run("PRINT 1;: INPUT A\n-") == "READY\n1? \n"


def test_a_listing_is_what_was_typed_and_can_be_typed_again():
    typed = """10 REM  any text: "FOR" <>
20 IF A<=B AND NOT C>=D OR E<>F THEN 70 ELSE PRINT "a  b";-1,(2+3)*RND(6): GOTO 20
30 FOR I=1 TO ABS(10) STEP 2: NEXT I
40 DIM A(5): A(1)=A(2) MOD 3: INPUT "? ";A(1),B
50 GOSUB 60: RANDOMIZE 7: LET X=1: RUN
60 RETURN
70 LIST: NEW: END: BYE
"""
    assert answer(f"{typed}LIST") == typed
    assert answer(f"{typed.lower().replace(' ', '').replace('20if', '20 if')}LIST 60") == "60 RETURN\n"
    assert answer(f"{typed}LIST 20, 40\nLIST 31\nLIST 60") == "".join(
        [*typed.splitlines(True)[1:4], "READY\n", "READY\n", typed.splitlines(True)[5]]
    )


def test_a_line_may_be_replaced_until_the_room_is_full():
    printed = run(
        "".join(f"10 PRINT {n} : REM {'x' * 100}\n" for n in range(160)) + "RUN\nNEW\n1 PRINT 7\nRUN", 9_000_000
    )
    assert printed.endswith("READY\n7\nREADY\n")
    assert "there is no room left" in printed


def expression(source: random.Random, depth: int) -> tuple[str, int]:
    """A random expression and its value."""
    if depth == 0 or source.random() < 0.2:
        value = source.choice([0, 1, 2, 3, 7, 10, 181, 999, 16384, 32767])
        return str(value), value
    kind = source.choice(["-", "NOT", "ABS", "binary", "binary", "binary", "binary"])
    if kind != "binary":
        text, value = expression(source, depth - 1)
        return f"{kind}({text})", wrap({"-": -value, "NOT": ~value, "ABS": abs(value)}[kind])
    (left, a), (right, b) = expression(source, depth - 1), expression(source, depth - 1)
    operator = source.choice(["+", "-", "*", "/", "MOD", "AND", "OR", "=", "<>", "<", "<=", ">", ">="])
    if operator in ("/", "MOD") and b == 0:
        operator = "+"
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0
    value = {
        "+": a + b,
        "-": a - b,
        "*": a * b,
        "/": quotient,
        "MOD": a - quotient * b,
        "AND": a & b,
        "OR": a | b,
        "=": -(a == b),
        "<>": -(a != b),
        "<": -(a < b),
        "<=": -(a <= b),
        ">": -(a > b),
        ">=": -(a >= b),
    }[operator]
    return f"({left}) {operator} ({right})", wrap(value)


def test_random_expressions_have_the_values_they_have_in_python():
    source = random.Random(1)
    some = [each for each in (expression(source, 3) for _ in range(300)) if len(each[0]) < 110][:120]
    assert len(some) == 120
    printed = answer("".join(f"PRINT {text}\n" for text, _ in some))
    assert printed.replace("READY\n", "").split() == [str(value) for _, value in some]


def test_operators_bind_as_in_other_languages():
    text = "1 + 2 * 3 - 4 / 2 = 5 AND 7 MOD 4 > 2 OR 0 AND 0"
    assert answer(f"PRINT {text}\nPRINT 2 - 3 - 4; 100 / 10 / 5 * 2; -2 * 3") == "-1\nREADY\n-54-6\n"


WORDS = (
    "ABS AND DIM ELSE END EXIT FOR GOSUB GOTO IF INPUT LET LIST MOD NEW NEXT NOT OR PRINT RANDOMIZE REM RETURN RND RUN "
    'STEP THEN TO A B I ( ( ) ) + - * / = < > <= >= <> : : , ; " "x" 0 1 2 3 10 20 30 32767 A(1) I=1 ~ \xff'
).split(" ")


@pytest.mark.parametrize("count", [25, *slow(1_000)])
def test_whatever_is_typed_the_machine_does_not_stop_with_an_error(count):
    source = random.Random(count)
    for _ in range(count):
        lines = [
            source.choice(["", "10 ", "20 ", "30 "]) + " ".join(source.choices(WORDS, k=source.randrange(1, 10)))
            for _ in range(source.randrange(1, 14))
        ]
        typed = "\n".join([*lines, "RUN"]).encode("latin-1")
        machine = ReferenceMachine(image().words, 16, image().isa, image().entry, input=typed)
        assert machine.run(100_000).stop in (Stop.HALTED, Stop.BUDGET), typed


# --- the programs that come with it -----------------------------------------------------------------------------------


def test_the_primes():
    [row, _] = answer(programs.guest("primes.bas")).split("\n")
    assert row == "".join(f"{n:<8}" for n in range(2, 101) if all(n % k for k in range(2, n)))


def test_the_table_of_fibonacci_numbers():
    heading, *rows = answer(programs.guest("fibonacci.bas")).splitlines()
    assert heading.split() == ["N", "F(N)", "SQUARE", "TWOS"]
    a, b = 0, 1
    for n, row in enumerate(rows, 1):
        assert row == f"{n:<8}{b:<8}{b * b % 1000:<8}{(b & -b).bit_length() - 1}"
        a, b = b, a + b
    assert len(rows) == 23 and b > 32767


def test_guessing_the_number():
    low, high, guesses = 1, 100, []
    while True:
        guess = (low + high) // 2
        guesses.append(guess)
        printed = run(programs.guest("guess.bas") + "".join(f"{each}\n" for each in guesses))
        if "Yes!" in printed:
            break
        low, high = (guess + 1, high) if last_hint(printed) == "larger" else (low, guess - 1)
    assert f"You needed {len(guesses)} guesses." in printed


def last_hint(printed: str) -> str:
    return re.findall("larger|smaller", printed)[-1]


GUESSES = "50\n7x\n25\n99\n"


@pytest.mark.parametrize(
    ("unit", "guest", "typed"),
    [
        ("native", "fibonacci.bas", ""),
        ("ntk-limit", "guess.bas", GUESSES),
        *slow(("ntk-limit", "fibonacci.bas", ""), ("ntk-limit", "primes.bas", ""), ("ntk", "primes.bas", "")),
    ],
)
def test_a_long_run_agrees_with_the_reference_at_every_step(unit, guest, typed):
    given = programs.guest(guest) + typed
    machine = Machine(image(), unit, input=given.encode())
    outcome = machine.run()
    assert outcome.halt is Halt.HALTED, outcome.message
    assert machine.output.decode() == run(given)
