"""What the whole suite shares: strict numerics, one cache, units trained once."""

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
    # A worker and the commands it starts share what is compiled, and the next run of the tests finds it again. Each
    # worker has a folder of its own, since jax locks a shared one only where it also searches all of it at each write.
    if (cache := getattr(config, "cache", None)) is not None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache.mkdir("compiled") / worker)
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
    # A shell that runs the tests in the background ignores Ctrl-C for them and for all they start; tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
