"""Surroundings that a program meets now and then: odd environments, names, devices, and files that cannot be used."""

import contextlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from marks import slow
from safetensors.numpy import save_file

from learned_units import store
from vm import cli
from vm.console import jax_setup, program_files
from vm.console.launch import UsageError

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
RUN = ("run", "hello", "--unit", "native")
HELLO = " sbn c, -1\n sbn one, x, -1\nc: .word 'A' ; é\none: .word 1\nx: .word 0\n"
NO_DEVICE = "nonesuch"


def sbn(
    *arguments: str | bytes,
    settings: Mapping[str, str],
    stdin: bytes = b"",
    stdout: IO[bytes] | int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "vm", *arguments],
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environb, **{os.fsencode(k): os.fsencode(v) for k, v in settings.items()}},
        check=False,
    )


@pytest.mark.parametrize("module", ["vm", "vm.cli"])
def test_the_command_runs_as_a_module_too(module):
    done = subprocess.run([sys.executable, "-m", module, "programs"], capture_output=True, check=False)
    assert done.returncode == 0 and b"hello" in done.stdout


@pytest.mark.parametrize(
    "settings",
    [
        {"JAX_DEBUG_INFS": "1", "JAX_TRANSFER_GUARD": "disallow", "JAX_DISABLE_JIT": "1"},
        *slow(
            {"JAX_TRANSFER_GUARD": "log_explicit"},
            {"JAX_TRANSFER_GUARD_DEVICE_TO_HOST": "disallow_explicit"},
            {"JAX_DEBUG_NANS": "1"},
            {"JAX_ENABLE_X64": "1"},
            {"JAX_CHECK_TRACER_LEAKS": "1"},
            {"JAX_COMPILATION_CACHE_DIR": "/dev/null"},
            {"SBN_CACHE_DIR": "/dev/null"},
            {"COLUMNS": "-3", "TERM": "nonsense", "HOME": "", "TMPDIR": "/nonexistent"},
        ),
    ],
    ids=str,
)
def test_a_program_runs_whatever_the_environment_asks_of_the_libraries(settings):
    done = sbn(*RUN, settings=settings)
    assert (done.returncode, done.stdout) == (0, b"Hello, world!\n"), done.stderr


def test_a_cache_that_cannot_be_written_is_one_line_of_warning(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path / "file"))
    assert cli.main(["explain", "5", "9", "--unit", "modular"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "not kept" in line]
    assert len(told) == 1 and told[0].startswith("sbn: warning: weights are not kept: ") and "SBN_CACHE_DIR" in told[0]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("JAX_PLATFORMS", ("--version",)),
        *slow(
            ("JAX_PLATFORMS", RUN),
            ("JAX_PLATFORMS", ("compute", "add", "3", "4")),
            ("JAX_PLATFORM_NAME", ("--version",)),
        ),
    ],
)
def test_a_device_that_is_not_here_is_said_in_a_sentence(name, command):
    done = sbn(*command, settings={name: NO_DEVICE})
    assert done.returncode == 2 and done.stdout == b""
    said = done.stderr.decode()
    assert said == f"sbn: error: {name} asks for {NO_DEVICE}, and there is no such device here that jax can use\n"


@pytest.mark.parametrize("command", [("list", "hello"), *slow((("programs",),), (("macros",),), (("dis", "hello"),))])
def test_what_needs_no_device_does_not_ask_for_it(command):
    assert sbn(*command, settings={"JAX_PLATFORMS": NO_DEVICE}).returncode == 0


def test_a_variable_that_jax_cannot_read_is_said_in_a_sentence():
    done = sbn("--version", settings={"JAX_DEBUG_NANS": "maybe"})
    assert done.returncode == 2 and done.stderr.startswith(b"sbn: error: jax cannot be set up as it is asked to: ")


@pytest.mark.parametrize("flags", ["--xla_foo=1", *slow("xla_foo", "--xla_cpu_multi_thread_eigen=maybe")])
def test_flags_that_xla_cannot_read_are_said_in_a_sentence(flags):
    done = sbn("--version", settings={"XLA_FLAGS": flags})
    assert done.returncode == 2 and done.stdout == b"" and done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(f"sbn: error: XLA cannot read XLA_FLAGS, which is '{flags}': ".encode())


def test_a_folder_of_compiled_loops_whose_name_is_not_utf8_is_refused(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", os.fsdecode(b"/tmp/\xff"))
    with pytest.raises(UsageError, match="JAX_COMPILATION_CACHE_DIR is the name of a folder that is not UTF-8"):
        jax_setup.prepare()


@pytest.mark.parametrize(
    "command",
    [
        ("run", "hello", "--input", "endless"),
        ("run", "adder", "--batch", "endless"),
        ("run", "adder", "--batch", "-"),
        ("run", "--whole", "factorial", "--input", "endless"),
        ("debug", "hello", "--input", "endless"),
        ("picture", "run", "hello", "--input", "endless"),
        ("page", "hello", "--input", "endless", "-o", "page.html"),
        ("list", "-"),
    ],
    ids=" ".join,
)
def test_a_device_without_end_is_refused_where_all_of_it_is_needed(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("endless")
    end = threading.Event()
    monkeypatch.setattr(program_files, "MOST_BYTES", 1 << 18)
    monkeypatch.setattr(program_files, "PIECE_BYTES", 1 << 16)

    def fill() -> None:
        with contextlib.suppress(BrokenPipeError), open("endless", "wb") as pipe:
            while not end.is_set():
                pipe.write(bytes(1 << 16))

    writer = threading.Thread(target=fill, daemon=True)
    writer.start()
    try:
        with open("endless", "rb") if "-" in command else contextlib.nullcontext() as stdin:
            if stdin is not None:
                monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stdin))
            assert cli.main(list(command)) == 2
        said = capsys.readouterr().err
        assert "more than 262,144 bytes are not read at once" in said and said.count("\n") == 1
    finally:
        end.set()
        writer.join(10)


