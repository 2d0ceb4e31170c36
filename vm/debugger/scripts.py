"""The commands that keep what is stopped at and shown in a file, and take it from one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from learned_units.whole_file import write_whole
from vm.debugger import points
from vm.debugger.errors import CommandError
from vm.debugger.rendering import counted
from vm.debugger.session import Session

MAX_DEPTH = 10  # of scripts that read scripts


def save(session: Session, text: str) -> str:
    if not text:
        raise CommandError("`save` needs a file", "usage: save FILE")
    # That one is there from the start, so only its absence is told.
    lines = [] if session.checks else [f"delete {points.DIVERGENCE}"]
    for point in session.points:
        if point.kind == points.DIVERGENCE:
            continue
        lines += point.saved
    lines += [f"display {expression}" for expression in session.displays]
    try:
        session.check_output(text)
        write_whole(text, "".join(f"{line}\n" for line in lines).encode())
    except (OSError, ValueError) as error:
        raise _refused(error, text) from None
    return f"saved in {text}, {counted(len(lines), 'line')}; `source {text}` makes the same stops again"


def source(session: Session, text: str, run: Callable[[Session, str], str]) -> str:
    """Carry out the commands of a file with `run`, up to the first that is refused."""
    if not text:
        raise CommandError("`source` needs a file", "usage: source FILE")
    try:
        lines = Path(text).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise _refused(error, text) from None
    if session.scripts >= MAX_DEPTH:
        raise CommandError(f"scripts read each other more than {MAX_DEPTH} deep")
    session.scripts += 1
    try:
        said = []
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.strip()[0] in ";#":
                continue
            try:
                said.append(run(session, line))
            except CommandError as error:
                raise CommandError(f"{text}:{number}: {error}") from None
        return "\n".join(each for each in said if each)
    finally:
        session.scripts -= 1


def _refused(error: Exception, path: str) -> CommandError:
    if isinstance(error, UnicodeDecodeError):
        return CommandError(f"{path} is not text in UTF-8")
    if isinstance(error, OSError) and error.strerror:
        return CommandError(f"{path}: {error.strerror}")
    return CommandError(str(error))
