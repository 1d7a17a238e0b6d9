"""A server to try Moorage with: keeps its data, begins with the pools of examples/.

How the server itself is run is `local_server`'s.
"""

import argparse
import json
import pathlib
import shlex
import sys

import local_server

DEFAULT_LISTEN = "127.0.0.1:7711"
DEFAULT_METRICS_LISTEN = "127.0.0.1:7712"
ANNOTATIONS = {"cni.projectcalico.org/ipv4pools": '["web"]'}
WELCOME = """\
Moorage serves gRPC on {target}. Try, in another terminal:

  {moorctl} get pools

  CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_IFNAME=eth0 CNI_NETNS=/run/netns/c1 \\
  CNI_ARGS="K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart-0" \\
  {plugin} < {pod}

  {moorctl} get allocations

The second is what a container runtime does for a pod that asks for pool "web".
Log: {log}. Ctrl-C stops; the data stays in {state}."""


def main() -> int:
    """Serves until Ctrl-C; returns 1 if the server ended by itself."""
    options = _options()
    local_server.end_on_signals()
    try:
        print("starting PostgreSQL and the server ...", flush=True)
        with local_server.running(
            options.state, listen=options.listen, metrics_listen=options.metrics_listen
        ) as server:
            print(_load_once(server, options))
            print(_welcome(server, options.state), flush=True)
            server.wait()
    except KeyboardInterrupt:
        print(f"\nstopped; the data is in {_short(options.state)}")
    except local_server.Failed as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve with sample pools until Ctrl-C.")
    parser.add_argument(
        "--state", type=pathlib.Path, default=local_server.ROOT / ".moorage", metavar="DIR"
    )
    parser.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT")
    parser.add_argument(
        "--metrics-listen", default=DEFAULT_METRICS_LISTEN, metavar="HOST:PORT", help='"" for none'
    )
    local_server.add_examples(parser)
    return parser.parse_args()


def _load_once(server: local_server.LocalServer, options: argparse.Namespace) -> str:
    """Loads the examples into a new database only: what was made of them since is not undone."""
    loaded: pathlib.Path = options.state / "examples-loaded"
    if loaded.exists():
        return "the data of the last time is there"
    said = server.load(options.examples)
    loaded.touch()
    return said


def _welcome(server: local_server.LocalServer, state: pathlib.Path) -> str:
    pod = state / "annotated-pod.json"
    pod.write_text(json.dumps(_network(server.target), indent=2) + "\n")
    moorctl = _short(local_server.PROGRAMS / "moorctl")
    if server.target != DEFAULT_LISTEN:
        moorctl += f" --server {server.target}"
    return WELCOME.format(
        target=server.target,
        moorctl=moorctl,
        plugin=_short(local_server.PROGRAMS / "moorage"),
        pod=_short(pod),
        log=_short(server.log),
        state=_short(state),
    )


def _network(server: str) -> dict[str, object]:
    """The network configuration as a container runtime passes it for an annotated pod."""
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "type": "ptp",
        "ipam": {"type": "moorage", "server": server, "nodename": "node-a"},
        "runtimeConfig": {"io.kubernetes.cri.pod-annotations": ANNOTATIONS},
    }


def _short(path: pathlib.Path) -> str:
    """Spells a path as it may be typed into a shell here."""
    path = path.absolute()
    here = pathlib.Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


if __name__ == "__main__":
    sys.exit(main())