def test_the_debugger_does_not_take_its_commands_for_the_input_of_the_program(capsys):
    assert cli.main(["debug", "adder", "--input", "-"]) == 2
    assert "commands are read from stdin" in capsys.readouterr().err


def test_a_cache_folder_may_be_in_the_home_folder_but_must_have_a_name_that_is_utf8(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SBN_CACHE_DIR", "~/x")
    assert store.cache_folder() == tmp_path / "x"
    monkeypatch.setenv("SBN_CACHE_DIR", os.fsdecode(os.fsencode(tmp_path) + b"/c\xff"))
    assert cli.main(["units"]) == 1
    assert "is not UTF-8; SBN_CACHE_DIR can name another" in capsys.readouterr().err
    monkeypatch.setenv("SBN_CACHE_DIR", "~nobody-of-this-name/x")
    assert cli.main(["units"]) == 1
    assert "there is no such home folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("environment", [ASCII, {"LC_ALL": "C"}], ids=str)
def test_a_program_whose_name_is_not_ascii_runs_under_any_locale(tmp_path, environment):
    path, state = tmp_path / "é.sbn", tmp_path / "ü"
    path.write_text(HELLO, encoding="utf-8")
    given = ("run", os.fsencode(path), "--unit", "native", "--save-state", os.fsencode(state))
    done = sbn(*given, settings=environment)
    assert (done.returncode, done.stdout) == (0, b"A") and state.exists(), done.stderr


@pytest.mark.parametrize("environment", [ASCII, *slow({"LC_ALL": "C"})], ids=str)
def test_a_name_that_is_not_ascii_can_be_used_under_any_locale(tmp_path, environment):
    path = tmp_path / "é.sbn"
    path.write_text(HELLO, encoding="utf-8")
    image = path.with_suffix(".img")
    done = sbn("asm", os.fsencode(path), settings=environment)
    assert (done.returncode, done.stdout) == (0, b"") and image.exists(), done.stderr
    done = sbn("list", os.fsencode(image), settings=environment)
    assert done.returncode == 0 and done.stdout.count(b"\n") == 6, done.stderr
    done = sbn("list", os.fsencode(path) + b"x", settings=environment)
    assert done.returncode == 2 and b"internal" not in done.stderr


def test_a_debugger_script_is_utf8_whatever_the_locale():
    done = sbn("debug", "hello", "--unit", "native", stdin="# é\nprint 1\nhelp é\n".encode(), settings=ASCII)
    assert done.returncode == 1 and "there is no command `é`".encode() in done.stdout and b"\n1" in b"\n" + done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "command",
    [("--help",), ("run", "--help"), ("list", "quine"), *slow((RUN,), (("macros",),), (("asm", "hello", "-o", "-"),))],
)
def test_results_that_cannot_be_written_are_an_error_with_a_name(command):
    with open("/dev/full", "wb") as full:
        done = sbn(*command, settings={}, stdout=full)
    assert done.returncode == 2, done.stderr
    assert done.stderr.decode().splitlines()[-1] == "sbn: error: standard output: No space left on device"


@pytest.mark.parametrize("steps", [2**63, *slow(2**31, 2**64, 10**30)])
def test_a_batch_takes_any_number_of_steps(tmp_path, capsys, steps):
    (tmp_path / "batch").write_text("1 2\n")
    given = ["run", "adder", "--unit", "native", "--batch", str(tmp_path / "batch"), "--max-steps", str(steps)]
    assert cli.main(given) == 0
    assert capsys.readouterr().out == "3\n"


def test_weights_whose_place_is_a_folder_are_refused_before_they_are_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    (tmp_path / "weights" / "ntk-g8-seed0.safetensors").mkdir(parents=True)
    for more in ([], ["--force"]):
        assert cli.main(["train", "ntk", *more]) == 1
        said = capsys.readouterr().err
        assert "safetensors cannot be written (Is a directory); SBN_CACHE_DIR can name" in said
        assert "training" not in said


def test_nested_json_is_damage_and_one_file_hides_no_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    folder = tmp_path / "weights"
    folder.mkdir()
    tensors = {"w": np.zeros(3, np.float32)}
    save_file(tensors, folder / "a.safetensors", {"manifest": "[" * 100_000})
    save_file(tensors, folder / "b.safetensors", {"manifest": "{}"})
    store.save(folder / "c.safetensors", tensors, {"unit": "ntk", "group": 8, "seed": 0})
    store.save(folder / "d.safetensors", tensors, {"unit": "modular", "seed": [], "verified": {}})
    (folder / "e.safetensors").mkdir()
    assert cli.main(["units"]) == 0
    said = capsys.readouterr().out
    assert all(f"{name}.safetensors: refused: " in said for name in "abcde")
