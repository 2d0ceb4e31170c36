"""The bundled programs: their sources, one-line descriptions and sample runs."""

from importlib.resources import files

_SUFFIX = ".sbn"


def names() -> tuple[str, ...]:
    """The names of all bundled programs, in alphabetical order."""
    entries = [entry.name for entry in files(__name__).iterdir()]
    return tuple(sorted(entry.removesuffix(_SUFFIX) for entry in entries if entry.endswith(_SUFFIX)))


def source(name: str) -> str:
    """The assembly source of a bundled program."""
    _require(name)
    return files(__name__).joinpath(name + _SUFFIX).read_text(encoding="utf-8")


def description(name: str) -> str:
    """What a bundled program does, in one sentence: the first comment line of its source."""
    return source(name).partition("\n")[0].removeprefix(";").strip()


def sample_input(name: str) -> bytes:
    """The input of a bundled program's sample run; empty for a program that reads none."""
    _require(name)
    path = files(__name__).joinpath("samples", f"{name}.in.txt")
    return path.read_bytes() if path.is_file() else b""


def sample_output(name: str) -> bytes:
    """What a bundled program prints in its sample run."""
    _require(name)
    return files(__name__).joinpath("samples", f"{name}.out.txt").read_bytes()


def _require(name: str) -> None:
    if name not in names():
        raise FileNotFoundError(f"no bundled program '{name}'; try one of: {', '.join(names())}")
