"""`.env.example` documents every setting, with the default that it really has."""

import re

import pytest

import main
from app.config import Settings
from tests.deploy import ROOT

LINE = re.compile(r"^# (?P<name>[A-Z][A-Z0-9_]*)=(?P<value>\S*)(?:\s+# (?P<comment>\S.*))?$")


def _documented(part: str) -> dict[str, str]:
    """What stands in one part of the lines of settings, by name."""
    matches = [LINE.match(line) for line in (ROOT / ".env.example").read_text().splitlines()]
    found = [(match["name"], match[part] or "") for match in matches if match]
    names = [name for name, _ in found]
    assert len(names) == len(set(names)), "a setting is documented twice"
    return dict(found)


def test_the_example_names_exactly_the_settings_there_are() -> None:
    assert set(_documented("value")) == {name.upper() for name in Settings.model_fields}


def test_every_setting_is_explained() -> None:
    assert [name for name, comment in _documented("comment").items() if not comment] == []


def test_the_example_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["settings"]) == 0
    assert capsys.readouterr().out == (ROOT / ".env.example").read_text()


def test_the_example_gives_the_defaults() -> None:
    for name, value in _documented("value").items():
        default = Settings.model_fields[name.lower()].default
        if isinstance(default, tuple):
            default = ",".join(default)
        written = "" if default is None else str(default)
        assert value.removeprefix("./") == written, name
