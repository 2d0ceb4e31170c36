"""What the whole suite shares: strict numerics, one cache, units trained once."""

import contextlib
import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from learned_units import Unit


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the exhaustive and long tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow") or config.getoption("-m"):
        return
    left_out = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_configure(config: pytest.Config) -> None:
    # Before anything imports jax: promotion of types and shapes must be meant, in the library and in the tests.
    os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
    os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
    # A worker and the commands it starts share what is compiled, and so do all workers from one run of the tests to the
    # next. Each has a folder of its own: jax writes into one without a lock, and two may write the same file.
    if (cache := getattr(config, "cache", None)) is not None:
        compiled = cache.mkdir("compiled")
        own = compiled / os.environ.get("PYTEST_XDIST_WORKER", "alone")
        take_from_earlier_runs(compiled, own)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(own)
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    # A shell that runs the tests in the background ignores Ctrl-C for them and for all they start; tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def take_from_earlier_runs(compiled: Path, own: Path) -> None:
    """What any worker compiled in an earlier run, linked into the folder of this one."""
    own.mkdir(exist_ok=True)
    for path in compiled.glob("*/*-cache"):
        with contextlib.suppress(OSError):  # it is there, or the file system knows no links: then it is compiled again
            (own / path.name).hardlink_to(path)


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
def sbn(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """sbn(*arguments): the exit code of the command, and what it wrote to standard output and to standard error."""
    from vm import cli

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run
