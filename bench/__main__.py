"""The benchmark program: `python -m bench`, from the root of the checkout."""

import argparse
import dataclasses
import os
import pathlib
import sys

from bench import crew, plan, report, rounds, stage

RESULTS = pathlib.Path(__file__).parent / "results" / "latest.md"


def main() -> int:
    """Runs it; the exit status is 1 when a call failed or an address was held twice."""
    options = _options()
    wanted = plan.QUICK if options.quick else plan.Plan()
    given = {"rounds": options.rounds, "seconds": options.seconds}
    wanted = dataclasses.replace(wanted, **{key: value for key, value in given.items() if value})
    load_before = os.getloadavg()[0]
    with stage.built() as built, crew.hired(built.place) as hired:
        outcome = rounds.Run(built, hired, wanted).run(_tell)
        page = report.page(outcome, built, wanted, load_before=load_before)
    print(page, end="")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(page)
    return 1 if outcome.findings else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a rough answer, three times sooner")
    parser.add_argument("--rounds", type=int, help="how often every row is measured")
    parser.add_argument("--seconds", type=float, help="how long every row is measured in a round")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS, help="where the page goes")
    return parser.parse_args()


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
