"""`sbn page` and `Machine.page`: what is written, and what is refused. What the page does is in test_vm_page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sbn_command import Sbn

import programs
from vm import Machine
from vm.debugger import commands
from vm.page import document, gallery

LIMIT = 1_200_000


@pytest.fixture
def sbn(capsysbinary, monkeypatch, tmp_path, unit_of):
    unit_of("ntk")  # in the tests' cache
    monkeypatch.chdir(tmp_path)
    return Sbn(capsysbinary, monkeypatch)


def data_of(page: str) -> dict[str, Any]:
    """The data that a page holds."""
    found = re.search(r'<script type="application/json" id="sbn-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_a_bundled_program_is_written_to_its_name(sbn):
    assert sbn("page", "primes") == 0
    page = Path("primes.html").read_text(encoding="utf-8")
    assert sbn.text == "" and sbn.err == f"primes.html: {len(page.encode()):,} bytes\n"
    data = data_of(page)
    assert data["name"] == "primes" and data["description"] == programs.description("primes")
    assert data["source"]["files"][data["source"]["main"]]["text"] == programs.source("primes")
    assert data["input"] == {"bytes": "", "ended": False} and data["unit"]["kind"] == "live"


@pytest.mark.parametrize("name", ["hello", "primes", "calculator", "selfhost"])
def test_a_page_has_at_most_1_200_000_bytes(sbn, name):
    assert sbn("page", name, "-q", "-o", "page.html") == 0
    assert Path("page.html").stat().st_size < LIMIT


def test_a_page_goes_to_stdout_and_its_source_comes_from_stdin(sbn):
    assert sbn("page", "-", "-o", "-", "--input-text", "17", stdin=b"x: .word 1\n") == 0
    data = data_of(sbn.text)
    assert data["name"] == "program" and data["input"] == {"bytes": "MTc=", "ended": True}


def test_a_file_of_words_has_no_source_to_show(sbn):
    Path("words.dec").write_text("2 2 -1 0")
    assert sbn("page", "words.dec") == 0
    assert data_of(Path("words.html").read_text())["source"] is None


def test_an_image_file_is_not_taken_for_its_source(sbn):
    assert sbn("asm", "hello", "-o", "hello.img") == 0
    assert sbn("page", "hello.img") == 0
    source = data_of(Path("hello.html").read_text())["source"]
    assert source["files"][source["main"]]["text"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a program"),
        (("--all",), "--all writes all bundled programs into a folder"),
        (("hello", "--all", "-o", "pages"), "--all writes all bundled programs into a folder"),
        (("--all", "-o", "pages", "--input-text", "1"), "with --all every program is given its sample input"),
        (("hello", "-o", "missing/page.html"), "there is no folder missing"),
        (("helo",), "there is a bundled program hello"),
    ],
)
def test_what_cannot_be_written_is_refused(sbn, arguments, said):
    assert sbn("page", *arguments) == 2
    assert said in sbn.err and not list(Path().iterdir())


def test_all_writes_a_page_for_each_bundled_program_and_an_index(sbn, monkeypatch):
    monkeypatch.setattr(programs, "names", lambda folder="": ("adder", "hello"))
    assert sbn("page", "--all", "-o", "pages") == 0
    assert {path.name for path in Path("pages").iterdir()} == {"adder.html", "hello.html", "index.html"}
    index = Path("pages/index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="(\w+)\.html"', index) == ["adder", "hello"]
    assert data_of(Path("pages/adder.html").read_text())["input"]["ended"]


def test_an_index_takes_no_name_for_markup():
    index = gallery.make_index([("<b>", "a & b")])
    assert "<b>" not in index and "&lt;b&gt;" in index and "a &amp; b" in index


def test_a_machine_gives_its_page(unit_of):
    source = "; Counts.\n start: .word 0\n"
    page = Machine(source, unit_of("ntk"), input=None).page()
    data = data_of(page)
    assert data["description"] == "Counts." and not data["input"]["ended"]
    assert data["source"]["files"][data["source"]["main"]]["text"] == source
    frame = page._repr_html_()
    assert frame.startswith("<iframe") and 'sandbox="allow-scripts"' in frame and "<script" not in frame


def test_the_policy_allows_only_what_the_page_holds(unit_of):
    page = Machine("x: .word 0", unit_of("ntk")).page()
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None and found[1].startswith("default-src 'none'; ") and "unsafe" not in found[1]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert style is not None and script is not None
    for text in (style[1], script[1]):
        assert document.digest(text) in found[1]


def test_the_buttons_and_keys_of_the_page_name_the_commands_of_the_debugger() -> None:
    folder = Path(document.__file__).parent
    titles = re.findall(r'title="[^"]*; ([\w-]+) in the debugger"', (folder / "page.html").read_text(encoding="utf-8"))
    assert titles == ["back", "stepi", "step", "finish", "until"]
    assert set(titles) <= {command.name for command in commands.TABLE}
    keys = (folder / "view" / "keyboard.js").read_text(encoding="utf-8")
    assert {name for name in titles if f"({name}" in keys} == set(titles)
