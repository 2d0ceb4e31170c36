"""What a shell completes after `sbn`: the parser's own words, the names of programs, units, macros and files."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Iterator

from vm.console.launch import UsageError


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The text that a shell evaluates. Raises UsageError where what makes it is not installed."""
    try:
        import shtab
    except ImportError:
        raise UsageError("completion needs shtab; install it with pip install 'neural-sbn[editor]'") from None
    completions = _completions()
    for command, action in _actions(parser, ""):
        wanted = completions.get((command, action.dest)) or completions.get(("", action.dest))
        if wanted is not None:
            action.complete = wanted  # pyright: ignore[reportAttributeAccessIssue]
        elif action.metavar in ("FILE", "IMAGE"):
            action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
        elif action.metavar == "DIR":
            action.complete = shtab.DIRECTORY  # pyright: ignore[reportAttributeAccessIssue]
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser, command: str) -> Iterator[tuple[str, argparse.Action]]:
    """All arguments of a parser and of its commands, each with its command."""
    for action in parser._actions:  # argparse says them in no other way
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield from _actions(each, command or name)
        else:
            yield command, action


def _completions() -> dict[tuple[str, str], dict[str, object]]:
    """What is completed, by command (all, if empty) and argument."""
    import programs
    from assembler import macro_reference
    from learned_units import catalog
    from learned_units.experiments import EXPERIMENTS

    trained = [name for name, unit in catalog.UNITS.items() if unit.trained]
    return {
        ("", "program"): _words("programs", programs.names(), also_files=True),
        ("", "unit"): _words("units", catalog.UNITS),
        ("train", "unit"): _words("trained", trained),
        ("programs", "name"): _words("bundled", programs.names()),
        ("macros", "name"): _words("macros", (macro.name for macro in macro_reference())),
        ("reproduce", "experiment"): _words("experiments", EXPERIMENTS),
    }


def _words(what: str, names: Iterable[str], also_files: bool = False) -> dict[str, object]:
    """Names, as shtab is told of them: for each shell what is called, and a function of ours that is defined first."""
    function, listed = f"_sbn_{what}", shlex.quote(" ".join(names))
    files = {"bash": "compgen -f -- $1", "zsh": "_files", "fish": "__fish_complete_path (commandline -ct)"}
    also = {shell: f"\n  {said}" if also_files else "" for shell, said in files.items()}
    return {
        "bash": function,
        "zsh": function,
        "fish": f"({function})",
        "preamble": {
            "bash": f"{function}() {{\n  compgen -W {listed} -- $1{also['bash']}\n}}\n",
            "zsh": f"{function}() {{\n  compadd -- ${{(s: :)${{:-{listed}}}}}{also['zsh']}\n}}\n",
            "fish": f"function {function}\n  string split ' ' {listed}{also['fish']}\nend\n",
        },
    }
