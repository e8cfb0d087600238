"""The API does what its OpenAPI document says, whatever is sent: schemathesis tries it all.

`schemathesis.toml` says what is checked, and lists the exceptions.
"""

import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests import plain_http
from tests.system import processes
from tests.system.conftest import MakeSettings, Start

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).with_name("schemathesis.toml")
ADMIN = {"username": "root", "password": "correct horse battery"}
PATIENCE = 600.0
"""Seconds for all of it, which takes 20 on an idle machine."""


@pytest.mark.slow
def test_the_api_is_as_documented(
    make_settings: MakeSettings, start: Start, tmp_path: Path
) -> None:
    service = start(
        make_settings("local"),
        ADMIN_USERNAME=ADMIN["username"],
        ADMIN_PASSWORD=ADMIN["password"],
        REGISTRATION="open",
        RATE_LIMITS="off",
    )
    program = Path(sysconfig.get_path("scripts")) / "schemathesis"
    document = f"{service.url}/openapi.json"
    command = [str(program), "--config-file", str(CONFIG), "--no-color", "run", document]
    credentials = {"API_USERNAME": ADMIN["username"], "API_PASSWORD": ADMIN["password"]}
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env=processes.environment(credentials),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    # it was an administrator all the while, and nothing went wrong inside
    token = plain_http.post(f"{service.url}/v1/auth/token", data=ADMIN).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert plain_http.get(f"{service.url}/v1/accounts", headers=headers).is_success
    assert not [event for event in service.events if event["level"] in {"error", "critical"}]
