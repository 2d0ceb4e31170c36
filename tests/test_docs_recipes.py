"""The page of recipes: its snippets run one after the other, as they stand."""

import re
from pathlib import Path

import pytest
from marks import slow

import vm

PAGE = Path(vm.__file__).resolve().parent.parent / "docs" / "recipes.md"
QUICK = [0, 3, 7]  # the unit, the unit as a pytree, a unit of one's own: those that compile no step of a network


@pytest.mark.parametrize("which", [QUICK, *slow(list(range(8)))])
def test_the_recipes_run(unit_of, which):
    unit_of("ntk", 4)
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 8
    names: dict[str, object] = {"__name__": "recipes"}
    for k in which:
        exec(compile(snippets[k], str(PAGE), "exec"), names)  # a dataclass looks its module up by name
