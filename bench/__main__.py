"""The benchmark program: `python -m bench`, from the root of the checkout."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import sys
import time
from typing import Final

from bench import charts, plan, report, rounds, stage
from bench.chapters import WithChart

RESULTS: Final = pathlib.Path(__file__).parent / "results" / "latest.md"

_BEGAN: Final = time.monotonic()


def main() -> int:
    """Runs it; the exit status is 1 when a call failed or an address was held twice."""
    options = _options()
    given = {"rounds": options.rounds, "seconds": options.seconds}
    wanted = dataclasses.replace(
        options.plan, **{key: value for key, value in given.items() if value}
    )
    load_before = os.getloadavg()[0]
    with contextlib.ExitStack() as until:
        run = rounds.Run(until.enter_context(stage.ground()), wanted, until)
        run.run(_tell)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        drawn = {
            each.title: charts.draw(each.chart(), each.title, options.output.parent).name
            for each in run.chapters
            if isinstance(each, WithChart)
        }
        page = report.page(
            run.chapters, run.verdict, run.stage, wanted, load_before=load_before, charts=drawn
        )
    print(page, end="")
    options.output.write_text(page)
    return 1 if run.verdict.findings else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--quick",
        dest="plan",
        action="store_const",
        const=plan.QUICK,
        default=plan.Plan(),
        help="a rough answer in five minutes: fewer rows, fewer addresses held",
    )
    parser.add_argument("--rounds", type=int, help="how often every row is measured")
    parser.add_argument("--seconds", type=float, help="how long every row is measured in a round")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS, help="where the page goes")
    return parser.parse_args()


def _tell(progress: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {progress}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
