"""Cores that may be used: by affinity, and by the quotas of control groups."""

import os
from pathlib import Path

import pytest

from app.config import ConfigError, load_settings
from app.config.cores import usable_cores

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("own", "quotas", "cores"),
    [
        ("0::/", {"": "max 100000"}, ALL),
        ("0::/", {"": "50000 100000"}, 1),
        ("0::/a/b", {"a": "100000 100000", "a/b": "max 100000"}, 1),
        ("0::/a/b", {"a": f"{ALL}50000 100000"}, ALL),
        ("1:cpu:/a\n0::/b", {"a": "1000 100000"}, ALL),
        ("0::/a", {"a": "nonsense"}, ALL),
    ],
)
def test_the_smallest_quota_counts(
    tmp_path: Path, own: str, quotas: dict[str, str], cores: int
) -> None:
    (tmp_path / "own").write_text(own + "\n")
    for group, quota in quotas.items():
        (tmp_path / "cgroup" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / group / "cpu.max").write_text(quota + "\n")
    assert usable_cores(tmp_path / "own", tmp_path / "cgroup") == cores


def test_without_control_groups_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none", tmp_path) == ALL


def test_workers_are_a_number_or_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, count in {"3": 3, "auto": usable_cores(), "": 1}.items():
        monkeypatch.setenv("WORKERS", value)
        assert load_settings().worker_count == count
    monkeypatch.setenv("SIGNING_KEY", "k" * 32)
    monkeypatch.setenv("DATABASE_URL", "postgresql://here/it")
    for value, count in {"1": 1, "": usable_cores()}.items():
        monkeypatch.setenv("WORKERS", value)
        assert load_settings().worker_count == count
    for value in ("0", "-1", "257", "many", "1.5"):
        monkeypatch.setenv("WORKERS", value)
        with pytest.raises(
            ConfigError, match=r"^WORKERS: must be a number from 1 to 256, or auto$"
        ):
            load_settings()
