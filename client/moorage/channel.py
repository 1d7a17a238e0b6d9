"""How a connection to a server is opened, with which settings.

What is sent over it, and what is sent again, is decided in `moorage.client` and `moorage.retries`.
"""

import functools

import grpc

from moorage import targets, tls

OPTIONS: tuple[tuple[str, int | str], ...] = (
    # gRPC sends again only what no server has begun with, as when a connection reaches its age in
    # the moment of a call. All else `moorage.retries` decides, which knows reasons and not only
    # codes: so rules from elsewhere, of the name service, are not asked for.
    ("grpc.enable_retries", 1),
    ("grpc.service_config_disable_resolution", 1),
    # A proxy of the environment is meant for the web and would break calls inside a cluster.
    ("grpc.enable_http_proxy", 0),
    # Every replica that the name resolves to takes its share, and a dead one is passed over.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    # A peer that fell silent is noticed within 25 seconds. The server tolerates one ping every 10.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # The pings by which gRPC measures a connection that carries much come more often than that: a
    # server ends it for them in the midst of a large answer. So the window is set, not found.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 256 * 1024),
    # gRPC would wait up to two minutes before it connects again, and twenty seconds for a peer
    # that does not answer; a call's retries must find it connected as soon as a server is back.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # The server's own limits, mirrored: requests are small, pages of a listing are not.
    ("grpc.max_send_message_length", 1024 * 1024),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
)


# What a server is called that is reached by a socket of its machine.
_LOCAL = (("grpc.ssl_target_name_override", "localhost"),)


def open_channel(target: str, files: tls.Tls | None = None) -> grpc.Channel:
    """Return a channel to `target`, in plain text without `files`; it connects with the first call.

    Raises ValueError where `target` is no server's, or the files cannot be used.
    """
    uri = targets.uri(target)
    if files is None:
        return grpc.insecure_channel(uri, options=OPTIONS)
    from moorage import reconnecting  # noqa: PLC0415 - most programs on a node need none

    return reconnecting.Channel(files, functools.partial(_secure, uri))


def _secure(uri: str, content: tls.Content) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(content.ca, content.key, content.certificate)
    options = (*OPTIONS, *_LOCAL) if uri.startswith("unix:") else OPTIONS
    return grpc.secure_channel(uri, credentials, options=options)
