"""Lines of other languages and assemblers: each is an error that says how it is written here."""

import pytest

from assembler import AssemblyError, assemble

DATA = "\nhalt\nx: .word 5\ny: .word 7\nn: .word 0\n"
# The line; some of the words of the help.
HABITS = [
    ('out "a"', "`='a'` for the character, or `=\"a\"` for the address"),
    (r'out "\n"', r"`='\n'` for the character"),
    ('out "\'"', r"`='\''` for the character"),
    (r'out "\'"', r"`='\''` for the character"),
    ('out "ab"', '`="ab"` for the address of the text'),
    (".word \u22121", "looks like `-`"),
    ("mov x, \u201cy\u201d", 'looks like `"`'),
    (".word \u2018a\u2019", "looks like `'`"),
    ("mov x\uff0c y", "looks like `,`"),
    ("mov\u00a0x, y", "no ordinary blank"),
    ("\u200bmov x, y", "cannot be seen"),
    ("größe: .word 1", "letters A to Z"),
    ("mov x, y\rhalt", "a line ends with a line feed"),
    ("mov eax, x", "there are no registers"),
    ("add r1, x", "there are no registers"),
    ("while true\nend", "a condition that always holds is `=1`"),
    ("jmp loop:", "elsewhere it is `loop`"),
    ("call f:", "elsewhere it is `f`"),
    (".data", "there are no sections"),
    ("section .text", "there are no sections"),
    (".globl main", "there are no sections"),
    ("import os", '`.include "file"`'),
    (".include <stdio.h>", '`.include "file"`'),
    ("int main() {", "`proc main` … `endproc`"),
    ("def f(a):", "`proc f` … `endproc`"),
    ("proc f()", "`proc f` … `endproc`"),
    ("call f(x)", "`call f` gives no arguments"),
    ("halt()", "parentheses are left out"),
    ("int x;", "`x: .word 0`"),
    ("unsigned int x", "`x: .word 0`"),
    ("x++", "`inc x`"),
    ("x--;", "`dec x`"),
    ("x += 1", "`add =1, x`"),
    ("x -= y", "`sub y, x`"),
    ("x *= 3;", "`mul =3, x`"),
    ("y = x + 1", "`mov x, y` copies a word"),
    ("const N = 5", "`.equ N, 5`"),
    (".equ N 5", "`.equ N, 5`"),
    (".equ N = 5", "`.equ N, 5`"),
    (".define N 5", "`.equ N, 5`"),
    ("m dw 5", "`m: .word 5`"),
    ('m db "hi", 0', '`m: .asciz "text"`'),
    ("m: word 5", "did you mean `.word`?"),
    (".macro f(a, b)", "`.macro f a, b`"),
    (".macro f a b", "`.macro f a, b`"),
    ("int 0x80", "`halt` ends the program"),
    ("syscall", "`halt` ends the program"),
    ("while (x) {", "there are no braces"),
    ("}", "there are no braces"),
    ("do", "`repeat` … `until a`"),
    ("switch x", "`if a eq b` … `else` … `end`"),
    ("loop x", "`repeat` … `until not x`"),
    ("mov x to y", "sources first and the destination last"),
    ("x <- 5", "sources first and the destination last"),
    ("mov x -> y", "sources first and the destination last"),
    ("add *p, x", "`load p, a` reads the word whose address is in `p`"),
    ("add &x, y", "`lea a, p` makes an address"),
    ("my-label: inc x", "letters, digits and _"),
    ("label:: inc x", "a label is written `name:`"),
    (".loop: inc x", "a label begins with a letter"),
    ('10 PRINT "X"', "lines have no numbers"),
    ("REM a comment", "a comment begins with `;`"),
    ("5", "`.word 5`"),
    ('"text"', '`.asciz "text"`'),
]


@pytest.mark.parametrize(("line", "words"), HABITS)
def test_a_line_of_another_language_is_told_how_it_is_written_here(line: str, words: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble(line + DATA, "t.sbn")
    first = caught.value.diagnostics[0]
    assert first.span is not None and first.span.line.number == 1
    assert first.help is not None and words in first.help
