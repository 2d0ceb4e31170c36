"""What the whole suite shares: strict numerics, one cache, units trained once."""

import contextlib
import functools
import gc
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from vm.console.jax_setup import tidy

if TYPE_CHECKING:
    from learned_units import Unit

KEPT = platformdirs.user_cache_path("neural-sbn-tests", appauthor=False) / "compiled"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the exhaustive and long tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow") or config.getoption("-m"):
        return
    left_out = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_collection_finish() -> None:
    # Python looks for garbage among all there is, the tests themselves among it, and jax does at every look: seldom.
    gc.set_threshold(200_000, 50, 100)


def pytest_configure(config: pytest.Config) -> None:
    # Before anything imports jax: promotion of types and shapes must be meant, in the library and in the tests.
    os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
    os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
    # A worker and the commands it starts share what is compiled. Each has a folder of its own: jax writes into one
    # without a lock, and two may write the same file. What they add is kept: see `kept_compiled`.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(KEPT.parent / f"compiling-{os.getpid()}")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    os.environ["JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES"] = "none"  # else the folder's name is part of each entry's name
    # A shell that runs the tests in the background ignores Ctrl-C for them and for all they start; tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
    for folder in KEPT.parent.glob("compiling-*"):
        with contextlib.suppress(OSError):  # another worker ends now, and has removed its own
            if time.time() - folder.stat().st_mtime > 24 * 60 * 60:  # of a run that was killed
                shutil.rmtree(folder, ignore_errors=True)
    tidy(KEPT)


@pytest.fixture(scope="module", autouse=True)
def kept_compiled() -> Iterator[None]:
    """What was compiled for earlier files, by any worker or run of the tests in any checkout, is not compiled again."""
    own = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    add_compiled(KEPT, own)
    yield
    add_compiled(own, KEPT)


def add_compiled(source: Path, folder: Path) -> None:
    """Link the compiled code of one folder into another, in which names that are there already are left alone."""
    with contextlib.suppress(OSError):  # nothing was kept, or nothing can be: then it is compiled again
        folder.mkdir(parents=True, exist_ok=True)
        there = set(os.listdir(folder))
        for path in source.glob("*-cache"):
            if path.name not in there:
                with contextlib.suppress(OSError):  # another worker was faster
                    (folder / path.name).hardlink_to(path)


@pytest.fixture(scope="session", autouse=True)
def trained_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of this test run: weights are trained once, whichever worker needs them first."""
    worker = "PYTEST_XDIST_WORKER" in os.environ
    folder = (tmp_path_factory.getbasetemp().parent if worker else tmp_path_factory.getbasetemp()) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["SBN_CACHE_DIR"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def unit_of(trained_cache: Path) -> Callable[..., "Unit"]:
    """unit_of(name, word_bits=16, isa="sbn"): a unit, made once in a session. Seed 0, groups of 8."""
    from learned_units import load_unit

    return functools.cache(lambda name, word_bits=16, isa="sbn": load_unit(name, word_bits, isa))


@pytest.fixture
def one_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines of a batch stop within one chunk of steps: lanes brought closer would be another loop to compile."""
    from vm import batch

    monkeypatch.setattr(batch, "FIRST_BUDGET", batch.LARGEST_BUDGET)


@pytest.fixture
def sbn(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """sbn(*arguments): the exit code of the command, and what it wrote to standard output and to standard error."""
    from vm import cli

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., str]:
    """source(text): the name of a file that holds it."""

    def write(text: str, name: str = "program.sbn") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write
