"""Help for lines that other languages have taught: what is written there, and what is written here."""

import re
import unicodedata

_NUMBER = r"-?\d\w*|'(?:\\.|[^'\\])'"
_BECOMES = r"(?:(?:let|var|int)\s+)?(?P<name>[a-z_]\w*)(?:\s*:?=\s+|=|\s*:=)"
_CONDITION = r"(?:\w+:\s*)?(?:if|while|until)\b"
_VALUE = rf"{_NUMBER}|[a-z_]\w*"
_TYPES = "int|char|short|long|float|double|unsigned|bool|byte|string|const|let|var|auto|static"
_ROUTINES = "int|void|char|def|function|func|fn|sub|procedure|proc"
_ENDS = r"\s*;?\s*$"

# What a line begins with, and the help for it. The first that fits counts.
_LINES = tuple(
    (re.compile(rf"\s*{pattern}", re.IGNORECASE), help)
    for pattern, help in (
        (
            rf"{_BECOMES}(?P<value>{_NUMBER})",
            "`mov ={value}, {name}` puts {value} into the word {name}; `.equ {name}, {value}` names the number",
        ),
        (rf"{_BECOMES}(?P<value>[a-z_]\w*)\s*$", "`mov {value}, {name}` puts the word {value} into {name}"),
        (
            rf"{_BECOMES}(?P<value>{_VALUE})\s*[-+*/%&|^]",
            "`mov {value}, {name}` copies a word; on lines of their own, `add`, `sub`, `mul` and others change {name}",
        ),
        *(
            (
                rf"(?P<name>[a-z_]\w*)\s*{sign}=\s*(?P<value>{value}){_ENDS}",
                f"this is written `{word} {mark}{{value}}, {{name}}`",
            )
            for value, mark in ((_NUMBER, "="), (r"[a-z_]\w*", ""))
            for sign, word in ((r"\+", "add"), ("-", "sub"), (r"\*", "mul"), ("/", "div"), ("%", "mod"))
        ),
        (rf"(?P<name>[a-z_]\w*)\s*\+\+{_ENDS}", "`inc {name}` adds 1 to it"),
        (rf"(?P<name>[a-z_]\w*)\s*--{_ENDS}", "`dec {name}` subtracts 1 from it"),
        (
            r"\.?(?:define|const|equ|eq)\s+(?P<name>[a-z_]\w*)\s*=?\s*(?P<value>\S+)",
            "a number gets a name by `.equ {name}, {value}`",
        ),
        (
            r"(?:\.?section|segment|\.?globa?l|\.?extern|\.align)\b|\.(?:data|text|code|bss)\s*$",
            "leave this out: there are no sections, and every word stands where it is written",
        ),
        (r"(?:\.?include|import|using|from)\b", 'another file is taken in by `.include "file"`'),
        (
            rf"(?:{_ROUTINES})\s+(?P<name>[a-z_]\w*)\s*\(",
            "a routine is written `proc {name}` … `endproc`, and `call {name}` calls it",
        ),
        (r"call\s+(?P<name>[a-z_]\w*)\s*\(", "`call {name}` gives no arguments: put them in words of the program"),
        (
            rf"(?P<name>[a-z_]\w*)\s*\(\s*\){_ENDS}",
            "parentheses are left out: `{name}`, or `call {name}` where it is a routine",
        ),
        (r"\.macro\s+(?P<name>[a-z_]\w*)\b", "a macro begins with `.macro {name} a, b`, and ends with `.endm`"),
        (
            r"(?:int\s+(?:0x)?\d+h?|syscall|ecall|swi|trap)\b",
            "`in a` reads a byte, `out a` writes one, and `halt` ends the program",
        ),
        (rf"(?:(?:{_TYPES})\s+)+(?P<name>[a-z_]\w*)\b", "a word that holds a number is written `{name}: .word 0`"),
        (
            r"(?P<name>[a-z_]\w*)\s+(?:db|dw|dd|dc|byte|word|int)\b\s*(?P<value>[^;]*[^;\s])",
            'a word gets a name by `{name}: .word 5`, and a text by `{name}: .asciz "text"`',
        ),
        (rf"(?P<name>[a-z_]\w*)\s+equ\s+(?P<value>{_NUMBER})", "a number gets a name by `.equ {name}, {value}`"),
        (r"(?:else\s+if|elif|else?if|elsif)\b", "write `else` and, below it, another `if` with an `end` of its own"),
        (r"for\s*\(?\s*(?P<name>[a-z_]\w*)\s*(?:=|in\b)", "a loop is written `for {name}, =1, =10` … `end`"),
        (rf"{_CONDITION}.*\bthen\b", "there is no `then`: the body stands on the lines below, up to `end`"),
        (rf"{_CONDITION}.*:\s*$", "no `:` ends a condition: the body stands on the lines below, up to `end`"),
        (rf"{_CONDITION}\s*\(.*\)\s*$", "a condition is written without parentheses, as in `if a lt b`"),
        (rf"{_CONDITION}[^=<>!]*=(?!=)", "a condition says `eq` for `=`; a number in it is `=5`"),
        (_CONDITION, "a condition is `a`, `not a`, or `a lt b` with one of lt, le, gt, ge, eq, ne"),
        (r"(?:/\*|--|'|rem\b)", "a comment begins with `;`, `#` or `//`"),
        (r"do\b", "a loop that is tested at its end is written `repeat` … `until a`"),
        (r"(?:switch|case|match)\b", "there is only `if a eq b` … `else` … `end`; one can stand in another"),
        (rf"repeat\s+(?P<value>{_NUMBER})", "`for i, =1, ={value}` … `end` repeats {value} times"),
        (r"loop\s+(?P<name>[a-z_]\w*)\s*$", "`repeat` … `until not {name}` is a loop; `jnz a, {name}` goes to {name}"),
        (
            r"(?:[a-z]\w*\s+\S+\s+(?:to|into|from|by|with|->|<-)|[^\s;#]+\s*(?:->|<-))\s*\S",
            "operands are separated by commas, sources first and the destination last: `mov a, b`",
        ),
        (
            r"[a-z_]\w*\s+(?P<name>[a-z_]\w*)\s*:\s*$",
            "only where it is defined, a label has a colon; elsewhere it is `{name}`",
        ),
        (r"[a-z_]\w*(?:[-.]\w+)+\s*:", "a name is made of letters, digits and _"),
        (r"[a-z_]\w*\s*::|:\s*[a-z_]", "a label is written `name:`"),
        (r"\.[a-z_]\w*\s*:|@", "a label begins with a letter"),
        (r"\d+\s+[a-z]", "lines have no numbers; a label is written `name:`"),
        (rf"(?P<value>{_NUMBER})\s*$", "a word that holds a number is written `.word {value}`"),
        (r'(?P<value>"[^"]*")\s*$', "a text is written `.asciz {value}`, and `puts {value}` writes one"),
        (r"\w+:\s*(?P<value>-?\d\w*)\s*$", "a word that holds a number is written `.word {value}`"),
        (r"\d\w*\s*:", "a label begins with a letter"),
    )
)
_REGISTER = re.compile(r"[er]?[abcd]x|[abcd][lh]|[er](?:sp|bp|si|di|ip)|r\d{1,2}|[atsvx]\d{1,2}|acc", re.IGNORECASE)
_REGISTERS = "there are no registers: a word with a label holds a value; a number is written `=5`"
_SIGNS = {
    "{": "there are no braces: a block ends with `end`, and a routine with `endproc`",
    "}": "there are no braces: a block ends with `end`, and a routine with `endproc`",
    "[": "`load p, a` reads the word whose address is in `p`, and `store a, p` writes it",
    "$": _REGISTERS,
    "@": _REGISTERS,
    "%": _REGISTERS,
}
_LOOK_ALIKES = dict(zip("\u201c\u201d\u201e\u2018\u2019\u201a\u2212\u2013\u2014", "\"\"\"'''---", strict=True))


