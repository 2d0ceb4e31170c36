"""The README and the chapters are true: commands print what is shown, programs assemble, the Python runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from assembler import assemble, macro_reference
from learned_units.catalog import UNITS
from vm.reference import ReferenceMachine, Stop

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHAPTERS = {page.name: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))}
LANGUAGE = CHAPTERS["language.md"]
PAGES = [README, *CHAPTERS.values()]
INSTALL_AND_TEST = "pip install -e '.[test]' && pytest"


def blocks(language: str, text: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def sessions(page: str) -> list[tuple[str, list[str]]]:
    """Every `$ command` of the console blocks of a page, with the lines shown under it."""
    found = []
    for block in blocks("console", page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            found.append((command, shown))
    return found


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        pytest.param(command, shown, id=command, marks=() if page is README else pytest.mark.slow)
        for page in PAGES
        for command, shown in sessions(page)
    ],
)
def test_a_session_in_the_documentation_prints_what_it_shows(command: str, shown: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines() + [without_numbers(line) for line in ran.stderr.splitlines()]
    for line in shown:
        assert line in said or without_numbers(line) in said, f"{line!r} is not in {said}"


def without_numbers(line: str) -> str:
    """A summary line without the margins and times that differ from machine to machine."""
    return re.sub(r"\d+\.\d+|\d+-\d+", "#", line)


@pytest.mark.parametrize("program", [block for page in PAGES for block in blocks("sbn", page)])
def test_a_program_in_the_documentation_assembles_and_halts(program: str) -> None:
    image = assemble(program)
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, image.memory_size())
    assert machine.run(1_000_000).stop is Stop.HALTED


# The recipes go on from one to the next; test_docs_recipes.py runs them.
@pytest.mark.parametrize(
    "code", [block for page in PAGES if page != CHAPTERS["recipes.md"] for block in blocks("python", page)]
)
def test_the_python_in_the_documentation_runs(code: str) -> None:
    exec(compile(code, "documentation", "exec"), {})


@pytest.mark.parametrize("page", [README, LANGUAGE], ids=["README.md", "language.md"])
def test_the_first_program_of_a_page_prints_what_it_says(page: str) -> None:
    image = assemble(blocks("sbn", page)[0])
    machine = ReferenceMachine(image.words, image.word_bits, image.isa, image.entry, image.memory_size())
    machine.run(1000)
    assert machine.output.decode().split() == list("9876543210")


def test_the_checks_run_the_readmes_test_command() -> None:
    assert "pip install -e . && sbn demo" in README and INSTALL_AND_TEST in README
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    install, tests = INSTALL_AND_TEST.split(" && ")
    assert install in script and re.search(rf"^{tests}$", script, re.MULTILINE)


def test_every_module_and_test_that_the_documentation_names_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"`((?:tests|learned_units|vm|assembler|programs|docs)/[\w/]+\.(?:py|md|sbn))`", page):
            assert (ROOT / name).is_file(), name
    for folder, pages in ((ROOT, [README]), (ROOT / "docs", list(CHAPTERS.values()))):
        for page in pages:
            for name in re.findall(r"\]\(((?!https?:)[^)#]+)\)", page):
                assert (folder / name).is_file(), name


def test_the_language_chapter_lists_every_standard_macro_with_the_librarys_own_words() -> None:
    rows = [
        f"| `{macro.usage}` | {macro.documentation.splitlines()[0].strip()} |".replace("|a|", "\\|a\\|")
        for macro in macro_reference()
    ]
    table = re.search(r"\| macro \| effect \|\n\| --- \| --- \|\n((?:\|.*\n)*)", LANGUAGE)
    assert table is not None and table[1].splitlines() == rows


def test_the_sum_in_the_language_chapter_adds() -> None:
    image = assemble(next(block for block in blocks("sbn", LANGUAGE) if "putn" in block))
    machine = ReferenceMachine(image.words, 32, image.isa, image.entry, image.memory_size(), input=b"1200 34 -5\n")
    assert machine.run(100_000).stop is Stop.HALTED and machine.output == b"1229\n"


def test_the_readme_says_of_every_unit_what_the_code_says_is_learned() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)`(?: \(default\))? \| .* \| (.*) \| (.*) \| (.*) \| (.*) \|$", README, re.MULTILINE
    )
    said = {
        name: tuple(cells)
        for name, *cells in rows
        if name in UNITS and cells[0] in ("learned", "closed form", "native")
    }
    scopes = {name: entry.scope for name, entry in UNITS.items()}
    assert said == {name: (s.difference, s.decision, s.select, s.glue) for name, s in scopes.items()}


def test_the_readme_is_short_enough_to_finish() -> None:
    assert len(README.encode()) <= 8000


def test_the_tour_names_files_that_exist_and_functions_that_are_in_them() -> None:
    tour = CHAPTERS["tour.md"]
    folders = "|".join(re.findall(r"`(\w+)/`", README.partition("## Where things are")[2]))
    assert all((ROOT / folder).is_dir() for folder in folders.split("|"))
    named = re.findall(rf"`((?:{folders})/[^`]+)`", tour)
    assert len(set(named)) > 20 and all((ROOT / name).is_file() for name in named), named
    rows = tour.partition("| behaviour | file |")[2].strip().splitlines()[1:]
    assert len(rows) >= 10
    for row in rows:
        for name, functions in re.findall(r"`([\w/.]+/[\w.]+)`((?:,? (?:and )?`[\w.]+`)*)", row):
            for function in re.findall(r"`(?:\w+\.)?(\w+)`", functions):
                assert f"def {function}(" in (ROOT / name).read_text(encoding="utf-8"), (name, function)
