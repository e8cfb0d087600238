"""The keyring lets in what it made itself, and nothing else."""

import base64
import json
import multiprocessing
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jose import jwt

from app import clock
from app.config import ConfigError, Settings, load_settings
from app.errors import Unauthorized
from app.security import api_keys
from app.security.credentials import AccessToken, ApiKey, ServiceToken
from app.security.keyring import Keyring
from app.security.signing_key import signing_keys

SESSION = "0190a000-0000-7000-8000-000000000001"
ACCOUNT = "0190a000-0000-7000-8000-000000000002"
CLAIMS = {"iss": "holdall", "aud": "holdall", "sub": ACCOUNT, "sid": SESSION}


def settings(tmp_path: Path | None = None, **options: Any) -> Settings:  # noqa: ANN401
    if tmp_path is None:
        options.setdefault("signing_key", "k" * 32)
    else:
        options["data_dir"] = tmp_path
    return Settings(_env_file=None, **options)


@pytest.fixture(scope="module")
def keyring() -> Keyring:
    return Keyring(settings(secret_key="a service token, ü"))


def signed(
    keyring: Keyring, changes: Mapping[str, object] | None = None, algorithm: str = "HS256"
) -> str:
    """Sign claims with the keyring's own key; None leaves one out."""
    now = clock.now() // clock.SECOND
    claims = {**CLAIMS, "iat": now, "exp": now + 60, **(changes or {})}
    claims = {name: value for name, value in claims.items() if value is not None}
    token: str = jwt.encode(claims, keyring.subkeys("access tokens")[0], algorithm=algorithm)
    return token


def test_an_access_token_stands_for_its_session(keyring: Keyring) -> None:
    token = keyring.issue_access_token(SESSION, ACCOUNT, clock.now())
    assert keyring.parse(token) == AccessToken(session=SESSION, account=ACCOUNT)


def test_an_access_token_lives_for_as_long_as_the_settings_say() -> None:
    keyring = Keyring(settings(access_token_lifetime=100))
    now = clock.now()
    keyring.parse(keyring.issue_access_token(SESSION, ACCOUNT, now - 98 * clock.SECOND))
    with pytest.raises(Unauthorized):
        keyring.parse(keyring.issue_access_token(SESSION, ACCOUNT, now - 102 * clock.SECOND))


@pytest.mark.parametrize("missing", ["exp", "iat", "sub", "sid", "iss", "aud"])
def test_every_claim_must_be_there(keyring: Keyring, missing: str) -> None:
    keyring.parse(signed(keyring))
    with pytest.raises(Unauthorized):
        keyring.parse(signed(keyring, {missing: None}))


@pytest.mark.parametrize("claim", [{"exp": 1}, {"iss": "x"}, {"aud": "x"}, {"iat": "x"}])
def test_every_claim_must_be_right(keyring: Keyring, claim: dict[str, object]) -> None:
    with pytest.raises(Unauthorized):
        keyring.parse(signed(keyring, claim))


def test_one_algorithm_is_allowed(keyring: Keyring) -> None:
    with pytest.raises(Unauthorized):
        keyring.parse(signed(keyring, algorithm="HS512"))


def test_an_unsigned_token_is_refused(keyring: Keyring) -> None:
    _, payload, _ = signed(keyring).split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    for signature in ("", "AAAA"):
        with pytest.raises(Unauthorized):
            keyring.parse(f"{header}.{payload}.{signature}")


def test_a_token_of_another_installation_is_refused(keyring: Keyring) -> None:
    other = Keyring(settings(signing_key="o" * 32))
    with pytest.raises(Unauthorized) as refused:
        keyring.parse(other.issue_access_token(SESSION, ACCOUNT, clock.now()))
    assert refused.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    with pytest.raises(Unauthorized):
        keyring.parse_refresh_token(other.issue_refresh_token(SESSION, 1))


def test_the_service_token_is_known(keyring: Keyring) -> None:
    in_a_header = "a service token, ü".encode().decode("latin-1")
    assert keyring.parse(in_a_header) == ServiceToken()
    with pytest.raises(Unauthorized):
        keyring.parse(in_a_header[:-1])


def test_without_a_service_token_none_is_let_in() -> None:
    with pytest.raises(Unauthorized):
        Keyring(settings()).parse("")


def test_an_api_key_is_known_by_its_hash(keyring: Keyring) -> None:
    key = api_keys.generate()
    assert keyring.parse(key) == ApiKey(api_keys.hash_of(key))
    with pytest.raises(Unauthorized):
        keyring.parse(key[:-1] + ("a" if key[-1] != "a" else "b"))


