"""API keys have a form that scanners can find and verify."""

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from app.security import api_keys

ALPHABET = string.digits + string.ascii_letters


def test_a_key_has_its_form_and_is_made_once() -> None:
    keys = {api_keys.generate() for _ in range(1000)}
    assert len(keys) == 1000
    for key in keys:
        assert re.fullmatch(r"hk_[0-9A-Za-z]{38}", key)
        assert api_keys.is_well_formed(key)


def test_the_checksum_is_the_crc_32_of_what_comes_before_it() -> None:
    # a known answer: scanners have been told this form, so it stays
    assert api_keys.is_well_formed("hk_" + "0" * 32 + "37KT9R")


@given(st.integers(3, 40), st.sampled_from(ALPHABET))
def test_a_typing_error_is_found(place: int, letter: str) -> None:
    key = api_keys.generate()
    typed = key[:place] + letter + key[place + 1 :]
    assert api_keys.is_well_formed(typed) == (typed == key)


@given(st.text(max_size=60))
def test_other_texts_are_no_keys(text: str) -> None:
    assert not api_keys.is_well_formed("hk_" + text[:37])
