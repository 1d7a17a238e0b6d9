"""Reports: what `moorctl ipam check` has found, written for `moorctl ipam release` to read."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf import json_format

import moorage
from moorage.ctl import exits
from moorage.ctl.ipam import files, leaks
from moorage.v1 import admin_service_pb2, resources_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check has found; the information is about what is no problem."""

    vrf: resources_pb2.Vrf
    findings: Sequence[admin_service_pb2.Finding]
    judgement: leaks.Judgement
    information: Sequence[Mapping[str, object]]

    @property
    def problem_count(self) -> int:
        """How many problems there are."""
        return len(self.findings) + len(self.judgement.leaks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaked:
    """An address that a report calls leaked, and who held it."""

    address: str
    generation: int
    network: str
    container_id: str
    interface: str

    @property
    def attachment(self) -> resources_pb2.Attachment:
        """Who held it."""
        return resources_pb2.Attachment(
            network=self.network, container_id=self.container_id, interface=self.interface
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a later release has to know of a report."""

    source: str
    document: Mapping[str, object]
    version: str
    vrf_uid: str
    leaked: frozenset[Leaked]


def write(checked: Checked) -> dict[str, object]:
    """Return the report of a check."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        "version": moorage.__version__,
        "time": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "vrf": checked.vrf.name,
        "vrfUid": checked.vrf.uid,
        "problems": [*map(_finding, checked.findings), *map(_leak, checked.judgement.leaks)],
        "information": list(checked.information),
        "notJudgedCount": checked.judgement.not_judged_count,
        "elsewhereCount": checked.judgement.elsewhere_count,
        "youngCount": checked.judgement.young_count,
    }


def read(source: str) -> Report:
    """Return a report from a file; raises exits.Failed unless it is one."""
    value = files.read(source)
    try:
        if not isinstance(value, dict):
            raise TypeError("it is no mapping")
        return Report(
            source=source,
            document=value,
            version=value["version"],
            vrf_uid=value["vrfUid"],
            leaked=frozenset(_leaked(value["problems"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise exits.refused(
            f"{source} is not a report ({type(error).__name__}: {error}); "
            "write one with: moorctl ipam check --report FILE"
        ) from error


def apart(reports: Iterable[Report]) -> Iterator[Report]:
    """Yield the reports; one that is given again, whatever its file is called, is none more."""
    known: list[Report] = []
    for report in reports:
        same = next((each for each in known if each.document == report.document), None)
        if same is None:
            known.append(report)
            yield report
        else:
            exits.note(f"{report.source} is the same report as {same.source}, and counts once")


def in_common(reports: Sequence[Report]) -> list[Leaked]:
    """Return what is leaked by every report, held by the same generation."""
    common = frozenset.intersection(*(report.leaked for report in reports))
    return sorted(common, key=lambda each: each.generation)


def _finding(finding: admin_service_pb2.Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "message": finding.message,
        "address": finding.address,
        "block": finding.block,
        "attachment": None,
        "generation": finding.generation,
    }


def _leak(leak: leaks.Leak) -> dict[str, object]:
    return {
        "rule": leaks.RULE,
        "message": leak.reason,
        "address": leak.allocation.address,
        "block": leak.allocation.block,
        "attachment": json_format.MessageToDict(leak.allocation.attachment),
        "generation": leak.allocation.generation,
    }


def _leaked(problems: Iterable[Mapping[str, object]]) -> Iterable[Leaked]:
    for problem in problems:
        if problem["rule"] == leaks.RULE:
            attachment = problem["attachment"]
            if not isinstance(attachment, dict):
                raise TypeError("a leaked address is of no attachment")
            yield Leaked(
                address=str(problem["address"]),
                generation=_generation(problem["generation"]),
                network=str(attachment["network"]),
                container_id=str(attachment["containerId"]),
                interface=str(attachment["interface"]),
            )


def _generation(value: object) -> int:
    """Return a generation; without a positive one, a release would not be fenced."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r:.60} is no generation")
    return value
