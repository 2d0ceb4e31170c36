"""The commands: one table that feeds dispatch, help, aliases, completion and the README."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from learned_units import catalog
from vm.console.terminal import table
from vm.debugger import changing, learned, lines, looking, moving, scripts, stopping
from vm.debugger.errors import CommandError, Leave
from vm.debugger.session import Session

_LINE = re.compile(r"\s*:?\s*(?P<name>[A-Za-z][A-Za-z-]*)(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command. `completes` says what its arguments are completed from: places, files, units or choices."""

    name: str
    aliases: tuple[str, ...]
    usage: str
    help: str
    example: str
    run: Callable[[Session, str], str]
    group: str
    completes: str | tuple[str, ...] = ()


PLACES, FILES, PATHS, UNITS, COMMANDS = "places", "files", "paths", "units", "commands"


def execute(session: Session, line: str) -> str:
    """Carry out one line. Returns what it says, which may be nothing. Raises CommandError, and Leave to end.

    What is to be done where a stop is hit is done, too; what that says follows.
    """
    if session.collecting is not None:
        return stopping.collect(session, session.collecting, line.strip().removeprefix(":").strip())
    said = _carried_out(session, line)
    while session.hit:
        lines = [each for point in session.hit for each in point.commands]
        session.hit = []
        for each in lines:
            step = session.present.step
            try:
                said = f"{said}\n{_carried_out(session, each)}".strip("\n")
            except CommandError as error:
                return f"{said}\n`{each}`, to be done here, is refused: {error}"
            if session.present.step != step:
                break  # as in gdb: after a motion, it is the stop that was reached whose commands follow
            session.hit = []
    return said


def _carried_out(session: Session, line: str) -> str:
    session.hit = []
    if not line.strip().removeprefix(":").strip():
        return ""
    match = _LINE.fullmatch(line)
    if match is None:
        raise CommandError(f"`{line.strip()[:40]}` is not a command", "`help` lists the commands")
    return find(match["name"]).run(session, match["rest"].strip())


def find(name: str) -> Command:
    """A command by its name, an alias or an unambiguous beginning. Raises CommandError."""
    name = name.lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    matching = [command.name for command in TABLE if command.name.startswith(name)]
    shortest = min(matching, key=len, default="")
    if matching and all(each.startswith(shortest) for each in matching):
        return _BY_NAME[shortest]
    if matching:
        raise CommandError(f"`{name}` may be {' or '.join(matching)}")
    near = difflib.get_close_matches(name, _BY_NAME, n=1)
    raise CommandError(f"there is no command `{name}`", f"did you mean `{near[0]}`?" if near else "`help` lists them")


def is_name(word: str) -> bool:
    """Whether it is the whole name of a command, but for `x`, which may as well be a label."""
    return len(word) > 1 and any(word == command.name for command in TABLE)


def reference() -> str:
    """All commands as a table in Markdown."""
    rows = ["| command | short | does |", "| --- | --- | --- |"]
    for command in TABLE:
        usage, short = command.usage.replace("|", "\\|"), ", ".join(f"`{alias}`" for alias in command.aliases)
        rows.append(f"| `{usage}` | {short} | {command.help} Example: `{command.example}` |")
    return "\n".join(rows)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".") + "."


def help_(session: Session, text: str) -> str:
    if text:
        command = find(text.removeprefix(":").strip())
        aliases = f"   (short: {', '.join(command.aliases)})" if command.aliases else ""
        return f"{command.usage}{aliases}\n  {command.help}\n  for example: {command.example}"
    rows = []
    for group in dict.fromkeys(command.group for command in TABLE):
        rows += [
            (group if at == 0 else "", "/".join((command.name, *command.aliases)), _first_sentence(command.help))
            for at, command in enumerate(command for command in TABLE if command.group == group)
        ]
    return (
        table(rows)
        + "`help COMMAND` explains one. Any unambiguous beginning will do; an empty line repeats the last command."
    )


def source(session: Session, text: str) -> str:
    return scripts.source(session, text, execute)


def quit_(session: Session, text: str) -> str:
    raise Leave