@given(st.text() | st.builds(lambda head: f"{head}.e30.AAAA", st.text(max_size=300)))
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(Unauthorized):
        _any_keyring.parse(text)
    with pytest.raises(Unauthorized):
        _any_keyring.parse_refresh_token(text)


_any_keyring = Keyring(settings())


@pytest.mark.parametrize(
    "header", [b"[" * 700, b"[]", b'{"alg":["HS256"]}', b'{"alg":{}}', b'"HS256"', b"\xff"]
)
def test_a_header_that_is_anything_is_refused(keyring: Keyring, header: bytes) -> None:
    encoded = base64.urlsafe_b64encode(header).decode().rstrip("=")
    with pytest.raises(Unauthorized):
        keyring.parse(f"{encoded}.e30.AAAA")


def test_a_header_nested_as_deep_as_it_goes_is_refused_deep_in_the_stack(
    keyring: Keyring,
) -> None:
    def parse(frames: int) -> None:
        if frames:
            parse(frames - 1)
        else:
            keyring.parse(base64.urlsafe_b64encode(b"[" * 750).decode() + ".e30.AAAA")

    with pytest.raises(Unauthorized):
        parse(400)


def test_a_refresh_token_is_always_the_same_and_bound_to_its_number(keyring: Keyring) -> None:
    token = keyring.issue_refresh_token(SESSION, 7)
    assert token == keyring.issue_refresh_token(SESSION, 7)
    parsed = keyring.parse_refresh_token(token)
    assert (parsed.session, parsed.n) == (SESSION, 7)
    with pytest.raises(Unauthorized):
        keyring.parse_refresh_token(token.replace(".7.", ".8."))
    with pytest.raises(Unauthorized):
        keyring.parse_refresh_token(token.replace(".7.", ".07."))


def test_what_is_for_one_purpose_is_no_good_for_another(keyring: Keyring) -> None:
    with pytest.raises(Unauthorized):
        keyring.parse(keyring.issue_refresh_token(SESSION, 1))
    assert keyring.subkeys("a") != keyring.subkeys("b")


def test_the_signing_key_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (made,) = signing_keys(settings(folder))
    assert len(made) == 32
    assert signing_keys(settings(folder)) == [made]
    assert stat.S_IMODE((folder / "signing.key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["signing.key"]


def test_a_damaged_signing_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "signing.key").write_text("")
    with pytest.raises(ConfigError, match="SIGNING_KEY"):
        Keyring(settings(tmp_path))


def _make_key(folder: Path) -> bytes:
    (key,) = signing_keys(settings(folder))
    return key


def test_processes_that_start_at_once_sign_with_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        for n in range(10):
            assert len(set(pool.map(_make_key, [tmp_path / str(n)] * 8, chunksize=1))) == 1
        pool.close()
        pool.join()


def test_what_an_older_key_signed_is_verified_and_the_first_one_signs() -> None:
    old, both, new = (
        Keyring(settings(signing_key=keys))
        for keys in ("o" * 32, f"{'n' * 32},{'o' * 32}", "n" * 32)
    )
    now = clock.now()
    issued: dict[str, tuple[Callable[[Keyring], str], Callable[[Keyring, str], Any]]] = {
        "access": (lambda ring: ring.issue_access_token(SESSION, ACCOUNT, now), Keyring.parse),
        "refresh": (
            lambda ring: ring.issue_refresh_token(SESSION, 7),
            Keyring.parse_refresh_token,
        ),
        "cookie": (
            lambda ring: ring.issue_session_key(SESSION, ACCOUNT, purpose="cookies"),
            lambda ring, key: ring.parse_session_key(key, purpose="cookies"),
        ),
    }
    for issue, parse in issued.values():
        assert parse(both, issue(old)) == parse(old, issue(old))
        assert parse(new, issue(both)) == parse(both, issue(both))
        with pytest.raises(Unauthorized):
            parse(new, issue(old))
    device = old.issue_device_key(SESSION, ACCOUNT)
    assert both.parse_device_key(device) == (SESSION, ACCOUNT)
    assert new.parse_device_key(device) is None


def test_a_file_of_several_keys_is_the_setting_of_the_same(tmp_path: Path) -> None:
    keys = [b"a" * 32, b"b" * 32]
    (tmp_path / "signing.key").write_text("".join(f"{key.hex()}\n" for key in keys))
    assert signing_keys(settings(tmp_path)) == keys
    listed = ", ".join(f"hex:{key.hex()}" for key in keys)
    assert signing_keys(settings(signing_key=listed)) == keys


@pytest.mark.parametrize("value", ["k" * 31, f"{'k' * 32},short", "hex:" + "0g" * 32])
def test_a_signing_key_that_is_none_is_refused_by_name(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^SIGNING_KEY: ") as refused:
        load_settings({"signing_key": value})
    assert value not in str(refused.value)
