"""`sbn new`: a commented program to begin with."""

from __future__ import annotations

import argparse
import contextlib
import os

from assembler.diagnostics import printable
from learned_units.whole_file import write_whole
from vm.console.launch import UsageError
from vm.console.terminal import Talk

START = """\
; {name}: reads a number and writes what it and all numbers below it add up to.
;
;   sbn run {file}                        runs it on the networks
;   sbn debug {file}                      steps through it, forwards and backwards
;   sbn macros                            lists what a line can say; `sbn macros add` describes one
;
        .width  16                      ; bits in a word

        puts    "How far? "             ; a text
        getn    n                       ; a number from the input goes into the word n
        clr     sum                     ; sum = 0
        while   n gt =0                 ; `=0` is the number 0; `0` would be the word at address 0
          call  step
        end
        puts    "The sum is "
        putn    sum
        out     ='\\n'
        halt                            ; without it, the data below would be executed

        proc    step                    ; a routine: adds n, then counts down
          add   n, sum                  ; the source first: sum = sum + n
          sub   =1, n
        endproc

n:      .word   0                       ; the data: a name, and the word it begins with
sum:    .word   0
"""


def run(options: argparse.Namespace) -> int:
    """Write the program. Raises UsageError where there is a file of that name, OSError where it cannot be written."""
    file = options.name if options.name.lower().endswith(".sbn") else f"{options.name}.sbn"
    name = os.path.splitext(os.path.basename(file))[0]
    if not name or not name.isprintable():
        raise UsageError(f"{printable(options.name)!r} is not a name for a program; `sbn new sums` writes sums.sbn")
    text = START.format(name=name, file=file)
    try:
        open(file, "x").close()  # the name is taken from here on
    except FileExistsError:
        raise UsageError(f"{file} is there already and stays as it is; choose another name") from None
    try:
        write_whole(file, text.encode())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(file)
        raise
    Talk(options.quiet).say(f"{file}: a program to begin with; `sbn run {file}` runs it")
    return 0
