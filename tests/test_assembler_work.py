"""How much work a long source is: counted in function calls, which are the same on every machine."""

import sys
from types import FrameType

from assembler import assemble

MOST_CALLS = 800  # for a line; at 625 of them, 10,000 lines of blocks take 2.3 s of a busy processor


def source(parts: int) -> str:
    """A program of blocks, of which no line is like another."""
    some = (
        f"part_{k}: mov ={k}, total_{k}\n"
        f"  if x_{k} lt ={k + 7}\n"
        f"    add ={k}, x_{k}\n"
        f"  else\n"
        f"    while total_{k} gt x_{k}\n"
        f"      sub =3, total_{k}\n"
        f"    end\n"
        f"  end\n"
        f"  for i, =1, ={k % 9 + 1}\n"
        f"    add i, total_{k}\n"
        f"  end\n"
        f"  jmp next_{k}\ntotal_{k}: .word 0\nx_{k}: .word {k}\nnext_{k}:\n"
        for k in range(parts)
    )
    return ".width 24\n" + "".join(some) + "halt\ni: .word 0\n"


def calls(text: str) -> int:
    """The function calls, of Python's and of built-in functions, that assembling a text takes."""
    counted = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        assemble(text)
    finally:
        sys.setprofile(None)
    return counted


def test_the_work_for_a_line_of_blocks_is_bounded_and_does_not_grow_with_the_source() -> None:
    assemble(source(2))  # reads the library
    few, some, many = (calls(source(parts)) for parts in (10, 30, 70))
    lines = source(1).count("\n") - source(0).count("\n")
    first, second = (some - few) / (20 * lines), (many - some) / (40 * lines)
    assert abs(second / first - 1) < 0.02
    assert second < MOST_CALLS
