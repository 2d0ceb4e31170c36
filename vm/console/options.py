"""The values that options of `sbn` take, and the options that several commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import Any

from assembler.files import FORMATS
from assembler.image import INPUT_MODES, ISAS
from assembler.options import DIALECTS
from learned_units.catalog import DEFAULT_UNIT, UNITS

WIDTH = 16
HISTORY = 10_000_000

GROUP_HELP = "bit positions one network serves (default 8; in the paper's form: word)"
INPUT_MODE_HELP = (
    "what reading a byte does to a word: set (default), add or sub; with _numbers the console reads and writes numbers "
    "in decimal digits; with _zero the end of the input is 0 and not -1; "
    "with _branch_in reads branch, with _branch_io writes, too (docs/conventions.md)"
)
WIDTH_HELP = f"bits of a word, 4 to 64 (default {WIDTH})"
WEIGHTS_HELP = (
    "weights of the unit ntk: float32 (default), int8 (rounded, and proved so) or paper (the paper's own setting, for "
    "words of up to 8 bits); of the unit neural-gpu: sampled (default) or every-length (a network proved for words of "
    "every length); of the unit modular: grokked (default) or analytic"
)


def number(text: str) -> int:
    """An integer in decimal, or with 0x, 0o, 0b."""
    return int(text, 0)


def group(text: str) -> int | str:
    """How many bit positions a network serves: a number, or `word` for all of them."""
    if text == "word":
        return text
    try:
        return number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of bit positions nor 'word'") from None


def count(text: str) -> int:
    """A number of steps: 0 or more."""
    value = int(text, 0)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def positive(text: str) -> int:
    """A number of things: 1 or more."""
    value = int(text, 0)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def inches(text: str) -> tuple[float, float]:
    """Width and height of a picture."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)", text)
    size = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not all(1 <= each <= 100 for each in size):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give two numbers of inches from 1 to 100, such as 6x4")
    return size


def duration(text: str) -> float:
    """Seconds: more than 0 and not endless."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no duration")
    return value


def as_decimal(text: str) -> str:
    """A negative number in decimal digits, the only ones argparse does not take for an option; else the text."""
    if re.fullmatch(r"-0[xXbBoO][0-9a-fA-F_]+|-[0-9][0-9_]*", text):
        try:
            return str(int(text, 0))
        except ValueError:
            return text
    return text


def either(units: Iterable[str], default: str | None = None) -> str:
    """Names of units in the words of a help text. default: the one that is meant where none is given."""
    *others, last = (f"{name} (default)" if name == default else name for name in units)
    return f"{', '.join(others)} or {last}"


def add_common(parser: argparse.ArgumentParser, default: Any) -> None:
    """What every command may be given. default: of both options."""
    parser.add_argument("-q", "--quiet", action="store_true", default=default, help="show only errors and results")
    parser.add_argument("--traceback", action="store_true", default=default, help="show tracebacks of errors")


def add_program(parser: argparse.ArgumentParser, metavar: str) -> None:
    """The program, and what may be stated about it."""
    parser.add_argument("program", metavar=metavar, help="a file, the name of a bundled program, or -")
    add_more(parser)
    parser.add_argument("--format", choices=FORMATS, help="format of the file, if its suffix does not tell")
    add_dialect(parser)
    add_stated(parser)


def add_more(parser: argparse.ArgumentParser) -> None:
    """Further files that the program is made of."""
    parser.add_argument(
        "more", nargs="*", default=[], metavar="FILE", help="further raw images, put after the first one"
    )
    parser.add_argument(
        "-I", dest="include", action="append", default=[], metavar="DIR", help="also look for included files in DIR"
    )


def add_dialect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dialect", choices=DIALECTS, help="notation of a source written for another assembler")


def add_stated(parser: argparse.ArgumentParser) -> None:
    """What a program may leave open."""
    stated = parser.add_argument_group("what the program leaves open (contradicting it is an error)")
    stated.add_argument("--isa", choices=ISAS, help="instruction set (default sbn)")
    stated.add_argument("--width", type=number, metavar="W", help=WIDTH_HELP)
    stated.add_argument("--memory", type=number, metavar="N", help="words of memory (default 2^W, up to 65,536)")
    stated.add_argument("--entry", metavar="E", help="first instruction: an address or an expression of the program")
    stated.add_argument("--input-mode", choices=INPUT_MODES, metavar="MODE", help=INPUT_MODE_HELP)


def add_input(parser: argparse.ArgumentParser, also: str = "") -> None:
    """What the program reads. also: the end of the help."""
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--input", metavar="FILE", help=f"the program's input, from a file{also}")
    given.add_argument("--input-text", metavar="S", help="the program's input, as it stands")


def add_width(parser: argparse.ArgumentParser) -> None:
    """The width of a word, where no program says it."""
    parser.add_argument("--width", type=number, default=WIDTH, metavar="W", help=WIDTH_HELP)


def add_isa(parser: argparse.ArgumentParser) -> None:
    """The instruction set, where no program says it."""
    parser.add_argument("--isa", choices=ISAS, default="sbn", help="instruction set (default sbn)")


def add_seed_and_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=number, default=0, metavar="N", help="first seed to train with (default 0)")
    parser.add_argument("--group", type=group, metavar="N|word", help=GROUP_HELP)


def add_weights(parser: argparse.ArgumentParser, also: str = "") -> None:
    """Which of a unit's weights. also: the end of the help."""
    add_seed_and_group(parser)
    parser.add_argument("--weights", metavar="KIND", help=f"{WEIGHTS_HELP}{also}")


