"""Names that no other file has: numbers that are free, found in few steps."""

import pytest

from app.objects.file_names import free_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.pdf", "a_1.pdf"),
        ("a", "a_1"),
        ("a.tar.gz", "a.tar_1.gz"),
        (".profile", ".profile_1"),
        ("a.", "a._1"),
        ("a_1.pdf", "a_1_1.pdf"),
        ("x" * 255, "x" * 253 + "_1"),
        ("x" * 251 + ".pdf", "x" * 249 + "_1.pdf"),
        ("a." + "x" * 253, "a." + "x" * 251 + "_1"),
    ],
)
def test_a_number_comes_before_the_ending(name: str, expected: str) -> None:
    assert free_name(name, {name}.__contains__) == expected
    assert free_name(name, set[str]().__contains__) == name


def test_numbers_follow_each_other() -> None:
    taken: set[str] = set()
    for _ in range(300):
        taken.add(free_name("a.pdf", taken.__contains__))
    assert taken == {"a.pdf", *(f"a_{n}.pdf" for n in range(1, 300))}


def test_a_gap_is_no_trouble() -> None:
    for gap in range(1, 40):
        taken = {"a", *(f"a_{n}" for n in range(1, 40) if n != gap)}
        assert free_name("a", taken.__contains__) not in taken


def test_a_number_is_found_in_few_steps() -> None:
    taken = {"a", *(f"a_{n}" for n in range(1, 100_000))}
    steps = 0

    def is_taken(name: str) -> bool:
        nonlocal steps
        steps += 1
        return name in taken

    assert free_name("a", is_taken) == "a_100000"
    assert steps < 40
