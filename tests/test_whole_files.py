"""Files are written whole or not at all: permissions, leftovers, full disks, names in messages."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assembler import assemble, image_bytes
from learned_units.whole_file import write_whole, writing

FULL = Path("/dev/full")
WRITE_FOREVER = """
import sys
from learned_units.whole_file import write_whole
for k in range(1_000_000):
    write_whole(sys.argv[1], bytes([k % 251]) * 3_000_000)
    print(k, flush=True)
"""


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_a_new_file_has_the_permissions_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "new", b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~mask


def test_an_old_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(b"0")
    path.chmod(0o640)
    write_whole(path, b"1")
    assert path.read_bytes() == b"1" and stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_goes_on_standing_for_its_file(tmp_path):
    (tmp_path / "file").write_bytes(b"0")
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", b"1")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"1"


def test_a_file_whose_writing_fails_is_as_it_was_and_nothing_is_left(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), writing(path) as file:
        file.write(b"new")
        file.flush()
        raise RuntimeError
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_an_error_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        write_whole(tmp_path / "no" / "file", b"1")
    assert missing.value.filename == str(tmp_path / "no" / "file")
    with pytest.raises(IsADirectoryError) as folder:
        write_whole(tmp_path, b"1")
    assert folder.value.filename == str(tmp_path)
    if FULL.exists():
        with pytest.raises(OSError, match="No space left") as full:
            write_whole(FULL, b"1")
        assert full.value.filename == str(FULL)


def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("é" * 127)
    write_whole(path, b"1")
    assert path.read_bytes() == b"1"


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks that end with their process")
def test_what_killed_processes_left_goes_with_the_next_write_and_what_is_being_written_stays(tmp_path):
    killed = 0
    while killed < 3 or len(os.listdir(tmp_path)) == 1:
        done = [sys.executable, "-c", WRITE_FOREVER, str(tmp_path / "file")]
        with subprocess.Popen(done, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline()
            time.sleep(0.003 * (killed % 7))
            process.send_signal(signal.SIGKILL)
        killed += 1
        content = (tmp_path / "file").read_bytes()
        assert len(content) == 3_000_000 and len(set(content)) == 1
        assert killed < 40, "no kill came in the middle of a write"
    (tmp_path / ".others.part").write_bytes(b"")
    with writing(tmp_path / "other") as open_one:
        open_one.write(b"1")
        write_whole(tmp_path / "third", b"2")
    assert sorted(os.listdir(tmp_path)) == [".others.part", "file", "other", "third"]
    assert (tmp_path / "other").read_bytes() == b"1"


def test_an_image_that_does_not_fit_on_the_disk_leaves_the_old_one(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "old.img"
    path.write_bytes(image_bytes(assemble(" sbn 0, 0, -1\n"), "img"))
    before = path.read_bytes()
    code = (
        "import resource, signal, sys\nfrom assembler import Image, image_bytes\n"
        "from learned_units.whole_file import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "try:\n    write_whole(sys.argv[1], image_bytes(Image(list(range(1000))), 'img'))\n"
        "except OSError as error:\n    print(error.filename)\n"
    )
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-B", "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["old.img"]
