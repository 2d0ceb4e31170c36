"""What importing and using the assembler pulls in, and what it does not."""

import subprocess
import sys
import zipfile
from pathlib import Path

import assembler


def run(code):
    """Runs code in a fresh interpreter, with warnings as errors; what it prints comes back."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


LOADED = "import sys; print(*(name for name in {} if name in sys.modules))"


def test_every_public_name_is_there():
    for name in assembler.__all__:
        assert getattr(assembler, name).__module__.startswith("assembler.")
    assert set(assembler.__all__) <= set(dir(assembler))


def test_a_name_that_is_not_public_is_an_attribute_error():
    assert not hasattr(assembler, "nonsense")


def test_importing_the_package_loads_nothing_of_weight():
    assert run("import assembler;" + LOADED.format(["lark", "numpy", "jax", "assembler.image"])) == []


def test_images_and_their_files_need_no_parser():
    code = "import assembler as a; i = a.Image([1, 2]); a.read_image(a.image_bytes(i, 'img'), format='img');"
    code += "a.disassemble(i); a.format_listing(i);"
    assert run(code + LOADED.format(["lark", "numpy", "jax"])) == []


def test_assembling_never_loads_jax_numpy_or_the_other_packages():
    code = "import assembler; assembler.assemble('sbn 1');"
    assert run(code + LOADED.format(["numpy", "jax", "vm", "learned_units", "programs"])) == []


def test_the_package_works_from_a_zip_file(tmp_path):
    package = Path(assembler.__file__).parent
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in [*package.rglob("*.py"), *package.rglob("*.lark"), *package.rglob("*.sbn")]:
            archive.write(path, path.relative_to(package.parent))
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'all.zip')!r}); import assembler;"
    assert run(code + "print(assembler.__file__, *assembler.assemble('sbn 1').words);assembler.assemble('halt')") == [
        str(tmp_path / "all.zip" / "assembler" / "__init__.py"),
        *"113",
    ]
