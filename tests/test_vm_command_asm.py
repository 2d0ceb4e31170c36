"""`sbn asm`, `dis`, `list`, `new` and `programs`: what they write, and what is made of it."""

import errno
import os
import re

import pytest
from sbn_command import DECREMENTS, Sbn

import programs


@pytest.fixture
def sbn(capsysbinary, monkeypatch):
    return Sbn(capsysbinary, monkeypatch)


@pytest.mark.parametrize("suffix", ["img", "dec", "hex", "bin", "sbn"])
def test_an_assembled_program_runs_the_same_from_every_format(sbn, tmp_path, suffix):
    path = tmp_path / f"greeting.{suffix}"
    assert sbn("asm", "hello", "-o", str(path)) == 0
    assert sbn.out == b"" and sbn.err.startswith(f"{path}: 43 words, 16-bit sbn, entry 0")
    assert sbn("run", str(path), "--unit", "native") == 0
    assert sbn.out == b"Hello, world!\n"


def test_an_image_goes_to_the_program_s_name_and_never_over_the_program(sbn, source, tmp_path):
    assert sbn("asm", source(DECREMENTS)) == 0
    image = tmp_path / "program.img"
    assert image.exists()
    assert sbn("asm", str(image)) == 2
    assert "is the program itself" in sbn.err
    assert sbn("asm", str(image), "-o", str(tmp_path / "unnamed")) == 0
    assert (tmp_path / "unnamed").read_bytes() == image.read_bytes()


def test_one_word_is_said_to_be_one(sbn, source, tmp_path):
    assert sbn("asm", source(".word 7\n"), "-o", str(tmp_path / "seven.img")) == 0
    assert "seven.img: 1 word, 16-bit sbn" in sbn.err


def test_an_image_can_be_piped(sbn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sbn("asm", "hello", "-o", "-") == 0
    image = sbn.out
    assert sbn("run", "-", "--format", "img", "--unit", "native", stdin=image) == 0
    assert sbn.out == b"Hello, world!\n"
    assert sbn("asm", "-", stdin=programs.source("hello").encode()) == 0
    assert sbn.out.splitlines()[0] == image.splitlines()[0]
    assert not list(tmp_path.iterdir())


def test_words_alone_come_with_the_options_they_need(sbn, tmp_path):
    path = str(tmp_path / "greeting.hex")
    assert sbn("asm", "hello_subleq", "-o", path) == 0
    assert sbn.err.endswith("to use it, also give --isa subleq\n")
    assert sbn("run", path, "--isa", "subleq", "--unit", "native") == 0


def test_a_new_program_assembles_without_a_note_runs_and_is_never_overwritten(sbn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sbn("new", "sums") == 0
    assert sbn.err == "sums.sbn: a program to begin with; `sbn run sums.sbn` runs it\n"
    assert sbn("run", "sums.sbn", "--unit", "native", stdin=b"100\n") == 0
    assert sbn.out == b"How far? The sum is 5050\n"
    assert "note:" not in sbn.err
    (tmp_path / "sums.sbn").write_text("mine")
    assert sbn("new", "sums.sbn") == 2
    assert "sums.sbn is there already and stays as it is" in sbn.err
    assert (tmp_path / "sums.sbn").read_text() == "mine"
    assert sbn("new", "no/where") == 2
    assert sbn("new", ".sbn/") == 2


def test_a_new_program_that_cannot_be_written_leaves_no_empty_file(sbn, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    assert sbn("new", "sums") == 2
    assert sbn.err == "sbn: error: sums.sbn: No space left on device\n"
    assert not list(tmp_path.iterdir())


def test_the_names_of_a_program_can_be_included_in_another(sbn, source, tmp_path):
    names, image = str(tmp_path / "names.sbn"), str(tmp_path / "p.img")
    assert sbn("asm", source(".equ N, -3\nhalt\nmul =2, x\nx: .word 1\n"), "-o", image, "--symbols", names) == 0
    text = (tmp_path / "names.sbn").read_text()
    assert text == "        .equ    N, -3\n        .equ    x, 19  ; address\n"
    (tmp_path / "here").mkdir()
    other = source('.include "names.sbn"\n.word x, N\n', "here/other.sbn")
    assert sbn("list", other) == 2
    assert sbn("list", other, "-I", str(tmp_path)) == 0
    assert re.search(r" 0 +19 +-3 ", sbn.text)
    assert sbn("asm", "hello", "-o", image, "--symbols", image) == 2
    assert "that is the file of -o, too" in sbn.err


def test_raw_images_are_run_one_after_the_other(sbn, source):
    files = source("9 -1 3 10 -1\n", "a.dec"), source("6 0 1 -1 65 10 # AB", "b.dec")
    assert sbn("run", *files, "--unit", "native") == 0
    assert sbn.out == b"A\n"
    assert sbn("run", *files, "7.sbn", "--unit", "native") == 2
    assert "7.sbn: only raw images" in sbn.err


def test_a_disassembled_image_assembles_to_the_same(sbn, source, tmp_path):
    assert sbn("asm", "sort", "-o", str(tmp_path / "sort.dec")) == 0
    assert sbn("dis", str(tmp_path / "sort.dec")) == 0
    assert sbn("asm", source(sbn.text, "again.sbn"), "-o", str(tmp_path / "again.dec")) == 0
    assert (tmp_path / "again.dec").read_text() == (tmp_path / "sort.dec").read_text()


def test_the_listing_shows_address_words_and_source(sbn, source):
    assert sbn("list", source("sbn x, x, -1 ; done\nx: .word 7\n")) == 0
    assert re.search(r"^ +0 +3 +3 +-1 +1  sbn x, x, -1 ; done$", sbn.text, re.MULTILINE)


def test_the_programs_are_listed_with_what_they_do_and_printed(sbn):
    assert sbn("programs") == 0
    listed, whole, guests = (part.splitlines() for part in sbn.text.split("\n\n"))
    assert [line.split()[0] for line in listed] == list(programs.names())
    assert [line.split()[0] for line in whole[1:]] == list(programs.names(programs.WHOLE))
    assert [line.split()[0] for line in guests[1:]] == list(programs.guests())
    assert programs.description("gcd") in sbn.text
    assert programs.guest_description("primes.bas") == "The primes up to N, by the sieve of Eratosthenes"
    assert sbn("programs", "primes.bas") == 0
    assert sbn.text == programs.guest("primes.bas")
    assert sbn("programs", "whole/primesum") == 0
    assert sbn.text == programs.source("primesum", programs.WHOLE)
    assert sbn("programs", "gcd") == 0
    assert sbn.text == programs.source("gcd")
