"""The commands of docs/uploads.md: a reader who types them gets what it says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import plain_http
from tests.system import processes

PAGE = Path(__file__).parents[2] / "docs" / "uploads.md"
DATA = bytes(range(256)) * 40


def test_every_line_works(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")
    (tmp_path / "film.mkv").write_bytes(DATA)
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    settings = {"DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": processes.SERVICE_TOKEN}
    with processes.running(settings, tmp_path) as service:
        token = {"Authorization": f"Bearer {processes.SERVICE_TOKEN}"}
        auth = f"Authorization: {token['Authorization']}"
        done = subprocess.run(
            ["sh", "-euc", script],
            cwd=tmp_path,
            env=processes.environment({"URL": service.url, "AUTH": auth}),
            capture_output=True,
            text=True,
            timeout=processes.DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        made = re.findall(r"^content-location: (/v1/files/\S+)", done.stdout, re.MULTILINE)
        assert len(set(made)) == 2, done.stdout  # by tus, and by the draft
        for path in made:
            file = plain_http.get(service.url + path, headers=token).json()
            assert (file["name"], file["size"], file["expires_at"]) == ("film.mkv", len(DATA), None)
            content = plain_http.get(f"{service.url}{path}/content", headers=token).content
            assert content == DATA
