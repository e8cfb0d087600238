"""Signatures as Standard Webhooks has them."""

import base64

from app.webhooks.signatures import sign


def test_the_specifications_own_example() -> None:
    # of its reference implementation in Python, `test_sign_function`
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
