"""The bundled programs: their sources, one-line descriptions and sample runs, and programs for the interpreters."""

import re
from importlib.resources import files

_SUFFIX = ".sbn"


_GUESTS = "guests"

WHOLE = "whole"  # the folder of those for the whole machine


def names(folder: str = "") -> tuple[str, ...]:
    """The names of all bundled programs, in alphabetical order; of those in a folder, where one is given."""
    entries = [entry.name for entry in files(__name__).joinpath(folder).iterdir()]
    return tuple(sorted(entry.removesuffix(_SUFFIX) for entry in entries if entry.endswith(_SUFFIX)))


def source(name: str, folder: str = "") -> str:
    """The assembly source of a bundled program."""
    _require(name, folder)
    return files(__name__).joinpath(folder, name + _SUFFIX).read_text(encoding="utf-8")


def description(name: str, folder: str = "") -> str:
    """What a bundled program does, in one sentence: the first comment line of its source."""
    return source(name, folder).partition("\n")[0].removeprefix(";").strip()


def reads(name: str) -> str | None:
    """What a bundled program reads, as the comment at its head says; None for one that reads nothing."""
    said = re.search(r"^; Input +(.*(?:\n;  +.*)*)", source(name), re.MULTILINE)
    text = " ".join(said[1].replace("\n;", "").split()) if said else "none"
    return None if text == "none" else text


def guests() -> tuple[str, ...]:
    """The names of the files that are input for the bundled interpreters, such as `primes.bas` for `basic`."""
    return tuple(sorted(entry.name for entry in files(__name__).joinpath(_GUESTS).iterdir()))


def guest(name: str) -> str:
    """The text of one of these files."""
    if name not in guests():
        raise FileNotFoundError(f"no file '{name}' for an interpreter; try one of: {', '.join(guests())}")
    return files(__name__).joinpath(_GUESTS, name).read_text(encoding="utf-8")


def guest_description(name: str) -> str:
    """What such a file does, in one sentence: the comment on its first line."""
    return re.sub(r"^(\d+ REM|;+) *", "", guest(name).partition("\n")[0])


def sample_input(name: str) -> bytes:
    """The input of a bundled program's sample run; empty for a program that reads none."""
    _require(name)
    path = files(__name__).joinpath("samples", f"{name}.in.txt")
    return path.read_bytes() if path.is_file() else b""


def sample_output(name: str) -> bytes:
    """What a bundled program prints in its sample run."""
    _require(name)
    return files(__name__).joinpath("samples", f"{name}.out.txt").read_bytes()


def _require(name: str, folder: str = "") -> None:
    if name not in names(folder):
        raise FileNotFoundError(f"no bundled program '{name}'; try one of: {', '.join(names(folder))}")
