"""Keys."""

import pytest

from storage.base import ByteRange, is_key, new_key

HEX = "0123456789abcdef" * 2


def test_a_new_key_is_a_key_in_the_folders_of_its_first_digits() -> None:
    for _ in range(100):
        key = new_key("blobs")
        kind, a, b, name = key.split("/")
        assert (kind, a, b, len(name)) == ("blobs", name[0], name[1], 32)
        assert is_key(key)


def test_new_keys_differ_and_spread_over_the_folders() -> None:
    keys = {new_key("dumps") for _ in range(5000)}
    assert len(keys) == 5000
    assert len({key.rpartition("/")[0] for key in keys}) == 256


@pytest.mark.parametrize("key", [f"blobs/0/1/{HEX}", f"x/0/1/{HEX}"])
def test_what_is_a_key(key: str) -> None:
    assert is_key(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blobs",
        HEX,
        f"/0/1/{HEX}",
        f"blobs/0/2/{HEX}",
        f"blobs/1/1/{HEX}",
        f"blobs/0/1/{HEX}0",
        f"blobs/0/1/{HEX[:-1]}",
        f"blobs/0/1/{HEX.upper()}",
        f"blobs/0/1/{HEX}\n",
        f"\nblobs/0/1/{HEX}",
        f"../0/1/{HEX}",
        f"blobs/../0/1/{HEX}",
        f"blobs/0/1/../{HEX}",
        f"Blobs/0/1/{HEX}",
        f"blobs-2/0/1/{HEX}",
        f"blobs//0/1/{HEX}",
    ],
)
def test_what_is_no_key(text: str) -> None:
    assert not is_key(text)


def test_a_range_knows_its_length() -> None:
    assert ByteRange(3, 10).length == 7
    assert ByteRange(3, 3).length == 0
