"""Reports as text, in the form of ``minidump-stackwalk``, which developers know and tools read."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Report = Mapping[str, Any]

_FOUND_BY: Final = {
    "context": "given as instruction pointer in context",
    "cfi": "call frame info",
    "frame_pointer": "previous frame's frame pointer",
    "scan": "stack scanning",
}
_PER_LINE: Final = 3  # registers


def text_of(report: Report) -> str:
    """Return a report as text."""
    return "\n".join([*_head(report), *_threads(report), *_modules(report), *_lacking(report), ""])


def _head(report: Report) -> Iterator[str]:
    yield f"Operating system: {report['platform'] or 'unknown'}"
    if report["os_version"]:
        yield f"                  {report['os_version']}"
    yield f"CPU: {report['architecture'] or 'unknown'}"
    yield ""
    exception = report["exception"]
    if exception is None:
        yield "No crash"
    else:
        yield f"Crash reason:  {' / '.join(filter(None, (exception['name'], exception['reason'])))}"
        yield f"Crash address: {exception['address']}"
    if report["assertion"]:
        yield f"Assertion:     {report['assertion']}"
    uptime = report["uptime"]
    yield f"Process uptime: {'not available' if uptime is None else f'{uptime} seconds'}"


def _threads(report: Report) -> Iterator[str]:
    # the one that crashed comes first
    numbered = sorted(enumerate(report["threads"]), key=lambda each: not each[1]["is_crashed"])
    for number, thread in numbered:
        crashed = " (crashed) " if thread["is_crashed"] else " "
        name = f" {thread['name']}" if thread["name"] else ""
        yield ""
        yield f"Thread {number}{crashed}- tid: {thread['id']}{name}"
        if not thread["frames"]:
            yield "    its stack is not known"
        for frame in thread["frames"]:
            for inline in frame.get("inlines", ()):
                yield f"{frame['frame']:2}  {_place(frame | inline)}"
                yield "    Found by: inlining"
            yield f"{frame['frame']:2}  {_place(frame)}"
            if thread["is_crashed"] and frame["frame"] == 0:
                yield from _registers(report["registers"])
            yield f"    Found by: {_FOUND_BY[frame['trust']]}"


def _place(frame: Mapping[str, Any]) -> str:
    if frame["module"] is None:
        return str(frame["address"])
    function = frame.get("function")
    if function is None:
        return f"{frame['module']} + {frame['module_offset']}"
    if frame["line"] is None:
        return f"{frame['module']}!{function} + {frame['function_offset']}"
    file = frame["file"].replace("\\", "/").rpartition("/")[2] if frame["file"] else "?"
    return f"{frame['module']}!{function} [{file} : {frame['line']}]"


def _registers(registers: Mapping[str, str]) -> Iterator[str]:
    texts = [f"{name:>3} = {value}" for name, value in registers.items()]
    for start in range(0, len(texts), _PER_LINE):
        yield f"     {'   '.join(texts[start : start + _PER_LINE])}"


def _modules(report: Report) -> Iterator[str]:
    yield ""
    yield "Loaded modules:"
    for module in report["modules"]:
        yield f"{_range(module)}  {module['name']}  {module['version'] or '???'}"
    if report["unloaded_modules"]:
        yield ""
        yield "Unloaded modules:"
    for module in report["unloaded_modules"]:
        yield f"{_range(module)}  {module['name']}"


def _range(module: Mapping[str, Any]) -> str:
    base = int(module["base"], 16)
    return f"{base:#010x} - {base + max(module['size'], 1) - 1:#010x}"


def _lacking(report: Report) -> Iterator[str]:
    lacking = [*report["damaged"], *report["left_out"]]
    if lacking:
        yield ""
        yield "Lacking:"
    yield from lacking
