"""Names of functions without what differs between builds, compilers and instantiations.

C++ as Itanium's and Microsoft's demanglers write it, Rust, Objective-C and C.
"""

import re
from typing import Final

_LONGEST: Final = 4096  # characters of a name that are looked at
_DEEPEST: Final = 4  # types within types that are looked into
_OPERATOR: Final = re.compile(
    r"operator ?(?:\(\)|\[\]|<=>|<<=|>>=|<<|>>|<=|>=|->\*|->|<|>|new(?:\[\])?|delete(?:\[\])?"
    r'|"" ?\w+|[-+*/%^&|~!=,]{1,2}=?)'
)
_QUALIFIERS: Final = re.compile(r"(?: |const|volatile|noexcept|&|\[clone [^]]*\])*\Z")
_VARIANT: Final = re.compile(
    r"(?:\.(?:cold|part|constprop|isra|lto_priv|llvm|localalias|warm)(?:\.\d+)*|@[@\w.]+"
    r"|::h[0-9a-f]{16})+(?=\Z| )|\[abi:\w+\]|\{\{vtable\.shim\}\}"
)
_WORDS: Final = {"(anonymous namespace)": "(anonymous)", "`anonymous namespace'": "(anonymous)"}
_PAIRS: Final = {"<": ">", "(": ")", "{": "}"}


def plain(function: str) -> str:
    """Return a function's name without result, parameters, arguments of templates and variants.

    ``void acme::walk<long>(acme::Node*) [clone .isra.0]`` becomes ``acme::walk<T>``.
    """
    name = function[:_LONGEST].strip()
    if name.startswith(("-[", "+[")):  # Objective-C
        return name
    for written, word in _WORDS.items():
        name = name.replace(written, word)
    name = _VARIANT.sub("", name).removeprefix("__GI_").removeprefix("__rustc::")
    return _without_types(name, 0).replace("::<T>", "<T>") or name


def _without_types(name: str, depth: int) -> str:
    kept: list[str] = []
    at = 0
    while at < len(name):
        char = name[at]
        if char == "o" and (found := _OPERATOR.match(name, at)) and _begins_word(name, at):
            kept.append(found[0])
            at = found.end()
        elif char == " " and name.startswith("<", at + 1):
            at += 1  # after an operator
        elif char == " ":
            if _QUALIFIERS.match(name, at):
                break
            kept.clear()  # the type of the result, or what the function is for
            at += 1
        elif char in _PAIRS:
            end = _end_of(name, at)
            kept.append(_group(name[at : end + 1], depth, is_first=not kept))
            at = end + 1
        else:
            kept.append(char)
            at += 1
    return "".join(kept)


def _begins_word(name: str, at: int) -> bool:
    return at == 0 or not (name[at - 1].isalnum() or name[at - 1] == "_")


def _group(group: str, depth: int, *, is_first: bool) -> str:
    """Return what stands for a group in brackets."""
    inner = group[1:-1]
    if group.startswith("("):
        return group if inner == "anonymous" else ""
    if group.startswith("{"):
        return inner.strip("{}").partition("(")[0].partition("#")[0]
    if inner.startswith("lambda"):  # Microsoft's with a hash, or GCC's with parameters
        return "lambda"
    if not is_first:
        return "<T>"
    if depth == _DEEPEST:
        return "<>"
    # Rust's: a type, or a type as what it implements
    return f"<{' as '.join(_without_types(one, depth + 1) for one in inner.split(' as ', 1))}>"


def _end_of(name: str, start: int) -> int:
    """Return where a group ends that begins at ``start``; that of an open one is the name's end."""
    opening, closing = name[start], _PAIRS[name[start]]
    depth = 0
    for at in range(start, len(name)):
        char = name[at]
        if char == opening:
            depth += 1
        elif char == closing and not (char == ">" and name[at - 1] in "-="):
            depth -= 1
            if depth == 0:
                return at
    return len(name)