MOVING, STOPPING, LOOKING, LEARNED, CHANGING, HELP = "move", "stop", "look", "learned", "change", "help"
TABLE: tuple[Command, ...] = (
    Command(
        "step", ("s",), "step [N|in]",
        "Run to the next statement, or N of them, into a routine that is called; `step in` goes into a macro's "
        "expansion.",
        "step in", moving.step, MOVING, ("in",),
    ),
    Command(
        "stepi", ("si",), "stepi [N]", "Execute one instruction, or N, in an expansion or not.", "stepi 10",
        moving.stepi, MOVING,
    ),
    Command(
        "next", ("n",), "next",
        "Run to the next statement; a routine that is called and a block run to their ends.",
        "next", moving.next_, MOVING,
    ),
    Command(
        "finish", ("f", "fi", "fin"), "finish",
        "Run to the end of the macro expansion or the routine, whichever is the innermost.",
        "finish", moving.finish, MOVING,
    ),
    Command(
        "continue", ("c", "co"), "continue", "Run to the next breakpoint, or until the program ends.", "continue",
        moving.continue_, MOVING,
    ),
    Command(
        "until", ("u",), "until LOC", "Run until pc reaches LOC: a label, an address, or :LINE of the source.",
        "until done", moving.until, MOVING, PLACES,
    ),
    Command("run", ("r",), "run", "Start again from the beginning, and run.", "run", moving.run, MOVING),
    Command(
        "back", ("bk",), "back [N]", "Take back one step, or N. No network is evaluated.", "back 5", moving.back, MOVING
    ),
    Command(
        "reverse-continue", ("rc",), "reverse-continue",
        "Go back to the last place to stop at: before a breakpoint's instruction, or before the step that wrote a "
        "watched word.",
        "reverse-continue", moving.reverse_continue, MOVING,
    ),
    Command(
        "goto", ("g",), "goto STEP", "Go to a step by its number, backwards or forwards.", "goto 0", moving.goto, MOVING
    ),
    Command(
        "break", ("b",), "break LOC [if EXPR] | break margin < X | break divergence",
        "Stop before the instruction at LOC, after a step with a margin below X, or where unit and reference differ.",
        "break loop if [counter] < 3", stopping.break_, STOPPING, PLACES,
    ),
    Command(
        "tbreak", ("tb",), "tbreak LOC [if EXPR]", "Stop at LOC once.", "tbreak done", stopping.tbreak, STOPPING, PLACES
    ),
    Command(
        "watch", ("wa",), "watch ADDR|FROM..TO|EXPR [if EXPR]",
        "Stop after a step that wrote the word, or a word of a range; or, for an expression with [ADDR] in it, that "
        "changed its value. Going backwards, stop before the step.",
        "watch counter", stopping.watch, STOPPING, PLACES,
    ),
    Command(
        "rwatch", (), "rwatch ADDR|FROM..TO [if EXPR]",
        "Stop after a step that read the word, or a word of a range, as an operand.", "rwatch counter",
        stopping.rwatch, STOPPING, PLACES,
    ),
    Command(
        "condition", (), "condition N [EXPR]", "Give a stop another condition, or none.", "condition 2 [counter] < 3",
        stopping.condition, STOPPING, PLACES,
    ),
    Command(
        "ignore", (), "ignore N COUNT", "Let the next hits of a stop pass.", "ignore 2 100", stopping.ignore, STOPPING
    ),
    Command(
        "commands", (), "commands [N [COMMAND; …]]",
        "Say what is to be done when a stop, by default the last one, is hit: here, or in the lines that follow, up to "
        "`end`.",
        "commands 2 print [counter]; continue", stopping.commands, STOPPING,
    ),
    Command(
        "delete", ("d",), "delete N|divergence|all",
        "Delete one breakpoint or watch, or all of them; or the stop at divergence, and with it the comparison.",
        "delete all", stopping.delete, STOPPING, ("all", "divergence"),
    ),
    Command(
        "disable", (), "disable N|all", "Pass over a stop, or all of them but divergence, until it is enabled again.",
        "disable 2", stopping.disable, STOPPING, ("all",),
    ),
    Command(
        "enable", (), "enable N|all", "Stop again at a stop that was disabled, or at all of them.", "enable all",
        stopping.enable, STOPPING, ("all",),
    ),
    Command(
        "info", ("i",), "info [break|registers|frame]",
        "List the stops and displays; or the stops alone, the machine's state, or the frame that is looked at.",
        "info registers", stopping.info, STOPPING, ("break", "registers", "frame"),
    ),
    Command(
        "save", (), "save FILE", "Save the stops and displays as the commands that make them.", "save stops.txt",
        scripts.save, STOPPING, PATHS,
    ),
    Command(
        "source", (), "source FILE", "Carry out the commands of a file.", "source stops.txt", source, STOPPING, PATHS
    ),
    Command(
        "print", ("p",), "print EXPR",
        "Print the value of an expression of the assembler, where [ADDR] is a word of memory, and pc (or .) and step "
        "are known.",
        "print [counter] + 1", looking.print_, LOOKING, PLACES,
    ),
    Command(
        "x", (), "x/[COUNT][d|u|x|c|i] [ADDR [by N]]",
        "Show words, or every Nth one, as signed, unsigned or hexadecimal numbers, characters or instructions; without "
        "ADDR, the next ones.",
        "x/8d counter", looking.examine, LOOKING, PLACES,
    ),
    Command(
        "memory", ("mem",), "memory [LOC]",
        "Show the words from LOC on in the memory pane of the full screen; without LOC, the pane follows the word that "
        "is written.",
        "memory counter", looking.memory, LOOKING, PLACES,
    ),
    Command(
        "find", (), "find VALUE [in FROM..TO]", "List the addresses of the words that have a value.", "find 17",
        looking.find, LOOKING, PLACES,
    ),
    Command(
        "display", ("disp",), "display [EXPR]", "Show the value of an expression after every motion.",
        "display [counter]", looking.display, LOOKING, PLACES,
    ),
    Command(
        "undisplay", (), "undisplay [N]", "Stop showing display N; without a number, all of them.", "undisplay 1",
        looking.undisplay, LOOKING,
    ),
    Command(
        "list", ("l",), "list [LOC]", "Show the source around the line that is looked at, or around LOC.", "list done",
        lines.list_, LOOKING, PLACES,
    ),
    Command(
        "disassemble", ("dis",), "disassemble [LOC] [, COUNT]", "Show instructions as they are in memory now.",
        "disassemble loop, 4", looking.disassemble, LOOKING, PLACES,
    ),
    Command(
        "symbols", ("sym",), "symbols [PART]", "List labels and constants, and what the labelled words hold.",
        "symbols count", looking.symbols, LOOKING,
    ),
    Command(
        "unfold", (), "unfold [LOC]", "Show the instructions that the macros of a line were expanded to.",
        "unfold done", lines.unfold, LOOKING, PLACES,
    ),
    Command(
        "where", ("w",), "where", "Show pc, its line, and the lines of the macros that it was expanded from.", "where",
        lines.where, LOOKING,
    ),
    Command(
        "bt", ("backtrace",), "bt [N]",
        "List the macro expansions and the routines that lead to where the machine stands, innermost first.",
        "bt", lines.bt, LOOKING,
    ),
    Command(
        "frame", (), "frame [N]", "Look at a line of the backtrace; `list` and `finish` follow.", "frame 1",
        lines.frame, LOOKING,
    ),
    Command("up", (), "up [N]", "Look at the line that leads to this one, N times.", "up", lines.up, LOOKING),
    Command(
        "down", (), "down [N]", "Look back at the line that this one leads to, N times.", "down", lines.down, LOOKING
    ),
    Command(
        "trace", (), "trace on|off", "List every step that is executed, or stop doing so.", "trace on",
        looking.trace, LOOKING, ("on", "off"),
    ),
    Command(
        "history", ("hist",), "history [N]", "List the last executed steps and changes by hand.", "history 20",
        looking.history, LOOKING,
    ),
    Command(
        "profile", ("prof",), "profile [N]", "List the addresses and lines executed most often.", "profile 5",
        looking.profile, LOOKING,
    ),
    Command(
        "stats", (), "stats", "Show what was computed, by what, and with what margin.", "stats", looking.stats, LOOKING
    ),
    Command(
        "explain", ("e",), "explain [A B]",
        "Show each prediction of the last step, or of A - B: matched templates, prediction, threshold, margin.",
        "explain 5 3", learned.explain, LEARNED,
    ),
    Command(
        "unit", (), "unit [NAME]",
        f"Let another unit compute from here on: {', '.join(catalog.UNITS)}.", "unit native",
        learned.unit, LEARNED, UNITS,
    ),
    Command(
        "both", (), "both NAME|off", "Run a second unit beside the first, and stop where they differ.",
        "both ntk-limit", learned.both, LEARNED, UNITS,
    ),
    Command(
        "set", (), "set ADDR|LABEL = EXPR", "Change a word of memory.", "set counter = 5", changing.set_, CHANGING,
        PLACES,
    ),
    Command(
        "pc", (), "pc [= LOC]", "Show pc, or continue from somewhere else.", "pc = loop", changing.pc, CHANGING, PLACES
    ),
    Command(
        "asm", ("a",), "asm [ADDR] STATEMENT", "Assemble a statement at an address, by default at pc.",
        "asm sbn one, counter", changing.asm, CHANGING, PLACES,
    ),
    Command(
        "input", ("in",), 'input "TEXT" | input end', "Give the program bytes to read, or end its input.",
        'input "17 25\\n"', changing.input_, CHANGING,
    ),
    Command(
        "undo", (), "undo", "Take back the last change by hand, and everything after it.", "undo", changing.undo,
        CHANGING,
    ),
    Command(
        "snapshot", ("snap",), "snapshot save|load|diff FILE",
        "Save the whole state to a file, load it, or compare with it.", "snapshot save before.snap",
        changing.snapshot, CHANGING, FILES,
    ),
    Command(
        "reload", (), "reload", "Read the program again and start over; breakpoints and watches are kept by name.",
        "reload", changing.reload, CHANGING,
    ),
    Command(
        "help", ("h", "?"), "help [COMMAND]", "List the commands, or explain one.", "help break", help_, HELP, COMMANDS
    ),
    Command("quit", ("q", "exit"), "quit", "Leave.", "quit", quit_, HELP),
)  # fmt: skip
_BY_NAME = {name: command for command in TABLE for name in (command.name, *command.aliases)}
