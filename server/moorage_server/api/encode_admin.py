"""What administration finds -> messages."""

from collections.abc import Iterator

from moorage.v1 import admin_service_pb2 as messages
from moorage_server.api import encode, encode_resources
from moorage_server.domain import adoption, quarantine
from moorage_server.storage import consistency
from moorage_server.usecases.consistency import Checked


def checked(rule: Checked) -> Iterator[messages.CheckConsistencyResponse]:
    """What breaks a rule, and how far the check has come."""
    for each in rule.findings:
        yield messages.CheckConsistencyResponse(finding=_finding(rule.rule, each))
    progress = messages.CheckProgress(
        rule=rule.rule, checked_rule_count=rule.count, rule_count=rule.of
    )
    yield messages.CheckConsistencyResponse(progress=progress)


def adopted(decision: adoption.Decision) -> messages.AdoptBlockResponse:
    """What became of a block."""
    return messages.AdoptBlockResponse(
        adopted_count=len(decision.adopted),
        kept_count=len(decision.kept),
        unchanged_count=decision.unchanged_count,
        block_changed=decision.block_changed,
        previous_node=decision.previous_node,
        released_count=decision.released_count,
        conflicts=[
            messages.AdoptConflict(
                address="" if each.address is None else str(each.address), message=each.message
            )
            for each in decision.conflicts
        ],
    )


def report(found: quarantine.Report) -> messages.GetQuarantineResponse:
    """Why a VRF is in quarantine, and what it waits for."""
    return messages.GetQuarantineResponse(
        quarantines=map(encode_resources.quarantined, found.quarantines),
        awaited=[
            messages.AwaitedList(node=each.node, cluster=each.cluster, network=each.network)
            for each in found.awaited
        ],
        awaited_count=found.awaited_count,
        unknown=[
            messages.UnknownAttachment(
                node=each.node,
                cluster=each.cluster,
                attachment=encode.attachment(each.attachment),
            )
            for each in found.unknown
        ],
        unknown_count=found.unknown_count,
    )


def _finding(rule: str, found: consistency.Finding) -> messages.Finding:
    return messages.Finding(
        rule=rule,
        message=found.message,
        address="" if found.address is None else str(found.address),
        block="" if found.block is None else str(found.block),
        generation=found.generation,
    )
