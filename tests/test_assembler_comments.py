"""Comments that were likely meant as statements are noted, and what comments usually say is not."""

from pathlib import Path

import pytest

from assembler import assemble

DATA = """
halt
x:      .word 5
msg:    .asciz "hi"
raw:    .asciz "ha"
"""
# The source; the column; some of the words.
HIDDEN = [
    ("#define SIZE 10", 1, "`.equ NAME, value` names a number"),
    ('#include "more.sbn"', 1, '`.include "file"` takes in a file'),
    ("#ifdef DEBUG", 1, "choose what is assembled"),
    ("puts msg; puts raw", 9, "so that `puts raw` does nothing"),
    ('puts ";"; inc x', 9, "so that `inc x` does nothing"),
]
COMMENTS = [
    "inc x; one more; inc is short",
    "inc x ; inc y",
    "inc x;",
    "#definitely a comment",
    "# define it yourself",
]


def notes(text: str) -> list[str]:
    return [str(note) for note in assemble(text + DATA, "t.sbn").notes]


@pytest.mark.parametrize(("text", "column", "words"), HIDDEN)
def test_a_statement_in_a_comment_is_noted_where_it_stands(text: str, column: int, words: str) -> None:
    [said] = notes(text)
    assert said.startswith(f"t.sbn:1:{column}: ") and words in said


@pytest.mark.parametrize("text", COMMENTS)
def test_a_comment_is_not_noted(text: str) -> None:
    assert notes(text) == []


def test_a_comment_in_an_included_file_is_noted_there(tmp_path: Path) -> None:
    (tmp_path / "part.sbn").write_text("; a part\n#define N 5\n")
    [said] = assemble('.include "part.sbn"' + DATA, "t.sbn", tmp_path).notes
    assert (said.file, said.line, said.column) == (str(tmp_path / "part.sbn"), 2, 1)


def test_at_most_five_of_a_file_are_noted() -> None:
    assert len(notes("#define N 5\n" * 9)) == 5
