"""A real, private Docker engine beside whatever else runs: own data, socket, containerd, configuration and bridge."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.live.lab import firewall, processes
from tests.live.lab.bridge import bridge
from tests.live.lab.engine import Engine
from tests.live.lab.run import need, run

LONGEST_SOCKET = 100  # the kernel takes 107 bytes; containerd appends to the names of some of its own


@contextmanager
def dockerd(
    root: Path,
    *,
    name: str,
    binaries: Path | None = None,
    config: dict[str, object] | None = None,
    subnet: str,
) -> Iterator[Engine]:
    """Run an engine whose files are all below the new or empty folder `root`, and remove every trace of it at the end.

    `name` makes its bridge `lab-<name>`, `subnet` that bridge's addresses ("10.213.7.0/24"; engines beside each
    other need different ones), `config` its daemon.json (an empty object when None: dockerd refuses to start when
    the file that --config-file names is missing), `binaries` a folder whose programs go before the system's.
    """
    engine = Engine(root=root, bridge=f"lab-{name}", binaries=binaries)
    if len(str(engine.containerd_socket)) > LONGEST_SOCKET:
        raise AssertionError(f"too long for a unix socket, use a shorter folder: {engine.containerd_socket}")
    if binaries and not (binaries / "dockerd").is_file():
        raise AssertionError(f"no dockerd in {binaries}; the system's would be tested instead")
    if root.exists() and any(root.iterdir()):
        raise AssertionError(f"not empty, and it would be deleted at the end: {root}")
    root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as cleaning:  # undone last in, first out
        cleaning.callback(_remove_files, root)
        cleaning.enter_context(bridge(engine.bridge, subnet))
        settings = json.dumps(config or {}, indent=2) + "\n"
        engine.config_file.write_text(settings)
        Path(engine.env()["DOCKER_CONFIG"]).mkdir()
        cleaning.callback(_end_leftovers, engine)
        _start_containerd(engine)
        cleaning.callback(engine.stop)
        engine.start()
        cleaning.callback(_remove_objects, engine, settings)
        yield engine


def _start_containerd(engine: Engine) -> None:
    # dockerd starts one itself only where no system-wide containerd listens; that one is not ours to fill.
    settings = engine.root / "containerd.toml"
    settings.write_text(
        "version = 2\n"
        f'root = "{engine.root}/containerd"\n'
        f'state = "{engine.root}/containerd.run"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\n  address = "{engine.containerd_socket}"\n'
    )
    program = need("containerd", "containerd", engine.binaries)
    engine.launch([program, "--config", str(settings)], engine.containerd_socket.exists, engine.root / "containerd.log")


def _remove_objects(engine: Engine, settings: str) -> None:
    """Remove containers and networks through the engine: without that their interfaces would stay."""
    if not engine.answers():  # a test has stopped it, perhaps with a daemon.json that it cannot start with
        engine.config_file.write_text(settings)
        engine.start()
    with closing(engine.client()) as client:
        for container in client.containers.list(all=True):
            container.remove(force=True, v=True)
        for network in client.networks.list(filters={"type": "custom"}):
            network.remove()
            firewall.forget(f"br-{str(network.id)[:12]}")


def _end_leftovers(engine: Engine) -> None:
    """End this engine's containerd, and first the shims that outlived a dockerd which was killed."""
    for program in ("containerd-shim", "containerd"):
        for pid in list(processes.naming(engine.root, (program,))):
            processes.end(pid)


def _remove_files(root: Path) -> None:
    """Unmount what is mounted below `root`, innermost first, and delete the folder."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((point for point in points if point.startswith(f"{root}/")), reverse=True):
        run("umount", "--lazy", point, check=False)
    shutil.rmtree(root)
