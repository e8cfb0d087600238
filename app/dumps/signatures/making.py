"""The signature of a report: the first functions of the application on the stack that crashed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.dumps.signatures import own_rules, rules
from app.dumps.signatures.names import plain
from app.dumps.signatures.own_rules import OwnRules

_LONGEST: Final = 255  # characters
_MOST: Final = 8  # functions
_BETWEEN: Final = " | "

Frame = Mapping[str, Any]


def signature(report: Mapping[str, Any], own: OwnRules = own_rules.NONE) -> str | None:
    """Return what equal crashes have in common; None if the report has no exception.

    ``own`` rules of its account come before the built-in ones.

    That is the first function of the application, after those of libraries that it called. In
    front of them, a mark says that there was no memory, no end to a wait, or a failed assertion.
    Where the function isn't known, it is the exception with module and offset, those of one build.
    """
    if report["exception"] is None:
        return None
    crashed = (thread for thread in report["threads"] if thread["is_crashed"])
    frames: list[Frame] = next((thread["frames"] for thread in crashed), [])
    marks, names, last = _first_functions(frames, own)
    if names and (last is None or last["function"] is not None):
        return _BETWEEN.join([*sorted(marks | _marks_of(report)), *names])[:_LONGEST]
    # a frame without a name that a scan has found may be left over, too
    place = _place(report) if last is None or last["trust"] == "scan" else _at(last, report)
    name: str = report["exception"]["name"]
    return f"{name} {place}" if place else name


def _first_functions(
    frames: list[Frame], own: OwnRules
) -> tuple[set[str], list[str], Frame | None]:
    """Return marks, the names up to the application's first function, and its frame if any."""
    marks: set[str] = set()
    names: list[str] = []
    for frame in _flat(frames):
        if frame["function"] is None:
            if frame["module"] is None or rules.PREFIX_MODULES.fullmatch(frame["module"]):
                continue
            return marks, names, frame
        name = plain(frame["function"])
        if own.ignores(name):
            continue
        group, is_prefix = own.group_of(name), own.goes_through(name)
        if group is None and not is_prefix:
            if _is_left_out(name, marks):
                continue
            is_prefix = _is_prefix(name, frame)
        if is_prefix and frame["trust"] == "scan":
            continue  # it may be left over from an earlier call
        name = group or name
        if name not in names[-1:]:
            names.append(name)
        if not is_prefix or len(names) == _MOST:
            return marks, names, frame
    return marks, names, None


def _is_left_out(name: str, marks: set[str]) -> bool:
    """Tell whether a function says nothing of a bug, or no more than a mark, which is added."""
    if rules.OUT_OF_MEMORY.fullmatch(name):
        marks.add("OOM")
    elif rules.ASSERTION.fullmatch(name):
        marks.add("assertion")
    else:
        return bool(rules.IRRELEVANT.fullmatch(name))
    return True


def _is_prefix(name: str, frame: Frame) -> bool:
    return bool(
        rules.PREFIX.fullmatch(name) or rules.PREFIX_MODULES.fullmatch(frame["module"] or "")
    )


def _flat(frames: list[Frame]) -> Iterator[Frame]:
    """Yield the frames, each after those that were inlined into it."""
    for frame in frames:
        for inlined in frame.get("inlines", ()):  # which the first reports with stacks lacked
            yield {**frame, **inlined}
        yield {"function": None, **frame}


def _marks_of(report: Mapping[str, Any]) -> set[str]:
    name = str(report["exception"]["name"])
    found = set()
    if name.endswith(("OUT_OF_MEMORY", "NO_MEMORY", "COMMITMENT_LIMIT")):
        found.add("OOM")
    if name.endswith("POSSIBLE_DEADLOCK"):
        found.add("hang")
    if report["assertion"]:
        found.add("assertion")
    return found


def _place(report: Mapping[str, Any]) -> str | None:
    module = report["crashing_module"]
    return None if module is None else f"{module['name']}+{module['offset']}"


def _at(frame: Frame, report: Mapping[str, Any]) -> str | None:
    # the report's own offset is that of the instruction, not of the call before it
    module = report["crashing_module"]
    if module is not None and module["name"] == frame["module"]:
        return _place(report)
    return f"{frame['module']}+{frame['module_offset']}"
