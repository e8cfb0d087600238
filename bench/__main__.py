"""``python -m bench``: measures Holdall against its peers and reports what it reached."""

import argparse
import sys
import tempfile
import time
import traceback
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, report
from bench.measures import AGAINST_EARLIER, MEASURES
from bench.process import machine_cpu
from bench.result import FULL, GIB, QUICK, Plan, Result
from bench.servers import PEER_PYTHON, ROOT, checked_out

FREE_SPACE = 15 * GIB


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "measure", nargs="*", help=f"all, unless named: {', '.join(MEASURES)}", metavar="measure"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: checks the bench only")
    parser.add_argument("--rounds", type=int, help="counted rounds of each comparison")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results", metavar="FOLDER")
    parser.add_argument(
        "--work",
        type=Path,
        default=ROOT / "bench" / ".work",
        metavar="FOLDER",
        help="where the servers keep their data; on the disk that is to be measured",
    )
    parser.add_argument(
        "--against",
        metavar="REVISION",
        help=f"measure against an earlier commit instead of peers: {', '.join(AGAINST_EARLIER)}",
    )
    given = parser.parse_args()
    if unknown := set(given.measure) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    if given.against and (unfit := set(given.measure) - set(AGAINST_EARLIER)):
        parser.error(f"not against an earlier commit: {', '.join(sorted(unfit))}")
    if not given.measure:
        given.measure = [*(AGAINST_EARLIER if given.against else MEASURES)]
    if not given.against and not PEER_PYTHON.exists():
        parser.error("the peers are not installed: see bench/README.md")
    return given


def _plan(given: argparse.Namespace, against: Path | None) -> Plan:
    plan = QUICK if given.quick else FULL
    return replace(plan, rounds=given.rounds or plan.rounds, against=against)


def _measure(given: argparse.Namespace, plan: Plan) -> tuple[list[Result], list[str]]:
    """Run the chosen measures; one that fails is named in the remarks and stops no other."""
    results: list[Result] = []
    remarks = ["**Quick run: the sizes are too small for its figures to count.**"] * given.quick
    for name in given.measure:
        begin = time.monotonic()
        try:
            found = MEASURES[name](plan)
        except Exception as error:  # noqa: BLE001  # what the others found must not be lost
            traceback.print_exc()
            reason = str(error).strip().rpartition("\n")[2]
            remarks.append(f"**{name} failed: {type(error).__name__}: {reason}**")
            continue
        results += found
        print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
        print(report.table(found), end="\n\n", flush=True)
    return results, remarks


def main() -> int:
    """Measure, report, and return 1 when a target was missed or a measure failed."""
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    if not given.quick and machine.free_space(given.work) < FREE_SPACE:
        raise SystemExit(f"{given.work} needs {FREE_SPACE // GIB} GiB of free disk")
    facts = machine.describe(given.work, given.against)
    total, stolen = machine_cpu()
    # A short name: PostgreSQL's socket lies below it, and its path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="b-", dir=given.work, ignore_cleanup_errors=True) as it:
        tempfile.tempdir = str(Path(it).resolve())
        with checked_out(given.against) if given.against else nullcontext() as against:
            results, remarks = _measure(given, _plan(given, against))
    total, stolen = machine_cpu()[0] - total, machine_cpu()[1] - stolen
    facts["time stolen by the host"] = f"{100 * stolen / total:.1f} %"
    now = datetime.now(UTC)
    title = f"Holdall's bench, {now:%Y-%m-%d %H:%M} UTC"
    text = report.document(title, results, facts, remarks)
    report.save(given.out / f"{now:%Y-%m-%d-%H%M}", text, results, facts, remarks)
    print(text)
    misses = [target for result in results for target in result.targets if not target.is_met]
    return 1 if misses or any("failed" in remark for remark in remarks) else 0


if __name__ == "__main__":
    raise SystemExit(main())
