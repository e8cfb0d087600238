"""Names in archives lead into the folder where they are unpacked, and none is there twice."""

import pytest

from app.archives.names import unique_names


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.txt", "a.txt"),
        ("folder/a.txt", "folder/a.txt"),
        ("/etc/passwd", "etc/passwd"),
        ("../../a", "a"),
        ("a/../b", "a/b"),
        ("./a/./b", "a/b"),
        ("a//b/", "a/b"),
        ("C:\\Windows\\a", "C_/Windows/a"),
        ("\\\\host\\share", "host/share"),
        ("..\\a", "a"),
        ("a\0b\nc\x7f\x85", "a_b_c__"),
        ('<a>|"b"*?', "_a___b___"),
        ("\ud800", "_"),
        ("a\u202eexe.txt", "aexe.txt"),
        ("", "_"),
        ("..", "_"),
        ("/", "_"),
        (" . ", "_"),
        ("a. ", "a"),
        (".hidden", ".hidden"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("console", "console"),
        ("ü" * 200 + ".txt", "ü" * 125 + ".txt"),
        ("/".join(["x" * 255] * 5), "/".join(["x" * 255] * 4)),
    ],
)
def test_a_name_is_safe_to_unpack_anywhere(name: str, safe: str) -> None:
    assert [*unique_names([name])] == [safe]


def test_of_equal_names_the_later_ones_have_a_suffix_before_the_extension() -> None:
    names = ["a.tar.gz", "a.tar.gz", "A.TAR.GZ", "a.tar (2).gz", "b", "b", ".x", ".x"]
    expected = ["a.tar.gz", "a.tar (2).gz", "A.TAR (3).GZ", "a.tar (2) (2).gz"]
    assert [*unique_names(names)] == [*expected, "b", "b (2)", ".x", ".x (2)"]


def test_names_that_differ_in_composition_alone_are_equal() -> None:
    assert [*unique_names(["\xe9", "e\u0301"])] == ["\xe9", "e\u0301 (2)"]


def test_a_file_has_no_name_of_a_folder() -> None:
    assert [*unique_names(["a", "A/b", "a/b/c"])] == ["a (2)", "A/b (2)", "a/b/c"]


def test_a_suffix_fits_into_the_longest_name() -> None:
    _, second = unique_names(["x" * 255, "x" * 255])
    assert second == "x" * 251 + " (2)"


def test_very_many_equal_names_are_found_quickly() -> None:
    assert len({*unique_names(["a"] * 70_000)}) == 70_000
