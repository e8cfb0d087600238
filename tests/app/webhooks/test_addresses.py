"""Where webhooks may lead: no address of the service's own network, in any spelling."""

import pytest

from app.webhooks.addresses import is_allowed
from app.webhooks.urls import fault_of

PUBLIC = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *("::1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"),
]
NEVER = [
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255"),  # noqa: S104
    *("192.0.2.1", "198.18.0.1", "100.100.100.200", "168.63.129.16"),
    *("::", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "ff02::1", "2001:db8::1", "fd00:ec2::254"),
    *("2002:7f00:1::", "2001:0:7f00:1::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
    *("2130706433", "127.1", "0x7f.0.0.1", "example.org", ""),
]


@pytest.mark.parametrize(
    ("addresses", "by_default", "if_private_are"),
    [(PUBLIC, True, True), (PRIVATE, False, True), (NEVER, False, False)],
)
def test_addresses(addresses: list[str], by_default: bool, if_private_are: bool) -> None:
    for address in addresses:
        assert is_allowed(address, private=False) is by_default, address
        assert is_allowed(address, private=True) is if_private_are, address


@pytest.mark.parametrize(
    ("url", "private", "words"),
    [
        ("https://example.org/hook?a=b", False, None),
        ("https://example.org:8443", False, None),
        ("HTTPS://8.8.8.8/", False, None),
        ("http://example.org/", False, "begin with https://"),
        ("http://127.0.0.1:8000/", True, None),
        ("http://receiver:8000/", True, None),
        ("file:///etc/passwd", True, "begin with http://"),
        ("//example.org", True, "begin with http://"),
        ("https://", False, "name a host"),
        ("https://user@example.org", False, "no user name"),
        ("https://example.org/#a", False, "fragment"),
        ("https://example.org/\r\nX: y", False, "control characters"),
        ("https://[::1", False, "is no URL"),
        ("https://example.org:99999", False, "is no URL"),
        *((f"https://{host}", False, "public address") for host in (
            "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.",
            "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST.", "a.localhost",
        )),
        ("http://169.254.169.254/latest/meta-data/", True, "public address"),
    ],
)  # fmt: skip
def test_urls(url: str, private: bool, words: str | None) -> None:
    fault = fault_of(url, private=private)
    assert (fault is None) if words is None else (fault is not None and words in fault)
