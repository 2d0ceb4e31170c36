"""The tables that are computed from the grammar can be kept in a file, and are computed again on any doubt."""

import pytest
from lark.load_grammar import load_grammar

from assembler import assemble, parsing

SOURCE = " sbn one, x, -1\nx: .word 2 + 3 * 4\none: .word 1\n"


def forget() -> None:
    """Have the grammar and all lines read again."""
    parsing._grammar.cache_clear()
    parsing._parsed.cache_clear()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A file that keeps the tables; the grammar is as if it had not been used yet, before and after."""
    file = tmp_path / "grammar"
    monkeypatch.setattr(parsing, "_tables", None)
    forget()
    parsing.keep_tables(str(file))
    assemble(SOURCE)
    forget()
    yield file
    forget()


@pytest.fixture
def computed(monkeypatch):
    """How often tables are computed."""
    calls = []
    monkeypatch.setattr("lark.lark.load_grammar", lambda *given: calls.append(1) or load_grammar(*given))
    return calls


def test_tables_are_taken_from_the_file_and_read_the_same_sources(kept, computed):
    image = assemble(SOURCE)
    assert list(image.words) == [4, 3, -1 & 0xFFFF, 14, 1] and not computed


@pytest.mark.parametrize("damage", ["cut", "emptied", "altered"])
def test_a_damaged_file_is_computed_again_and_replaced(kept, computed, damage):
    whole = kept.read_bytes()
    kept.write_bytes({"cut": whole[:5000], "emptied": b"", "altered": b"0" * 64 + whole[64:]}[damage])
    assert assemble(SOURCE).words[3] == 14 and computed == [1]
    forget()
    assert assemble(SOURCE).words[3] == 14 and computed == [1]


def test_where_no_file_can_be_kept_sources_are_read_all_the_same(kept, tmp_path):
    parsing.keep_tables(str(tmp_path / "no folder" / "grammar"))
    assert assemble(SOURCE).words[3] == 14 and not (tmp_path / "no folder").exists()


def test_the_library_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(parsing, "_tables", None)
    monkeypatch.chdir(tmp_path)
    forget()
    assert assemble(SOURCE).words[3] == 14 and not list(tmp_path.iterdir())
