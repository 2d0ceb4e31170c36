"""The folder of compiled loops: what a full disk or a kill cut short goes, what is too much goes, the rest stays."""

import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from vm.console import jax_setup
from vm.console.jax_setup import tidy

WHOLE = zlib.compress(os.urandom(5_000))
LONG_AGO = time.time() - 100_000


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder that was looked after long ago."""
    tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".checked"]
    os.utime(tmp_path / ".checked", (LONG_AGO, LONG_AGO))
    return tmp_path


def entry(folder: Path, name: str, data: bytes, used: float | None = None) -> Path:
    path = folder / f"{name}-cache"
    path.write_bytes(data)
    if used is not None:
        os.utime(path, (used, used))
    return path


def test_entries_that_end_too_soon_are_removed_and_nothing_else(folder):
    kept = {entry(folder, "whole", WHOLE), entry(folder, "zstandard", b"\x28\xb5\x2f\xfd...")}
    (folder / "others").write_bytes(b"")
    kept |= {folder / "others", folder / ".checked"}
    for length in (0, 1, 2, len(WHOLE) // 2, len(WHOLE) - 1):
        entry(folder, f"cut{length}", WHOLE[:length])
    tidy(folder)
    assert set(folder.iterdir()) == kept


def test_those_used_least_recently_go_once_there_are_too_many(folder, monkeypatch):
    for k in range(10):
        entry(folder, str(k), WHOLE, used=LONG_AGO - k)
    monkeypatch.setattr(jax_setup, "MOST_ENTRIES", 7)
    tidy(folder)
    assert sorted(path.name for path in folder.glob("*-cache")) == [f"{k}-cache" for k in range(7)]
    monkeypatch.setattr(jax_setup, "MOST_BYTES", 3 * len(WHOLE) + 1)
    os.utime(folder / ".checked", (LONG_AGO, LONG_AGO))
    tidy(folder)
    assert sorted(path.name for path in folder.glob("*-cache")) == [f"{k}-cache" for k in range(3)]


def test_a_folder_to_which_nothing_was_added_is_not_searched(folder, monkeypatch):
    tidy(folder)
    later = time.time() + 100
    os.utime(folder / ".checked", (later, later))
    monkeypatch.setattr(os, "scandir", lambda path: pytest.fail("it is searched"))
    tidy(folder)


def test_a_folder_that_is_not_there_is_left_alone(tmp_path):
    tidy(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_what_jax_writes_is_whole_and_what_was_cut_is_compiled_once_more(tmp_path):
    environment = {**os.environ, "SBN_CACHE_DIR": str(tmp_path)}
    del environment["JAX_COMPILATION_CACHE_DIR"]
    command = [sys.executable, "-m", "vm", "modular", "2 a mod 3", "a=2", "-q"]

    def run() -> dict[str, int]:
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return {path.name: path.stat().st_size for path in (tmp_path / "compiled").glob("*-cache")}

    made = run()
    assert made and run() == made
    for name in made:
        os.truncate(tmp_path / "compiled" / name, 0)
    assert run().keys() == made.keys() and all(run().values())
