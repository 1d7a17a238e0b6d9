"""A reservation may end by itself, which Calico's does not."""

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    assign,
    each,
    play,
    pool,
    pool_changed,
    reservation,
    reservation_changed,
    reservation_removed,
    reservation_shown,
    usage,
)

PAST, FUTURE = "2001-01-01T00:00:00Z", "2999-12-31T00:00:00Z"

EXPIRY: Rows = {
    "one without a time hides for good": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0"),
        assign().gives("10.0.0.1"),
    ],
    "one that has expired hides nothing": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0", expireTime=PAST).shows(expireTime=PAST),
        assign().gives("10.0.0.0"),
    ],
    "one that expires some day hides until then": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0", expireTime=FUTURE).shows(expireTime=FUTURE),
        assign().gives("10.0.0.1"),
    ],
    "an update may end it": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0", expireTime=FUTURE),
        assign("c1").gives("10.0.0.1"),
        reservation_changed("r", expireTime=PAST),
        assign("c2").gives("10.0.0.0"),
    ],
    "an update may renew it": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0", expireTime=PAST),
        reservation_changed("r", expireTime=FUTURE),
        assign("c1").gives("10.0.0.1"),
    ],
    "an update may take its time away": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0", expireTime=PAST),
        reservation_changed("r", expireTime=None),
        assign("c1").gives("10.0.0.1"),
    ],
    "one that has expired stays until it is removed": [
        reservation("r", "10.0.0.0", expireTime=PAST).kept("made"),
        reservation_shown("r").same_as("made"),
        reservation("r", "10.0.0.9").refused("RESERVATION_ALREADY_EXISTS", reservation="r"),
        reservation_removed("r"),
        reservation_shown("r").refused("RESERVATION_NOT_FOUND"),
    ],
    "one that has expired is not counted": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0/25", expireTime=PAST),
        reservation("s", "10.0.0.0/30", expireTime=FUTURE),
        usage("a").counts(reserved=4, available=252),
    ],
    "it changes nothing that only time has passed": [
        pool("a", "10.0.0.0/24", assignmentMode="Manual"),
        reservation("r", "10.0.0.0/24", expireTime=PAST),
        pool_changed("a", assignmentMode="Automatic"),
        assign("c1").gives("10.0.0.0"),
    ],
}


@each(EXPIRY)
def test_a_reservation_expires(stage: Stage, row: Row) -> None:
    play(stage, row)
