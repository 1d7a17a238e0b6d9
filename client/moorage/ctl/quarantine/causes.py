"""What the causes of a quarantine are called."""

from moorage.ctl import specs
from moorage.v1 import resources_pb2


def name(of: resources_pb2.Quarantine) -> str:
    """Return the cause, as in RESTORED."""
    return specs.short_name(resources_pb2.QuarantineCause.DESCRIPTOR, of.cause)
