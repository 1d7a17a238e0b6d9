"""Runs a plan: all chapters in each round, so that they share the machine's good and bad times."""

import contextlib
from collections.abc import Callable, Mapping, Sequence

from bench import crew, lab, plan, stage
from bench.chapters import Chapter
from bench.chapters.address_kinds import AddressKinds
from bench.chapters.beside_go_ipam import BesideGoIpam
from bench.chapters.calls import Calls
from bench.chapters.crowds import Crowds
from bench.chapters.fills import Fills
from bench.chapters.fixed_rates import FixedRates
from bench.chapters.full_reads import FullReads
from bench.chapters.go_ipam_benchmarks import GoIpamBenchmarks
from bench.chapters.plugin_processes import PluginProcesses
from bench.chapters.plugin_rollouts import PluginRollouts
from bench.chapters.processes import Processes
from bench.chapters.rollouts import Rollouts
from bench.chapters.scrapes import Scrapes
from bench.chapters.stocks import Stocks
from bench.chapters.watches import Watches


class Run:
    """One run on a PostgreSQL. Everything that it opens ends with `until`."""

    def __init__(
        self, ground: stage.Ground, wanted: plan.Plan, until: contextlib.ExitStack
    ) -> None:
        """Opens servers: for calls, fills, go-ipam's names, each stock and number of processes."""
        self.verdict = lab.Verdict()
        self._plan = wanted
        names = (
            "calls",
            "fills",
            "go_ipam_benchmarks",
            *(f"stock_{held}" for held in wanted.stocks),
        )
        stages = until.enter_context(ground.servers(*names))
        for each in wanted.processes:
            stages += until.enter_context(ground.servers(f"processes_{each}", processes=each))
        hired = until.enter_context(crew.hired())
        self.stage = stages[0]
        self._labs = [lab.Lab(each, hired, self.verdict) for each in stages]
        calls, fills, its_benchmarks, *others = self._labs
        stocks = dict(zip(wanted.stocks, others, strict=False))
        processes = dict(zip(wanted.processes, others[len(stocks) :], strict=True))
        # In the order of the page; the first makes the pools of those that have none of their own.
        self.chapters: Sequence[Chapter] = (
            Calls(calls, wanted),
            Fills(fills, wanted),
            Stocks(stocks, wanted),
            Crowds(calls, wanted),
            AddressKinds(calls, wanted),
            Rollouts(calls, wanted),
            PluginRollouts(calls, wanted, until),
            Watches(calls, wanted),
            FixedRates(calls, wanted),
            Processes(processes, wanted),
            FullReads(stocks, wanted.seconds),
            Scrapes(_scraped(calls, stocks)),
            PluginProcesses(calls, wanted, until),
            # What is held for it would be in every snapshot that those who watch the calls get.
            BesideGoIpam(fills, hired, ground, wanted, until),
            GoIpamBenchmarks(its_benchmarks, hired, ground, wanted, until),
        )

    def run(self, report: Callable[[str], None]) -> None:
        """Does the whole plan, telling `report` how far it is."""
        for chapter in self.chapters:
            report(f"preparing: {chapter.title}")
            chapter.prepare()
        for number in range(self._plan.rounds):
            for chapter in self.chapters:
                report(f"round {number + 1} of {self._plan.rounds}: {chapter.title}")
                chapter.round()
        report("checking")
        for each in self._labs:
            each.check()


def _scraped(calls: lab.Lab, stocks: Mapping[int, lab.Lab]) -> Mapping[str, lab.Lab]:
    """Where most is held, in one pool, and where most pools are."""
    most = max(stocks)
    return {f"holds {most:,} addresses": stocks[most], "has many pools": calls}
