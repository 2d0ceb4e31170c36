"""The notebooks run from top to bottom, and print what is stored in them."""

import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 60_000


def stored(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def told(notebook: Any) -> list[list[str]]:
    """For each cell of code its outputs as text, without what differs from machine to machine: margins, times, how many
    inputs of a network that is no longer right are wrong. Progress and pictures are left out."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [[text for output in cell.outputs if (text := _text(output))] for cell in cells]


def _text(output: Any) -> str:
    if output.output_type == "display_data":
        return ""
    if output.output_type == "error":
        return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))
    text = output.get("text") or output.data["text/plain"]
    return re.sub(r"\b[1-9][\d,]* wrong", "# wrong", re.sub(r"-?\d+\.\d+", "#", text))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_small_and_was_run_from_top_to_bottom(path):
    notebook = stored(path)
    nbformat.validate(notebook)
    assert path.stat().st_size <= MOST_BYTES
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|Users)/", text)
    for link in re.findall(r"\]\(([^):#]+)\)", text):
        assert (FOLDER / link).is_file(), link


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_prints_what_is_stored_in_it(path, tmp_path):
    """Executed by a kernel. A cell that is to fail says so; any other that does ends the test."""
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    before, notebook = stored(path), stored(path)
    place = {"metadata": {"path": tmp_path}}
    client.NotebookClient(notebook, timeout=300, resources=place, coalesce_streams=True).execute()
    assert told(notebook) == told(before)
    pictures = [["image/png" in output.get("data", {}) for output in cell.get("outputs", [])] for cell in before.cells]
    drawn = [["image/png" in output.get("data", {}) for output in cell.get("outputs", [])] for cell in notebook.cells]
    assert [any(cell) for cell in drawn] == [any(cell) for cell in pictures]