def add_unit(parser: argparse.ArgumentParser, also: str = "") -> None:
    """The unit and its weights. also: the end of the help."""
    parser.add_argument("--unit", metavar="UNIT", help=either(UNITS, DEFAULT_UNIT))
    add_weights(parser, also)


def add_renamed(parser: argparse.ArgumentParser, option: str, instead: str) -> None:
    """An option that is gone: whoever gives it is told what to give instead."""

    class Renamed(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
            parser.error(f"{option} is gone: {instead}")

    parser.add_argument(option, action=Renamed, nargs="?", help=argparse.SUPPRESS)


def add_whole(parser: argparse.ArgumentParser) -> None:
    """The whole machine of networks in place of a unit."""
    parser.add_argument(
        "--whole",
        action="store_true",
        help="let networks do fetch, reads, write-back and branch, too (--group: 8 or word)",
    )
    add_renamed(parser, "--form", "`--group word` is one network, iterated, and `--group 8` is small ones")


def add_cluster(parser: argparse.ArgumentParser, work: str) -> None:
    """Processes that share the work."""
    parser.add_argument(
        "--cluster",
        metavar="HOST:PORT,COUNT,INDEX",
        help=f"share {work} with other processes: where the first one listens, how many there are, and which one this "
        "is, counted from 0; or auto, if a scheduler such as Slurm knows",
    )


def add_look(parser: argparse.ArgumentParser) -> None:
    """What every picture may be given."""
    parser.add_argument("--size", type=inches, metavar="WxH", help="size of the picture in inches, such as 6x4")
    parser.add_argument("--dpi", type=positive, metavar="N", help="dots per inch, where it has dots (default 150)")


def add_session(parser: argparse.ArgumentParser) -> None:
    """What a session of the debugger may be given."""
    parser.add_argument("--no-check", action="store_true", help="do not compare the steps with the reference executor")
    parser.add_argument(
        "--history", type=positive, default=HISTORY, metavar="N", help=f"steps to keep for going back ({HISTORY:,})"
    )


def add_case(parser: argparse.ArgumentParser) -> None:
    """One subtract-and-branch."""
    parser.add_argument("minuend", type=number, metavar="A", help="a number, such as 5, -5, 0x1F or -0x1F")
    parser.add_argument("subtrahend", type=number, metavar="B", help="the number that is subtracted")
    add_width(parser)
    add_isa(parser)
    parser.add_argument(
        "--target", type=number, default=-1, metavar="C", help="next pc if the branch is taken (default -1)"
    )
    parser.add_argument(
        "--fall-through", type=number, default=3, metavar="F", help="next pc if it is not taken (default 3)"
    )
