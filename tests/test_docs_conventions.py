"""The page on programs from elsewhere names every notation, format and input mode there is, and no other."""

import re
from pathlib import Path

from assembler.files import FORMATS
from assembler.image import INPUT_MODES
from assembler.options import DIALECTS

PAGE = (Path(__file__).parent.parent / "docs" / "conventions.md").read_text(encoding="utf-8")


def test_every_dialect_has_a_row_and_no_other_is_named() -> None:
    assert set(re.findall(r"--dialect (\w+)", PAGE)) == set(DIALECTS)


def test_every_raw_format_is_named() -> None:
    assert {"dec", "hex", "bin", "bin-be"} == set(FORMATS) - {"sbn", "img"}
    for name in ("`.dec`", "`.hex`", "`.bin`", "`--format bin-be`"):
        assert name in PAGE


def test_the_parts_of_the_table_make_every_input_mode() -> None:
    parts = re.findall(r"^\| `(?:…(_\w+)|(set|add|sub))` \|", PAGE, re.MULTILINE)
    suffixes = [suffix for suffix, _ in parts if suffix]
    combines = [combine for _, combine in parts if combine]
    numbers, ends, branches = ["", suffixes[0]], ["", suffixes[1]], ["", *suffixes[2:]]
    assert {a + b + c + d for a in combines for b in numbers for c in ends for d in branches} == set(INPUT_MODES)
    assert f"one of {len(INPUT_MODES)} words" in PAGE
    assert set(re.findall(r"--input-mode (\w+)", PAGE)) <= set(INPUT_MODES)
