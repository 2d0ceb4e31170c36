"""Included files: where they are looked for, and what goes wrong with them."""

import os

import pytest

from assembler import AssemblyError, assemble, load_image


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lib" / "deep").mkdir(parents=True)
    return tmp_path


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def errors(path):
    with pytest.raises(AssemblyError) as caught:
        load_image(path)
    return caught.value.diagnostics


def test_an_included_file_stands_where_it_is_included(folder):
    write(folder / "one.sbn", "x: .word 1\n.macro two\n.word 2\n.endm\n.equ THREE, 3")
    main = write(folder / "main.sbn", '.word x\n.include "one.sbn"\ntwo\n.word THREE')
    assert load_image(main).words == (1, 1, 2, 3)


def test_a_file_is_looked_for_beside_the_file_that_includes_it(folder):
    write(folder / "lib" / "a.sbn", '.include "deep/b.sbn"\n.include "c.sbn"')
    write(folder / "lib" / "deep" / "b.sbn", '.word 1\n.include "../c.sbn"')
    write(folder / "lib" / "c.sbn", ".word 2")
    main = write(folder / "main.sbn", '.include "lib/a.sbn"\n.include "lib/c.sbn"')
    assert load_image(main).words == (1, 2, 2, 2)


def test_an_absolute_path_is_taken_as_it_is(folder):
    other = write(folder / "lib" / "a.sbn", ".word 5")
    assert assemble(f'.include "{other}"').words == (5,)


def test_a_file_that_is_not_beside_is_looked_for_in_the_further_folders(folder):
    write(folder / "lib" / "a.sbn", '.include "b.sbn"')
    write(folder / "lib" / "b.sbn", ".word 1")
    write(folder / "lib" / "deep" / "b.sbn", ".word 2")
    write(folder / "lib" / "deep" / "c.sbn", ".word 3")
    main = write(folder / "main.sbn", '.include "a.sbn"\n.include "c.sbn"')
    assert load_image(main, include=[folder / "lib", folder / "lib" / "deep"]).words == (1, 3)
    assert assemble('.include "c.sbn"', include=[str(folder / "lib" / "deep")]).words == (3,)
    with pytest.raises(AssemblyError, match=r"there is no file `.*x\.sbn` or in the other folders"):
        assemble('.include "x.sbn"', include=[folder])


def test_the_bytes_of_a_file_are_words(folder):
    (folder / "a.bin").write_bytes(b"\0\xff\n")
    image = assemble('start: .incbin "a.bin"\n.word end, 3\nend:', folder=folder)
    assert (image.words, image.symbols) == ((0, 255, 10, 5, 3), {"start": 0, "end": 5})
    assert [run.origin.line for run in image.source_map or ()] == [1, 2]
    with pytest.raises(AssemblyError, match="255 is out of range for a word of 4 bits"):
        assemble('.incbin "a.bin"', folder=folder, word_bits=4)
    with pytest.raises(AssemblyError, match=r"cannot include `b\.bin`: there is no file"):
        assemble('.incbin "b.bin"', folder=folder)
    with pytest.raises(AssemblyError, match="it is not a regular file"):
        assemble('.incbin "lib"', folder=folder)


def test_a_text_includes_from_the_folder_stated_or_the_current_one(folder, monkeypatch):
    write(folder / "a.sbn", ".word 5")
    assert assemble('.include "a.sbn"', folder=folder).words == (5,)
    monkeypatch.chdir(folder)
    assert assemble('.include "a.sbn"').words == (5,)


def test_a_macro_includes_from_beside_the_file_it_is_in(folder):
    write(folder / "lib" / "m.sbn", '.macro take\n.include "data.sbn"\n.endm')
    write(folder / "lib" / "data.sbn", "x: .word x")
    main = write(folder / "main.sbn", '.include "lib/m.sbn"\n.word 0\ntake\ntake\nx: .word x')
    assert load_image(main).words == (0, 1, 2, 3)


def test_the_order_of_operands_is_that_of_each_file(folder):
    write(folder / "a.sbn", ".order destination_first\nsbn 1, 2")
    main = write(folder / "main.sbn", 'sbn 1, 2\n.include "a.sbn"\nsbn 1, 2')
    assert load_image(main).words == (1, 2, 3, 2, 1, 6, 1, 2, 9)


