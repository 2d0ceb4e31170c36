"""The argument parser of `sbn`: its commands, and the options of each.

Options that several commands share are in `vm.console.options`; what a command does is in `vm.command`, imported when
it is chosen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from assembler.files import FORMATS
from assembler.image import INPUT_MODES
from learned_units import interrupts
from learned_units.catalog import DEFAULT_UNIT, TASKS, UNITS
from vm.console import options
from vm.console.launch import PROG, Parser, launch, parse
from vm.console.options import INPUT_MODE_HELP, WIDTH, count, duration, number, positive

SHELLS = ("bash", "zsh", "fish")
GROWTH = ("width", "memory", "ensemble", "machines")

EPILOG = """\
FILE is a file (.sbn source, .img image, .dec .hex .bin words), the name of a bundled program, or - for stdin.
Results are written to stdout, everything else to stderr. Exit codes: 0 halted, and every checked step agreed;
1 the run or a check failed; 2 wrong usage, or a file that cannot be used; 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `sbn` with these arguments, by default the process's. Returns the exit code."""
    with interrupts.noted():
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(arguments: Sequence[str]) -> int:
    chosen = parse(made_parser(), _with_decimals(arguments))
    if isinstance(chosen, int):
        return chosen
    if chosen.version:
        chosen.command = "version"
    return launch(chosen.command, chosen)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options that a command line stands for. Raises SystemExit for one that is refused."""
    return made_parser().parse_args(_with_decimals(arguments))


def _with_decimals(given: Sequence[str]) -> list[str]:
    """The arguments; of a command that is given numbers, with negative ones in decimal."""
    command = next((text for text in given if not text.startswith("-")), None)
    return [options.as_decimal(text) for text in given] if command in ("explain", "compute", "picture") else list(given)


def made_parser() -> argparse.ArgumentParser:
    """The parser of all commands and their options."""
    parser = Parser(
        prog=PROG,
        description="A one-instruction computer (subtract and branch if negative) that runs on trained networks.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="show versions, device and cache folder")
    options.add_common(parser, default=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, help: str, epilog: str | None = None) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=help,
            description=help[0].upper() + help[1:] + ".",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        options.add_common(added, default=argparse.SUPPRESS)
        return added

    demo = command("demo", "train the default unit, prove it, run programs on it, and say what was learned")
    demo.add_argument(
        "--turing", action="store_true", help="show the way from one instruction to an interpreter, on learned steps"
    )
    _add_run(command("run", "assemble or load a program, and run it", RUN_EPILOG))
    new = command("new", "write a commented program to begin with")
    new.add_argument("name", metavar="NAME", help="what it is called; the file is NAME.sbn and is never overwritten")
    _add_asm(command("asm", "assemble a program into an image file"))
    options.add_program(command("dis", "disassemble an image into source that assembles back to it"), "IMAGE")
    listing = command("list", "show addresses, words and source lines side by side")
    options.add_program(listing, "FILE")
    listing.add_argument("--source", action="store_true", help="show the lines of the source only, macros unexpanded")
    _add_debug(command("debug", "step through a program, forwards and backwards", DEBUG_EPILOG))
    _add_repl(command("repl", "assemble and execute statements as they are typed, on an empty machine", REPL_EPILOG))
    command("dap", "let an editor debug programs: the debug adapter, on stdin and stdout")
    command("lsp", "help an editor with sources: the language server, on stdin and stdout")
    _add_picture(command("picture", "draw one learned step, or a run, for a paper or a slide", PICTURE_EPILOG))
    _add_page(command("page", "write a program as one HTML file in which it runs on the networks", PAGE_EPILOG))
    macros = command("macros", "list the standard macros with their costs, or describe one")
    macros.add_argument("name", nargs="?", metavar="NAME", help="the macro to describe")
    train = command("train", "train a unit and store its weights")
    train.add_argument(
        "unit", metavar="UNIT", help=options.either(name for name, unit in UNITS.items() if unit.trained)
    )
    options.add_weights(train)
    options.add_width(train)
    options.add_isa(train)
    train.add_argument("--force", action="store_true", help="train again even if weights are already stored")
    exported = command("export", "write a unit as files that others can use without this project", EXPORT_EPILOG)
    exported.add_argument("unit", metavar="UNIT", help=options.either(UNITS))
    exported.add_argument("-o", "--output", metavar="FOLDER", required=True, help="new folder, or the file of --format")
    exported.add_argument("--format", choices=("npz", "stablehlo"), help="write one file instead of the folder")
    options.add_weights(exported)
    options.add_width(exported)
    options.add_isa(exported)
    _add_explain(command("explain", "show every prediction that one subtract-and-branch, A - B, rests on"))
    _add_compute(
        command("compute", "add, subtract, multiply or permute with the networks, outside the machine", COMPUTE_EPILOG)
    )
    _add_verify(command("verify", "prove a unit on every input, or run it on pairs of operands", VERIFY_EPILOG))
    command("units", "show what is learned in each unit, and what was verified for the weights stored here")
    bundled = command("programs", "list the bundled programs, or print the source of one")
    bundled.add_argument("name", nargs="?", metavar="NAME", help="the program to print")
    _add_certify(
        command("certify", "bound how likely a unit is to be wrong anywhere in a run, and say what that rests on")
    )
    _add_modular(
        command(
            "modular", "compute a modular polynomial with expert networks, or verify its whole table", MODULAR_EPILOG
        )
    )
    _add_reproduce(command("reproduce", "measure a table or figure of the papers again, or list the experiments"))
    completion = command("completion", "write what a shell needs to complete the words of sbn", COMPLETION_EPILOG)
    completion.add_argument("shell", choices=SHELLS, help="the shell")
    _add_bench(command("bench", "measure the speed of the units and of the reference, side by side"))
    return parser


RUN_EPILOG = """\
The program's input is stdin, read when the program asks for it, unless --input or --input-text gives it; with program
- there is none unless one of them gives it. --trace writes step,pc,a,b,c,address,old,new,next_pc,margin with
unsigned words; to a file whose name ends in .json it writes the macro calls and routines as nested slices, in the
trace format of Chrome, which Perfetto (ui.perfetto.dev) and speedscope open.

