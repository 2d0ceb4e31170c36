"""Full disks, folders that cannot be written, and kills at any moment: files are the old ones or whole new ones.

As a script it injects many more of them and prints a table: python tests/test_faults.py --kills 20
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from assembler import load_image
from learned_units import store
from vm import snapshot

resource = pytest.importorskip("resource", reason="needs limits on a process")

OLD = b"what was there before\n"
LIMITS = (0, 2_000, 100_000)  # bytes a file may have on the full disk
FULL = "the disk is full"
SMALL_DISK = "the disk is small"
READ_ONLY = "the disk is read-only"
KILLED = "killed"
AFTER_KILLS = "none, where others were killed"


def has_end(end: bytes) -> Callable[[Path], bool]:
    return lambda path: path.read_bytes().endswith(end)


def is_read(read: Callable[[Path], object]) -> Callable[[Path], bool]:
    return lambda path: read(path) is not None


class Work(NamedTuple):
    """A command, what it writes with a test for what is whole, and seconds it goes on for about."""

    arguments: tuple[str, ...]
    files: dict[str, Callable[[Path], bool]]
    seconds: float = 3.0
    script: bytes = b""


WORKS = {
    "asm": Work(("asm", "calculator", "-o", "x.img"), {"x.img": is_read(load_image)}, 1.0),
    "run --save-state --trace": Work(
        ("run", "primes", "--unit", "native", "--save-state", "state", "--trace", "trace", "--max-steps", "60000"),
        {"state": is_read(snapshot.load), "trace": has_end(b"\n")},
    ),
    "debug, snapshot save": Work(
        ("debug", "hello", "--unit", "native"),
        {"snap": is_read(snapshot.load)},
        script=b"step 20\nsnapshot save snap\n" * 20,
    ),
    "page": Work(("page", "hello", "-o", "page.html"), {"page.html": has_end(b"</html>\n")}),
    "reproduce --csv --plot": Work(
        ("reproduce", "networks", "--csv", "t.csv", "--plot", "t.svg"),
        {"t.csv": has_end(b"\n"), "t.svg": has_end(b"</svg>\n")},
    ),
    "bench --plot": Work(
        ("bench", "--growth", "memory", "--seconds", "0.02", "--repeat", "1", "--plot", "b.png"),
        {"b.png": has_end(b"IEND\xaeB`\x82")},
        12.0,
    ),
    "verify": Work(("verify", "--unit", "native", "--width", "16", "--cases", "400000"), {}),
    "train": Work(("train", "ntk", "--force"), {}, 20.0),
    "demo": Work(("demo",), {}, 20.0),
}


class Ending(NamedTuple):
    """How a command ended: "done", "refused", "killed", or what is wrong."""

    said: str
    stderr: str


def inject(work: Work, folder: Path, fault: str, limit: int = 0, after: float = 0.0) -> Ending:
    """Carry out a command in a folder, with a fault.

    SMALL_DISK and READ_ONLY are faults of a `disk`. limit: bytes a file may have; after: seconds until the kill.
    """

    def prepare() -> None:
        if fault == FULL:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    for name in work.files:
        (folder / name).write_bytes(OLD)
    if fault == READ_ONLY:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # Python 3.11 keeps what it could write of a module, and fails on it
    process = subprocess.Popen(
        [sys.executable, "-m", "vm", *work.arguments],
        cwd=folder,
        env={**environment, "SBN_CACHE_DIR": str(folder / "cache"), "MPLCONFIGDIR": str(folder / "cache")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=prepare,
    )
    if fault == KILLED:
        try:
            process.communicate(work.script, timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
    _, told = process.communicate(None if fault == KILLED else work.script, timeout=600)
    stderr = told.decode()
    if "Traceback" in stderr or "internal error" in stderr:
        return Ending("traceback", stderr)
    wrong = [name for name, is_whole in work.files.items() if not is_intact(folder / name, is_whole)]
    for path in (folder / "cache" / "weights").glob("*.safetensors"):
        wrong += [] if is_intact(path, lambda path: bool(store.load(path, {}))) else [path.name]
    if wrong:
        return Ending(f"damaged: {', '.join(wrong)}", stderr)
    if fault != KILLED and list(folder.rglob("*.part")):
        return Ending("leftovers", stderr)
    said = {0: "done", 1: "refused", 2: "refused", -9: "killed"}.get(process.returncode)
    return Ending(said or f"exit code {process.returncode}", stderr)


def is_intact(path: Path, is_whole: Callable[[Path], bool]) -> bool:
    """Whether a file is as it was, or a whole new one."""
    try:
        return not path.exists() or path.read_bytes() == OLD or is_whole(path)
    except Exception:  # of whatever kind: its reader refuses it
        return False


GOOD = ("done", "refused", "killed")


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Path | None]:
    """The folder on a disk of its own that is too small for most commands; None where none can be made."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def measure(names: list[str], kills: int, seed: int) -> Iterator[tuple[str, str, Ending]]:
    """Inject each fault in each command: command, fault, ending."""
    rng = random.Random(seed)
    for name in names:
        work = WORKS[name]
        with tempfile.TemporaryDirectory() as made:
            for limit in LIMITS:
                yield name, FULL, inject(work, fresh(made), FULL, limit=limit)
            for fault in (SMALL_DISK, READ_ONLY):
                with disk(fresh(made)) as folder:
                    if folder is not None:
                        yield name, fault, inject(work, folder, fault)
            folder = fresh(made)
            for _ in range(kills):
                yield name, KILLED, inject(work, folder, KILLED, after=rng.uniform(0.0, work.seconds))
            yield name, AFTER_KILLS, inject(work, folder, AFTER_KILLS)


def fresh(made: str) -> Path:
    folder = Path(made) / "here"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # the child sets its limit, and is another program then
@pytest.mark.parametrize("limit", LIMITS[:1])
def test_a_command_on_a_full_disk_is_refused_in_words_and_leaves_the_old_file(tmp_path, limit):
    ending = inject(WORKS["asm"], tmp_path, FULL, limit)
    assert ending.said == "refused" and (tmp_path / "x.img").read_bytes() == OLD
    assert ending.stderr == "sbn: error: x.img: File too large\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKS)
def test_files_survive_full_disks_folders_that_cannot_be_written_and_kills(name):
    wrong = [(fault, ending) for _, fault, ending in measure([name], kills=3, seed=0) if ending.said not in GOOD]
    assert not wrong


def tell(kills: int, seed: int, names: list[str]) -> int:
    """Inject the faults, and print a table of how the commands ended. Exit code 0 if nothing went wrong."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    wrong = 0
    for name, fault, ending in measure(names or list(WORKS), kills, seed):
        rows.setdefault((name, fault), Counter())[ending.said] += 1
        if ending.said not in GOOD:
            wrong += 1
            sys.stdout.write(f"{name}, {fault}: {ending.said}: {ending.stderr}\n")
    for (name, fault), counts in rows.items():
        sys.stdout.write(f"{name} | {fault} | {', '.join(f'{count} {said}' for said, count in counts.items())}\n")
    return int(wrong > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("names", nargs="*", metavar="COMMAND", help=f"of {', '.join(WORKS)}")
    sys.exit(tell(**vars(parser.parse_args())))