def test_a_file_may_be_included_again_but_not_within_itself(folder):
    write(folder / "a.sbn", ".word 1")
    write(folder / "main.sbn", '.include "a.sbn"\n.include "./a.sbn"')
    assert load_image(folder / "main.sbn").words == (1, 1)
    write(folder / "a.sbn", '.include "b.sbn"')
    write(folder / "b.sbn", '.include "lib/../a.sbn"')
    (error, *_) = errors(folder / "main.sbn")
    assert error.message == (
        "cannot include `lib/../a.sbn`: it is already being included, and would include itself endlessly"
    )
    assert error.span is not None and error.span.line.file == str(folder / "b.sbn")


def test_a_source_does_not_include_itself(folder):
    (error,) = errors(write(folder / "main.sbn", '.word 1\n.include "main.sbn"'))
    assert "already being included" in error.message


def test_a_link_to_a_file_is_that_file(folder):
    os.symlink(folder / "a.sbn", folder / "b.sbn")
    (error,) = errors(write(folder / "a.sbn", '.include "b.sbn"'))
    assert "already being included" in error.message


def test_includes_nest_32_deep_and_no_deeper(folder):
    for number in range(40):
        write(folder / f"{number}.sbn", f'.include "{number + 1}.sbn"')
    write(folder / "32.sbn", ".word 7")
    assert load_image(folder / "0.sbn").words == (7,)
    write(folder / "32.sbn", '.include "33.sbn"')
    write(folder / "33.sbn", ".word 7")
    (error,) = errors(folder / "0.sbn")
    assert error.message == "cannot include `33.sbn`: includes are nested more than 32 deep"


def test_the_errors_of_an_included_file_are_told_with_its_name(folder):
    write(folder / "lib" / "a.sbn", ".word 1 +\n.word (")
    write(folder / "lib" / "b.sbn", ".if 1")
    write(folder / "lib" / "c.sbn", ".word 99999")
    main = write(folder / "main.sbn", "".join(f'.include "lib/{name}.sbn"\n' for name in "abc") + ".word 88888")
    assert [str(error.span) for error in errors(main)] == [
        f"{folder / 'lib' / 'a.sbn'}:1:10",
        f"{folder / 'lib' / 'a.sbn'}:2:8",
        f"{folder / 'lib' / 'b.sbn'}:1:1",
        f"{folder / 'lib' / 'c.sbn'}:1:7",
        f"{main}:4:7",
    ]


def test_what_is_missing_is_not_told_again_as_undefined(folder):
    main = write(folder / "main.sbn", '.include "nothing.sbn"\nunknown x\n.word y, 99999')
    assert [error.message for error in errors(main)] == [
        f"cannot include `nothing.sbn`: there is no file `{folder / 'nothing.sbn'}`",
        "99999 is out of range for a word of 16 bits, -32,768 … 65,535",
    ]


def test_only_regular_files_are_included(folder):
    os.mkfifo(folder / "pipe.sbn")
    main = write(folder / "main.sbn", '.include "lib"\n.include "pipe.sbn"\n.include "main.sbn/x"')
    messages = [error.message for error in errors(main)]
    assert messages[0].endswith("it is not a regular file") and messages[1].endswith("it is not a regular file")
    assert len(messages) == 3


def test_an_included_file_must_be_utf8_text_of_bounded_size(folder, monkeypatch):
    (folder / "a.sbn").write_bytes(b".word 1\n\xff")
    main = write(folder / "main.sbn", '.include "a.sbn"')
    assert errors(main)[0].message == "byte 0xFF is not part of UTF-8 text"
    (folder / "a.sbn").write_bytes(b" " * ((16 << 20) + 1))
    assert errors(main)[0].message == "a source has at most 16 MiB"


def test_many_includes_of_a_large_file_end(folder):
    write(folder / "a.sbn", ".if 0\n" + ".word 1\n" * 20_000 + ".endif\n")
    assert load_image(write(folder / "main.sbn", '.rept 10_000\n.include "a.sbn"\n.endr')).words == ()


def test_the_source_map_names_the_included_file(folder):
    write(folder / "a.sbn", ".word 1")
    source_map = load_image(write(folder / "main.sbn", '.include "a.sbn"')).source_map
    assert source_map is not None and source_map.runs[0].origin.file == str(folder / "a.sbn")