def help_for(text: str) -> str | None:
    """Help for a line that is no statement, or None where it shows no habit that we know."""
    for pattern, help in _LINES:
        if match := pattern.match(text):
            return help.format(**match.groupdict())
    return None


def help_for_name(name: str) -> str | None:
    """Help for a name that means nothing here, and that another language may have taught; None for all others."""
    if name.lower() in ("true", "false"):
        return "a condition that always holds is `=1`, one that never does `=0`"
    return _REGISTERS if _REGISTER.fullmatch(name) else None


def help_for_sign(text: str, column: int) -> str | None:
    """Help for the sign that stands in this column of a line where none can."""
    before, sign, after = text[: column - 1], text[column - 1 : column], text[column:]
    if sign in ("*", "&") and after[:1].isidentifier() and not before[-1:].isidentifier():
        return "`load p, a` reads the word whose address is in `p`; `lea a, p` makes an address"
    if sign == "." and before[-1:].isdigit() and after[:1].isdigit():
        return "numbers are whole"
    return _SIGNS.get(sign) or _help_for_character(sign)


def _help_for_character(sign: str) -> str | None:
    """Help for what an editor or a web page puts in the place of a character of ASCII."""
    if sign == "\r":
        return "a line ends with a line feed, or with a carriage return and a line feed"
    if sign.isascii():
        return None
    meant = _LOOK_ALIKES.get(sign) or unicodedata.normalize("NFKC", sign)
    if meant == " ":
        return "this is no ordinary blank: write one in its place"
    if meant.isascii() and len(meant) == 1:
        return f"this only looks like `{meant}`: write that"
    if unicodedata.category(sign) == "Cf":
        return "this character cannot be seen: take it out"
    return "a name is made of the letters A to Z, digits and _" if sign.isalpha() else None
