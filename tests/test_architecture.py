"""Who imports whom, what an import costs, and what the packages promise by name."""

import ast
import functools
import importlib
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import vm
from learned_units import catalog

ROOT = Path(vm.__file__).resolve().parent.parent
ALLOWED = {
    "vm": {"assembler", "learned_units", "programs"},
    "assembler": set(),
    "learned_units": set(),
    "programs": set(),
}
PACKAGES = tuple(ALLOWED)


@functools.cache
def imported(path: Path) -> set[str]:
    """Full names of the modules a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, f"{path} imports relatively"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_at_once(path: Path) -> set[str]:
    """Full names of what a file imports when it is imported itself: outside functions, and not for type hints alone."""
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                waiting.append(node)
    return names


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def files_of(package: str) -> list[Path]:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    return files


def python(code: str) -> str:
    """What a fresh interpreter, with warnings as errors, prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_are_those_of_this_checkout(package):
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).resolve() == ROOT / package / "__init__.py"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_are_one_way(package):
    for path in files_of(package):
        forbidden = roots(imported(path)) & (set(PACKAGES) - ALLOWED[package] - {package})
        assert not forbidden, f"{path.relative_to(ROOT)} imports {sorted(forbidden)}"


def test_the_card_of_an_image_and_that_of_a_unit_are_drawn_alike():
    """Neither package may import the other, so each has the file; a change to one is made to both."""
    assert (ROOT / "assembler" / "card.py").read_text() == (ROOT / "learned_units" / "card.py").read_text()


def test_no_file_imports_itself_through_others():
    files = {module_of(path): path for package in PACKAGES for path in files_of(package)}
    needs = {name: imported_at_once(path) & files.keys() - {name} for name, path in files.items()}
    while free := {name for name, others in needs.items() if not others & needs.keys()}:
        needs = {name: others for name, others in needs.items() if name not in free}
    assert not needs, f"in a circle, or above one: {sorted(needs)}"


def test_no_package_imports_the_tests():
    for package in PACKAGES:
        for path in files_of(package):
            assert "tests" not in roots(imported(path)), path


@pytest.mark.parametrize("package", ["assembler", "programs"])
def test_text_handling_knows_neither_jax_nor_numpy(package):
    for path in files_of(package):
        assert not roots(imported(path)) & {"jax", "numpy", "optax", "safetensors"}, path


def test_the_reference_imports_the_standard_library_only():
    assert roots(imported(ROOT / "vm/reference.py")) <= set(sys.stdlib_module_names)


def test_lockstep_knows_the_reference_and_the_standard_library_only():
    names = imported(ROOT / "vm/lockstep.py")
    ours = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert "vm.reference" in ours
    assert all(name == "vm.reference" or name.startswith("vm.reference.") for name in ours), ours


def test_machine_and_reference_never_import_each_other():
    assert not {name for name in imported(ROOT / "vm/machine.py") if "reference" in name}
    assert not {name for name in imported(ROOT / "vm/reference.py") if name.startswith("vm")}


def test_the_step_itself_knows_nothing_of_images_or_of_single_units():
    names = imported(ROOT / "vm/machine.py")
    assert not roots(names) & {"assembler", "programs"}
    assert not {name for name in names if name.startswith(("learned_units.units", "learned_units.networks"))}


def test_the_debugger_knows_no_commands():
    for path in files_of("vm/debugger"):
        assert not {name for name in imported(path) if name.startswith("vm.command")}, path


def test_each_file_of_the_commands_is_a_command():
    named = set(re.findall(r'\bcommand\(\s*"([a-z]+)"', (ROOT / "vm/cli.py").read_text(encoding="utf-8")))
    assert {path.stem for path in files_of("vm/command")} == named | {"__init__", "version"}


def test_a_command_is_imported_when_it_is_chosen():
    code = "import sys, vm.cli; print(sorted(name for name in sys.modules if name.startswith('vm.command')))"
    assert python(code) == "[]"


def test_the_native_arithmetic_is_reached_through_the_catalog_alone():
    for package in PACKAGES:
        for path in files_of(package):
            assert not {name for name in imported(path) if name.startswith("learned_units.units.native")}, path
            assert path.name == "catalog.py" or "units.native" not in path.read_text(encoding="utf-8"), path


def test_the_catalog_imports_a_unit_when_it_is_asked_for():
    code = """
import sys
from learned_units import load_unit
load_unit("ntk-limit", 8)
print(sorted(name for name in sys.modules if name.startswith("learned_units.") and {others} & set(name.split("."))))
"""
    others = "{'native', 'neural_gpu', 'modular', 'whole', 'experiments', 'proof', 'compute'}"
    assert python(code.replace("{others}", others)) == "[]"


def test_a_program_that_calls_no_macro_is_assembled_without_what_macros_are_made_of():
    code = "import sys; from assembler import assemble; assemble({text!r}); print('assembler.library' in sys.modules)"
    assert python(code.format(text=" sbn x, x, -1\nx: .word 0\n")) == "False"
    assert python(code.format(text=" mov x, x\nx: .word 0\n")) == "True"


def test_a_run_from_a_warm_cache_imports_few_modules(unit_of):
    unit_of("ntk")
    code = """
import sys
from vm import cli
try:
    cli.main(["run", "hello", "-q"])
finally:
    ours = [name for name in sys.modules if name.partition(".")[0] in {packages}]
    print(len(ours))
"""
    code = code.replace("{packages}", repr(PACKAGES))
    python(code)  # proves the weights and compiles the loop, where that was not done before
    greeting, modules = python(code).splitlines()
    assert greeting == "Hello, world!" and int(modules) <= 60


def test_the_catalog_calls_other_weights_what_their_manifests_do():
    for unit, module in catalog.OTHER_WEIGHTS.items():
        assert importlib.import_module(f"learned_units.{module}").UNIT == unit


def test_importing_all_packages_loads_nothing_heavy():
    heavy = "{'jax', 'jaxlib', 'numpy', 'optax', 'lark', 'safetensors', 'prompt_toolkit', 'filelock', 'rich'}"
    code = f"import sys, vm, assembler, learned_units, programs; print(sorted({heavy} & set(sys.modules)))"
    assert python(code) == "[]"


@pytest.mark.parametrize("package", ["vm", "assembler", "learned_units"])
def test_every_public_name_is_there_and_no_other(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name).__module__.partition(".")[0] == package
    assert sorted(module.__all__) == sorted(set(module.__all__))
    with pytest.raises(AttributeError, match="nonsense"):
        module.nonsense  # noqa: B018


def test_using_the_packages_changes_no_jax_configuration():
    code = """
import os
for name in ("JAX_NUMPY_DTYPE_PROMOTION", "JAX_NUMPY_RANK_PROMOTION"):
    os.environ.pop(name, None)
import jax
before = dict(jax.config.values)
from assembler import Image
from learned_units import load_unit
from vm import Machine
assert Machine(Image([3, 3, -1, 0], memory=8), unit="ntk-limit").run(1).steps == 1
load_unit("native", 8).subtract_branch(1, 2, 3, 4)
after = dict(jax.config.values)
print(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))
"""
    assert python(code) == "[]"


def test_the_two_packages_that_name_the_instruction_sets_name_the_same():
    from assembler.image import ISAS
    from learned_units import catalog

    assert ISAS == catalog.ISAS