With --whole, NAME is a program for the whole machine of S cells, which has no console: the decimal numbers of its
input are put into word S - 2 and downwards before the first instruction, and word S - 1 is printed at the end.
"""
DEBUG_EPILOG = """\
Commands are read from the terminal, or from a pipe: sbn debug FILE < SCRIPT. `help` lists them. The program's input
comes only from --input, --input-text or the command `input`.
"""
REPL_EPILOG = """\
A line is a statement: it is assembled at the end of the program so far and, if it is an instruction or a macro,
executed. Debugger commands begin with a colon; `:help` lists them.
"""
PAGE_EPILOG = """\
Open the file in any browser: it needs no server and no network. There the program runs live on the unit ntk; for
other units the page plays a recorded run of up to 20,000 steps. Unless --input or --input-text gives the input, the
reader types it. --all -o FOLDER writes a page for each bundled program, on its sample input, and an index.
"""
COMPLETION_EPILOG = """\
Let the shell evaluate it when it starts. It needs shtab: pip install 'neural-sbn[editor]'.
  bash   eval "$(sbn completion bash)"                      in ~/.bashrc
  zsh    eval "$(sbn completion zsh)"                       in ~/.zshrc, after compinit
  fish   sbn completion fish > ~/.config/fish/completions/sbn.fish
"""
PICTURE_EPILOG = """\
The name after -o tells the type of picture: .png, .svg or .pdf, of which the last two hold text as text.
"""
COMPUTE_EPILOG = """\
  sbn compute add 200 100 --bits 8          300: the exact sum, one bit longer than the operands
  sbn compute subtract 3 0x10               -13
  sbn compute multiply -12 34 --bits 8      -408, twice as long
  sbn compute permute 10110 4,3,2,1,0       01101: the k-th number of the permutation, counted from 0 at the left, is
                                            the place the k-th bit goes to; also `reverse`, `rotate:K` (to the right)
                                            and `random:SEED`. Bits may be written 0x2C, four to a digit.
