"""Which of two media types an Accept header would rather have."""

import pytest

from routers.http.negotiation import prefers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("image/*", False),
        ("image/*;q=0.1, */*", False),
        ("image/webp", True),
        ("IMAGE/WEBP ; Q=0.5", True),
        ("image/webp;q=0", False),
        ("image/webp;q=0.000,*/*", False),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", True),
        ("image/webp;q=0.8,*/*;q=0.5", True),
        ("image/webp;q=0.5,*/*;q=0.8", False),
        ("image/webp;q=0.5,image/*;q=0.2,*/*;q=0.8", True),
        ("image/webp;q=0.5,image/jpeg;q=0.2,image/*;q=0.8", True),
        ("image/webp;q=0.9,image/jpeg", False),
        ("image/webp,image/jpeg", True),
        ("image/jpeg;q=0, image/webp;q=0.1", True),
        ("image/webp;q=much", False),
        ("image/webp;level=1;q=0.7, image/jpeg;q=0.8", False),
        ("text/image/webp", False),
        (";,;=,image/webp", True),
        ("image/webp;q=nan", False),
    ],
)
def test_webp_is_for_whoever_names_it_and_likes_it_as_well(
    header: str | None, *, expected: bool
) -> None:
    assert prefers(header, "image/webp", "image/jpeg") is expected
