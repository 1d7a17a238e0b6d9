"""Steps that let time pass in a VRF; nothing but the database can be told of it."""

from acceptance.calico.stage import Stage
from acceptance.calico.step import Step

_CLAIMED = """
UPDATE blocks SET claim_time = claim_time - make_interval(secs => :seconds)
WHERE vrf_id = (SELECT vrf_id FROM vrfs WHERE name = :vrf)"""
_TICKED = "UPDATE ticks SET tick = tick + :seconds"


def later(seconds: int) -> Step:
    """So many seconds pass: blocks were claimed that much earlier, as many ticks are counted."""

    def request(stage: Stage) -> None:
        database = stage.theatre.database
        database.execute(_CLAIMED, seconds=seconds, vrf=stage.vrf)
        database.execute(_TICKED, seconds=seconds)

    return Step(request)
