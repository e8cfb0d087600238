"""`.env.example`: every setting with its default, as its docstring documents it."""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app.config.sections import SECTIONS

_INTRODUCTION: Final = """\
# Every setting of Holdall, with its default; `holdall settings` prints this file.
# Copy it to `.env`, or set them in the environment, which wins.
"""
_WIDTH: Final = 117
_COMMENT: Final = 33  # column in which comments begin


def example() -> str:
    """Return the text of `.env.example`."""
    return "\n".join((_INTRODUCTION, *(_section(section) for section in SECTIONS)))


def _section(section: type[BaseSettings]) -> str:
    heading = f"# --- {(section.__doc__ or '').rstrip('.')} "
    return "\n".join((heading.ljust(_WIDTH, "-"), *_lines(section), ""))


def _lines(section: type[BaseSettings]) -> Iterator[str]:
    for name, docstring in _docstrings(section):
        setting = f"# {name.upper()}={_default(section.model_fields[name])}"
        yield f"{setting:<{_COMMENT - 1}} # {' '.join(docstring.split())}"


def _docstrings(section: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """Yield the names of a section's settings, and what is written below each."""
    [definition] = ast.parse(inspect.getsource(section)).body
    assert isinstance(definition, ast.ClassDef)
    for statement, below in pairwise(definition.body):
        match statement, below:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(docstring))):
                yield name, docstring


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return ""
    return ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
