"""What Windows and macOS lack or forbid is not needed: simulated here, on a system that has and allows it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from learned_units import whole_file

if not Path("/proc/self/fd").is_dir():
    pytest.skip("the open files of a process are looked up in /proc", allow_module_level=True)

# No modules of Unix, no functions that Windows lacks with Python 3.11; files that are open are neither renamed nor
# removed; and select waits for sockets alone.
WITHOUT_UNIX = """
import os, select, signal, sys
import jax, platformdirs  # which are others on each system

set_blocking, set_wakeup_fd = os.set_blocking, signal.set_wakeup_fd

def take_any(number, **options):  # as Windows does; Unix wants one that does not block
    if number >= 0:
        set_blocking(number, False)
    return set_wakeup_fd(number, **options)

signal.set_wakeup_fd = take_any

for name in ("fcntl", "termios", "tty", "pty", "resource", "pwd", "grp", "syslog"):
    sys.modules[name] = None
for name in ("fork", "getuid", "geteuid", "killpg", "mkfifo", "set_blocking", "sched_getaffinity", "uname"):
    if hasattr(os, name):
        delattr(os, name)

def refuse(path):
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.path.samefile(f"/proc/self/fd/{number}", path):
                raise PermissionError(13, "it is open", path)
        except FileNotFoundError:
            pass

def on_closed_files(change):
    def changed(path, *more, **options):
        refuse(path)
        return change(path, *more, **options)
    return changed

os.replace, os.unlink = on_closed_files(os.replace), on_closed_files(os.unlink)

def no_socket(*streams):
    raise OSError(10038, "an operation was attempted on something that is not a socket")

select.select = no_socket
"""


EVERY_MODULE = """
import importlib, pkgutil
import assembler, learned_units, programs, vm
for package in (assembler, learned_units, programs, vm):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.startswith("vm.pictures") and found.name != "vm.__main__":
            importlib.import_module(found.name)
"""
COMMANDS = """
from vm.__main__ import main
from vm.cli import main as command
assert command(["asm", "digit.sbn"]) == 0
sys.argv = ["sbn", "run", "digit.img", "--unit", "native"]
sys.exit(main())
"""


def test_every_module_is_imported_and_a_program_assembled_and_run_without_what_unix_has(tmp_path):
    source = tmp_path / "digit.sbn"
    source.write_text(" in x\n out x\n halt\nx: .word 0\n", encoding="utf-8")
    code = WITHOUT_UNIX + EVERY_MODULE + COMMANDS
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, input="7\n", capture_output=True, text=True, timeout=300
    )
    assert (ran.returncode, ran.stdout) == (0, "7"), ran.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["digit.img", "digit.sbn"]


def test_a_file_that_cannot_be_written_whole_is_left_as_it_was_where_open_files_are_not_removed(tmp_path, monkeypatch):
    removed = os.unlink

    def only_closed(path):
        opened = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        assert not any(os.path.exists(each) and os.path.samefile(each, path) for each in opened)
        removed(path)

    monkeypatch.setattr(whole_file, "fcntl", None)
    monkeypatch.setattr(whole_file.os, "unlink", only_closed)
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(RuntimeError), whole_file.writing(tmp_path / "old") as file:
        file.write(b"new")
        raise RuntimeError
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("old", b"old")]
