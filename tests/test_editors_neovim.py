"""Neovim, a client that nobody here wrote, drives the language server."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_editors_includes import MAIN, PARTS

SERVER = [sys.executable, "-c", "import sys; from vm.cli import main; sys.exit(main(['lsp']))"]
CLIENT = Path(__file__).parent / "neovim_client.lua"


@pytest.mark.slow
def test_neovim_has_an_answer_to_each_of_fifty_requests_and_sees_unsaved_includes(tmp_path: Path) -> None:
    neovim = shutil.which("nvim")
    if neovim is None:
        pytest.skip("needs Neovim")
    text = MAIN.replace("halt", "inc     n\n        halt")
    (tmp_path / "main.sbn").write_text(f"; a program\n{text}")
    (tmp_path / "parts.sbn").write_text(PARTS)
    done = subprocess.run(
        [neovim, "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", f"luafile {CLIENT}", "-c", "cquit"],
        cwd=tmp_path,
        env=os.environ | {"SERVER": "\n".join(SERVER), "PYTHONPATH": str(CLIENT.parent.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert "50 requests, 9 of them refused" in said, said
    median = re.search(r"median ([0-9.]+) ms", said)
    assert median is not None and float(median[1]) < 1000
    assert "after an unsaved change of parts.sbn: undefined label `SIZE`" in said and "stopped: true" in said