"""
VERIFY_EPILOG = """\
The units ntk (the default) and ntk-bits are proved: every input their networks can receive is enumerated, and their
composition is checked at every width. With --group word and --width above 8, one network for the whole word, every
network is enumerated, too, shard by shard (up to 16 bits; there it takes hours). With --cases, and for other units,
pairs of operands are run: all of them up to 8 bits, otherwise a sample. Finished shards are kept, and the same command
continues from there, with any number of processes; --shard runs any one of them again. What was verified is recorded
with the weights; see `sbn units`. If something is wrong, a counterexample is shown and the exit code is 1.
"""
MODULAR_EPILOG = """\
Letters are variables; adjacent factors are multiplied; ^ is a power. Products of variables, and powers,
need a prime modulus. With a value for each variable the experts compute the answer, otherwise every row of the
table: sbn modular "3a^2 b + 5b + 7 mod 97" a=4 b=9
"""
EXPORT_EPILOG = """\
The folder holds weights.safetensors, step.stablehlo (one step of any number of cases, for cpu, cuda and tpu),
vectors.npz (1,000 cases with their results by integer arithmetic) and README.md, the model card. --format stablehlo
writes the step alone, --format npz the weights and the cases.
"""


def _add_run(parser: argparse.ArgumentParser) -> None:
    options.add_program(parser, "FILE")
    options.add_unit(parser)
    options.add_whole(parser)
    options.add_input(parser)
    parser.add_argument("--max-steps", type=count, metavar="N", help="stop after N steps (default: never)")
    parser.add_argument("--no-check", action="store_true", help="do not compare the steps with the reference executor")
    parser.add_argument("--stats", action="store_true", help="also show what computed what, and how fast")
    parser.add_argument("--json", action="store_true", help="write the closing line as a JSON object")
    parser.add_argument("--trace", metavar="FILE", help="write a CSV row for each step, or slices for a profiler")
    parser.add_argument(
        "--save-state", metavar="FILE", help="save the machine, at the end and from time to time before that"
    )
    parser.add_argument(
        "--batch", metavar="FILE", help="run one machine for each line of FILE, its input, side by side"
    )
    options.add_cluster(parser, "the batch")
    parser.add_argument("--resume", metavar="FILE", help="continue from a saved machine (with the same program)")


def _add_debug(parser: argparse.ArgumentParser) -> None:
    options.add_program(parser, "FILE")
    options.add_unit(parser)
    options.add_input(parser)
    parser.add_argument("--tui", action="store_true", help="show source, memory, output and margins on one screen")
    options.add_session(parser)


def _add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", nargs="?", metavar="PROGRAM", help="a file, the name of a bundled program, or -")
    options.add_more(parser)
    parser.add_argument("--all", action="store_true", help="write a page for each bundled program")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="file to write, or folder with --all; - is stdout (default: PROGRAM.html)",
    )
    parser.add_argument("--format", choices=FORMATS, help="format of the program's file, if its suffix does not tell")
    options.add_dialect(parser)
    options.add_stated(parser)
    options.add_unit(parser)
    options.add_input(parser)


def _add_picture(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    drawn = "draw A - B: its bits, and each prediction about its threshold"
    step = kinds.add_parser("step", help=drawn, description=f"D{drawn[1:]}.", allow_abbrev=False)
    options.add_case(step)
    options.add_unit(step)
    drawn = "draw a run: margins over time, and the words executed and written"
    run = kinds.add_parser("run", help=drawn, description=f"D{drawn[1:]}.", allow_abbrev=False)
    options.add_program(run, "PROGRAM")
    options.add_unit(run)
    options.add_input(run, also=" (default: none)")
    run.add_argument(
        "--max-steps", type=positive, default=100_000, metavar="N", help="stop after N steps (default 100,000)"
    )
    for each, name in ((step, "step.png"), (run, "PROGRAM.png")):
        each.add_argument("-o", "--output", metavar="FILE", help=f"file to write (default: {name})")
        options.add_look(each)
        options.add_common(each, default=argparse.SUPPRESS)


def _add_repl(parser: argparse.ArgumentParser) -> None:
    options.add_unit(parser)
    options.add_isa(parser)
    options.add_width(parser)
    parser.add_argument("--memory", type=number, metavar="N", help="words of memory (default 2^W, up to 65,536)")
    parser.add_argument("--input-mode", choices=INPUT_MODES, default="set", metavar="MODE", help=INPUT_MODE_HELP)
    options.add_session(parser)


def _add_asm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="FILE", help="a file, the name of a bundled program, or -")
    options.add_more(parser)
    parser.add_argument("-o", "--output", metavar="IMAGE", help="file to write; - is stdout (default: FILE with .img)")
    parser.add_argument(
        "--format", dest="output_format", choices=FORMATS, help="format of IMAGE (default: by its suffix, else img)"
    )
    parser.add_argument("--symbols", metavar="FILE", help="also write the program's names, as `.equ` lines to include")
    parser.set_defaults(format=None)
    options.add_dialect(parser)
    options.add_stated(parser)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    options.add_case(parser)
    options.add_unit(parser)
    options.add_whole(parser)
    parser.add_argument("--json", action="store_true", help="write one JSON object instead of the table")


def _add_certify(parser: argparse.ArgumentParser) -> None:
    options.add_unit(parser)
    options.add_width(parser)
    options.add_isa(parser)
    parser.add_argument(
        "--steps", type=positive, default=1_000_000, metavar="N", help="length of the run (default 1,000,000)"
    )
    parser.add_argument(
        "--delta", type=float, default=0.01, metavar="D", help="probability of failure allowed (default 0.01)"
    )
    parser.add_argument(
        "--networks", type=positive, metavar="M", help="also bound the failure of a plain ensemble of M networks"
    )


def _add_modular(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("polynomial", metavar="POLYNOMIAL", help='such as "3a^2 b + 5b + 7 mod 97"')
    parser.add_argument("values", nargs="*", default=[], metavar="NAME=N", help="values of the variables")
    parser.add_argument("--json", action="store_true", help="write one JSON object instead of the table")


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="what to measure (default: list them)")
    parser.add_argument(
        "--quick", action="store_true", help="use smaller sizes: it takes seconds, and the figures are coarser"
    )
    parser.add_argument(
        "--csv", metavar="FILE", help="write the table as comma-separated values; - instead of the table"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw the figures (.png, .svg, .pdf); needs matplotlib")
    options.add_look(parser)


def _add_compute(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK", choices=TASKS, help=", ".join(TASKS))
    parser.add_argument("first", metavar="A", help="a number, such as 5, -5 or 0x1F; for permute, a string of bits")
    parser.add_argument("second", metavar="B", help="a number; for permute, a permutation such as 2,0,1 or `reverse`")
    parser.add_argument(
        "--unit",
        metavar="UNIT",
        help=options.either((name for name in UNITS if name not in ("modular", "ntk-bits")), DEFAULT_UNIT),
    )
    parser.add_argument(
        "--bits", type=positive, metavar="N", help="bits of an operand (default 16; permute: those given)"
    )
    options.add_seed_and_group(parser)
    options.add_renamed(parser, "--design", "`--group word` is the paper's design, and `--group 8` the grouped one")
    parser.add_argument(
        "--readout",
        choices=("calibrated", "sign"),
        default="calibrated",
        help="threshold halfway between none and one matched template (default), or at 0 as in the paper (ntk-limit)",
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object instead of text")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    options.add_unit(parser, also="; or, for the unit ntk, a safetensors file with the weights to verify")
    parser.add_argument(
        "--width", type=number, metavar="W", help=f"bits of a word (default {WIDTH}, or N of --group N above 8)"
    )
    options.add_isa(parser)
    parser.add_argument(
        "--cases", type=positive, metavar="N", help="run N pairs: half uniform, half adversarial (--seed)"
    )
    parser.add_argument("--shards", type=positive, metavar="N", help="stop after N more shards")
    parser.add_argument(
        "--shard", type=count, metavar="K", help="run shard K alone, counted from 0, and record nothing"
    )
    parser.add_argument("--restart", action="store_true", help="forget the shards finished before")
    parser.add_argument(
        "--whole", action="store_true", help="verify the seven networks of the whole machine, on every input"
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="draw the margins of every decision on every input (.png, .svg, .pdf)"
    )
    options.add_look(parser)
    options.add_cluster(parser, "the shards or inputs")


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds", type=duration, default=1.0, metavar="S", help="length of a measurement (default 1)"
    )
    parser.add_argument(
        "--repeat", type=positive, default=3, metavar="N", help="how often each is measured (default 3)"
    )
    options.add_width(parser)
    parser.add_argument(
        "--machines", type=count, default=1024, metavar="N", help="machines in a batch (default 1024; 0: no batch)"
    )
    parser.add_argument("--no-start", dest="start", action="store_false", help="do not measure how long a start takes")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--growth", choices=GROWTH, help="measure speeds as one size grows, instead")
    instead.add_argument(
        "--stops", action="store_true", help="measure conditional stops of the debugger on each unit, instead"
    )
    parser.add_argument("--plot", metavar="FILE", help="also draw the growth (.png, .svg, .pdf)")
    options.add_look(parser)
    parser.add_argument("--csv", action="store_true", help="write comma-separated values instead of the table")


if __name__ == "__main__":
    sys.exit(main())
