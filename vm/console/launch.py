"""Running one command, and turning every way it can end into an exit code and a line or two of explanation."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from learned_units import interrupts
from vm.console import terminal

PROG = "sbn"
FAILED = 1
MISUSED = 2
INTERRUPTED = interrupts.EXIT_CODE
DEVICE_CHOICES = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "JAX_DEFAULT_DEVICE")  # jax reads them


class UsageError(Exception):
    """What a user asked for and cannot have: an option, a file or a name. The message says which, and what to do."""


@contextlib.contextmanager
def stated_by_user() -> Iterator[None]:
    """Around calls whose arguments come from the command line: what they refuse is the user's to mend."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error


def launch(command: str, options: argparse.Namespace) -> int:
    """Run `vm.command.<command>`. A reader of stdout that goes away ends it quietly.

    A Ctrl-C that came too late for the command to look at still is the exit code.
    """
    try:
        module = importlib.import_module(f"vm.command.{command}")
        interrupts.check()
        code = module.run(options)
        terminal.flush()
        if code != INTERRUPTED:
            interrupts.check()
        return _left(code) if code == INTERRUPTED else code
    except BrokenPipeError:
        terminal.abandon_stdout()
        return FAILED
    except KeyboardInterrupt:
        terminal.say_error("sbn: interrupted")
        return _left(INTERRUPTED)
    except Exception as error:
        if options.traceback:
            terminal.say_error(traceback.format_exc().rstrip())
        text, code = _explain(error)
        terminal.say_error(text)
        return _left(code)
    finally:
        terminal.Talk.clear()


def _left(code: int) -> int:
    """The exit code; but one of several processes that share work ends here and now, so that the others learn of it.

    At the interpreter's end jax would wait for minutes until they end, too, while they wait for this one.
    """
    jax = sys.modules.get("jax")
    if jax is not None and jax.distributed.is_initialized():
        with contextlib.suppress(OSError):
            terminal.flush()
        os._exit(code)
    return code


def _missing_device() -> str:
    """What to say where the environment asks jax for a device that is not here, else nothing."""
    asked = [f"{name} asks for {os.environ[name]}" for name in DEVICE_CHOICES if os.environ.get(name)]
    jax = sys.modules.get("jax")
    if not asked or jax is None:
        return ""
    try:
        jax.numpy.zeros(())
    except Exception:  # of whatever kind: jax has several
        return f"{', '.join(asked)}, and there is no such device here that jax can use"
    return ""


class Parser(argparse.ArgumentParser):
    """One that suggests what was likely meant, and does not hide that its help could not be written."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore  (it has overloads)
        """The options. What is left over is refused by the parser of the command, which knows its options."""
        options, left = self.parse_known_args(args, namespace)
        if left:
            command = self
            while (known := command._commands()) is not None and getattr(options, known.dest) is not None:
                command = known.choices[getattr(options, known.dest)]
            command.error(f"unrecognized arguments: {' '.join(left)}{_option_meant(left, command)}")
        return options

    def _commands(self) -> Any:
        """The action that the commands are choices of; None of a command's own parser."""
        return next((each for each in self._actions if isinstance(each, argparse._SubParsersAction)), None)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        near = _near(value, action.choices)
        if action is not self._commands():
            known = ", ".join(map(repr, action.choices))
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{near} (choose from {known})")
        if not near and self.prog == PROG and (os.path.exists(value) or _is_bundled(value)):
            near = f"; to run the program, say `{PROG} run {value}`"
        raise argparse.ArgumentError(None, f"there is no command {value!r}{near}; `{self.prog} --help` lists all")

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is None or file is not sys.stdout:
            super()._print_message(message, file)
            return
        terminal.write(message)
        terminal.flush()


def _option_meant(left: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """A suggestion for the first of the arguments left over that begins as an option does."""
    given = next((each.partition("=")[0] for each in left if each.startswith("--")), "")
    return _near(given, parser._option_string_actions)


def _near(given: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _is_bundled(name: str) -> bool:
    import programs

    return name in programs.names()


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace | int:
    """The options, or the exit code where there is nothing left to do: help was shown, or the usage is wrong."""
    try:
        options = parser.parse_args(arguments)
        if options.command is None and not options.version:
            parser.print_help(sys.stderr)
            return MISUSED
        return options
    except BrokenPipeError:
        terminal.abandon_stdout()
        return FAILED
    except OSError as error:
        text, code = _explain(error)
        terminal.say_error(text)
        terminal.abandon_stdout()
        return code


def _explain(error: Exception) -> tuple[str, int]:
    """What to say about an exception, and the exit code."""
    from assembler.diagnostics import AssemblyError
    from assembler.image import ImageError

    if isinstance(error, AssemblyError):
        return str(error), MISUSED
    if isinstance(error, (UsageError, ImageError)):
        return f"sbn: error: {error}", MISUSED
    if isinstance(error, OSError) and error.strerror:
        names = [name for name in (error.filename, error.filename2) if name is not None]
        return f"sbn: error: {': '.join([*map(str, names), error.strerror])}", MISUSED
    from learned_units.processes import ProcessLost
    from learned_units.store import WeightsError

    if isinstance(error, ProcessLost):
        return f"sbn: error: {error}; start all of them again", FAILED
    if isinstance(error, WeightsError):
        return f"sbn: error: {error}", FAILED
    missing = _missing_device()
    if missing:
        return f"sbn: error: {missing}", MISUSED
    said = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"sbn: internal error: {said}; run again with --traceback", FAILED
