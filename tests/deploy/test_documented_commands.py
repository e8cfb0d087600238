"""Commands of the program that documents name are ones that it takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import main
from tests.deploy import ROOT

CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:\$ )?(?:docker compose .* app )?(?:holdall|python main\.py) ([^|>&;]+)")
BY_ITS_PATH = re.compile(r"bin/holdall ([^`|>&;\n]+)")


def _documents() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    for folder in ("docs", "deploy"):
        yield from (path for path in (ROOT / folder).rglob("*.*") if path.suffix != ".png")


def _commands() -> Iterator[tuple[str, str]]:
    for path in _documents():
        text = path.read_text()
        lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
        found = [COMMAND.match(line) for line in CODE.findall(text) + lines]
        words = [match[1] for match in found if match] + BY_ITS_PATH.findall(text)
        yield from ((path.relative_to(ROOT).as_posix(), each) for each in words)


COMMANDS = sorted(set(_commands()))


def test_documents_name_commands() -> None:
    assert ("README.md", "create-admin ada") in COMMANDS
    assert ("docs/operating.md", "fsck --adopt") in COMMANDS
    assert ("deploy/holdall.service", "serve") in COMMANDS


@pytest.mark.parametrize(("document", "words"), COMMANDS)
def test_a_documented_command_is_one(
    document: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = 0
    try:
        main._parser().parse_args(shlex.split(words))
    except SystemExit as ended:  # as --version does, with 0
        status = int(ended.code or 0)
    assert status == 0, f"{document}: {capsys.readouterr().err}"
