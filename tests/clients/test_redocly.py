"""The OpenAPI document passes the rules that Redocly recommends."""

import json
import shutil
from pathlib import Path

import pytest

from app.config import Settings
from main import create_app
from tests.clients.conftest import HERE, NODE_BINARIES, Require
from tests.system import processes

pytestmark = pytest.mark.slow


def test_it_passes_the_recommended_rules(require: Require, tmp_path: Path) -> None:
    require("node", "redocly")
    shutil.copy(HERE / "redocly.yaml", tmp_path)
    for name, contracts in {"own": (), "with-contracts": None}.items():
        settings = Settings(_env_file=None, data_dir=tmp_path, compat=contracts)
        document = create_app(settings).app.openapi()
        (tmp_path / f"{name}.json").write_text(json.dumps(document, indent=1))
    # it would ask for a newer version of itself, and report that it was run
    quiet = {"REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}
    done = processes.run(
        quiet, tmp_path, str(NODE_BINARIES / "redocly"), "lint", "--format", "stylish"
    )
    assert done.returncode == 0, done.stdout + done.stderr
