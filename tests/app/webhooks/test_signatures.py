"""Signatures as Standard Webhooks has them."""

import base64

from app.webhooks.signatures import headers_of, secret_of, sign


def test_the_specifications_own_example() -> None:
    # of its reference implementation in Python, `test_sign_function`
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_outlives_the_first_signing_key() -> None:
    webhook = "0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"
    old, new = b"o" * 32, b"n" * 32
    secret = base64.b64decode(secret_of(old, webhook, 1).removeprefix("whsec_"))
    of_both = headers_of([new, old], webhook, 1, None, message="m", body=b"{}", now=7_000_000)
    assert sign(secret, "m", 7, b"{}") in of_both["webhook-signature"].split()
    of_new = headers_of([new], webhook, 1, None, message="m", body=b"{}", now=7_000_000)
    assert sign(secret, "m", 7, b"{}") not in of_new["webhook-signature"].split()
