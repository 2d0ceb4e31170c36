"""What a command refuses: a reason in one line, possibly with help. And the end of a session."""

from __future__ import annotations

from assembler import AssemblyError


class CommandError(Exception):
    """A command that cannot be carried out; nothing was changed. The message is one line, help included."""

    def __init__(self, reason: str, help: str | None = None) -> None:
        super().__init__(" ".join(f"{reason}; {help}".split()) if help else " ".join(reason.split()))


class Leave(Exception):
    """The user is done."""


class Found(Exception):
    """A step was found after which to stop."""


class Interrupted(Exception):
    """A run was asked to end, by a thread that is not the one that runs."""


def refused(error: AssemblyError, placed: bool = False) -> CommandError:
    """The first reason of an assembly error; `placed` says with file, line and column."""
    first = error.diagnostics[0]
    place = f"{first.span}: " if placed and first.span is not None else ""
    more = len(error.diagnostics) - 1
    reason = f"{place}{first.message}" + (f" (and {more:,} more errors)" if more and placed else "")
    return CommandError(reason, first.help)
