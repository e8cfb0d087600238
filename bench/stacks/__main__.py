"""``python -m bench.stacks``: compares stacks with those of minidump-stackwalk, and of gdb."""

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.stacks import fixtures, programs_against_gdb
from bench.stacks.fixtures import Comparison
from bench.stacks.walked import Symbols

_TARGET: Final = 0.95
"""The share of first frames that must be equal."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stacks", description=__doc__)
    parser.add_argument("--dumps", type=Path, metavar="FOLDER", help="NAME.dmp")
    parser.add_argument(
        "--symbols", type=Path, metavar="FOLDER", help="symbol files, in any folders"
    )
    parser.add_argument(
        "--expected", type=Path, metavar="FOLDER", help="NAME.json, by minidump-stackwalk --json"
    )
    parser.add_argument("--programs", action="store_true", help="compile, crash, and ask gdb")
    options = parser.parse_args()
    is_right = True
    if options.dumps is not None:
        files = [path for path in (options.symbols or options.dumps).rglob("*") if path.is_file()]
        found = fixtures.compare(options.dumps, Symbols(files), options.expected)
        is_right &= _show("minidump-stackwalk", found)
    if options.programs:
        with tempfile.TemporaryDirectory() as work:
            is_right &= _show("gdb", programs_against_gdb.compare(Path(work)))
    return 0 if is_right else 1


def _show(title: str, comparisons: Iterable[Comparison]) -> bool:
    equal = compared = 0
    is_right = True
    print(f"Against {title}:")
    for each in comparisons:
        equal, compared = equal + each.equal, compared + each.compared
        is_right &= not each.wrong
        wrong = f"  wrong: {', '.join(each.wrong)}" if each.wrong else ""
        wrong += f"  missing: {', '.join(each.missing)}" if each.missing else ""
        print(
            f"  {each.name:40} {each.equal}/{each.compared}  {each.seconds * 1000:4.0f} ms{wrong}"
        )
    share = equal / compared if compared else 0.0
    print(f"  first frames: {equal} of {compared}, {share:.1%}")
    return is_right and share >= _TARGET


if __name__ == "__main__":
    sys.exit(main())
