"""Fixed addresses that the runtime passes with the call, which win over every annotation.

Annotations are annotations' part.
"""

from collections.abc import Sequence

from moorage.cni import addresses, constraints, errors, netconf, origin
from moorage.cni.invocation import Invocation

_NEXT_STEP = "pass at most one IPv4 and one IPv6 address"


def read(conf: netconf.NetConf, call: Invocation) -> constraints.Constraints | None:
    """Returns one choice for each address passed; None when none is.

    The capability `ips` wins over `args.cni.ips`, and that over CNI_ARGS, which the CNI conventions
    want ignored by a plugin that reads `args`.

    Raises:
        CniError: INVALID_CONFIG or INVALID_ENVIRONMENT, saying where and why.
    """
    runtime = netconf.section(conf.document, "runtimeConfig")
    args = netconf.section(netconf.section(conf.document, "args"), "cni", "args.")
    for key, value in (
        ("runtimeConfig.ips", runtime.get("ips")),
        ("args.cni.ips", args.get("ips")),
    ):
        if value:
            source = netconf.written(key, value)
            texts = origin.strings(source, addresses.MOST_LISTED)
            return _constraints(source, texts)
    return _from_args(call.args.get("IP", ""))


def _from_args(text: str) -> constraints.Constraints | None:
    if not text:
        return None
    source = origin.Origin(
        name='argument "IP"', where="CNI_ARGS", value=text, code=errors.Code.INVALID_ENVIRONMENT
    )
    return _constraints(source, text.split(","))


def _constraints(source: origin.Origin, texts: Sequence[str]) -> constraints.Constraints:
    try:
        # As host-local: a prefix length may be there, and says nothing.
        parsed = [addresses.parse_interface(text) for text in texts]
    except ValueError as error:
        raise source.refuse(str(error), _NEXT_STEP) from error
    families = [address.version for address in parsed]
    if len(set(families)) < len(families):
        raise source.refuse("more than one address of a family", _NEXT_STEP)
    choices = [constraints.Choice(family=a.version, candidates=(a,)) for a in parsed]
    return constraints.Constraints(choices=tuple(choices), said_by=(str(source),))
