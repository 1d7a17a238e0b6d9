"""Steps that let time pass in a VRF; nothing but the database can be told of it."""

from acceptance.calico.stage import Stage
from acceptance.calico.step import Step

_CLAIMED = """
UPDATE blocks SET claim_time = claim_time - make_interval(secs => :seconds)
WHERE vrf_id = (SELECT vrf_id FROM vrfs WHERE name = :vrf)"""
_COOLED = """
UPDATE blocks SET next_ready_time = next_ready_time - make_interval(secs => :seconds),
    cooling = (
        SELECT jsonb_agg(
            jsonb_build_array(
                each->0, (each->1)::bigint - CAST(:seconds AS bigint) * 1000000, each->2)
            ORDER BY at)
        FROM jsonb_array_elements(cooling) WITH ORDINALITY AS listed (each, at))
WHERE next_ready_time IS NOT NULL
    AND vrf_id = (SELECT vrf_id FROM vrfs WHERE name = :vrf)"""


def later(seconds: int) -> Step:
    """So many seconds pass: blocks were claimed, and addresses released, that much earlier."""

    def request(stage: Stage) -> None:
        for statement in (_CLAIMED, _COOLED):
            stage.theatre.database.execute(statement, seconds=seconds, vrf=stage.vrf)

    return Step(request)
