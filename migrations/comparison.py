"""What of a database the models know nothing of: indexes of one kind, and what its schema needs.

Their migrations make them; comparing models with databases leaves them out.
"""

from typing import Any, Final

_SEARCH: Final = "dumps_search"  # on SQLite a virtual table, and the tables that it lives in
_COMPATIBILITY: Final = "schema_compatibility"  # says something of the schema


def include_object(
    _object: Any,  # noqa: ANN401 - of any kind that a schema has
    name: str | None,
    kind: str,
    _is_reflected: bool,  # noqa: FBT001 - as Alembic calls it
    _compared_to: Any,  # noqa: ANN401
) -> bool:
    """Tell whether a part of a database is the models' matter."""
    return kind not in {"table", "index"} or not (name or "").startswith((_SEARCH, _COMPATIBILITY))
