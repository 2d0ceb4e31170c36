"""`sbn completion`: a shell that has evaluated it completes commands, options, programs, units and files."""

import builtins
import shutil
import subprocess
from pathlib import Path

import pytest

import programs
from learned_units.catalog import UNITS
from vm.cli import main

# Asks bash for the completions of a line, as Tab would. $1: the script, then the words of the line.
ASKED = """
source "./$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p sbn | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" sbn "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capfd: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capfd.readouterr().out


@pytest.fixture
def asked(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """The completions of the last word of a line, in a folder with one file."""
    (tmp_path / "here.sbn").touch()
    (tmp_path / "script").write_text(script("bash", capfd))

    def ask(*words: str) -> list[str]:
        command = ["bash", "--norc", "-c", ASKED, "bash", "script", "sbn", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        assert not done.stderr
        return done.stdout.split()

    return ask


def test_bash_completes_commands_options_programs_units_macros_and_files(asked) -> None:
    assert asked("de") == ["demo", "debug"]
    assert asked("run", "calc") == ["calculator"]
    assert set(asked("debug", "")) >= {*programs.names(), "here.sbn"}
    assert asked("run", "--unit", "ntk-") == ["ntk-limit", "ntk-bits"]
    assert set(asked("repl", "--unit", "")) == set(UNITS)
    assert "native" not in asked("train", "") and "ntk" in asked("train", "")
    assert asked("run", "--save") == ["--save-state"]
    assert asked("run", "hello", "--trace", "he") == ["here.sbn"]
    assert asked("asm", "he") == ["hello", "hello_subleq", "here.sbn"]
    assert asked("programs", "he") == ["hello", "hello_subleq"], "no file can be printed as a bundled program"
    assert asked("macros", "jpo") == ["jpos"]
    assert asked("completion", "f") == ["fish"]
    assert asked("run", "--isa", "sub") == ["subleq"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_their_scripts(shell: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capfd)
    assert "calculator" in text and "ntk-limit" in text
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(text)
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, timeout=60)


def test_without_shtab_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    real = builtins.__import__

    def without(name: str, *more, **named):
        if name == "shtab":
            raise ImportError(name)
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["completion", "bash"]) == 2
    out, err = capfd.readouterr()
    assert not out and err == "sbn: error: completion needs shtab; install it with pip install 'neural-sbn[editor]'\n"
