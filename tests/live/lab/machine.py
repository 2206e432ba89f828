"""A whole Debian machine with systemd as a container: for what only a service manager or a bare system shows."""

import io
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from docker.models.containers import Container

from tests.live.lab.engine import Engine
from tests.live.lab.handover import LOCAL_AUTHORITIES, Handover, handover
from tests.live.lab.rootfs import SUITE, rootfs
from tests.live.lab.run import need, run

IMAGE = f"lab-machine:{SUITE}"
BOOT_SECONDS = 90

# In the kernel's order, so that the place is the number. Later ones are unknown to older engines and not needed.
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"),
)


@dataclass(frozen=True)
class Machine:
    """A booted machine. `failed_units` names what systemd could not start (nothing, on a machine that is well)."""

    engine: Engine
    id: str
    failed_units: tuple[str, ...] = ()

    def run(
        self,
        *argv: str,
        input: str | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the machine as root, like `run.run` does on this host."""
        variables = [word for key, value in (env or {}).items() for word in ("--env", f"{key}={value}")]
        return self._docker("exec", "-i", *variables, self.id, *argv, input=input, check=check, timeout=timeout)

    def put(self, here: Path, there: str) -> None:
        """Copy a file or folder of this host into the machine, as `docker cp` does; not below /run, a tmpfs."""
        self._docker("cp", str(here), f"{self.id}:{there}")

    def _docker(
        self, *words: str, input: str | None = None, check: bool = True, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        client = need("docker", "docker.io (Debian 13: docker-cli)", self.engine.binaries)
        return run(client, *words, input=input, env=self.engine.env(), check=check, timeout=timeout)


def machine_image(client: docker.DockerClient, cache: Path) -> str:
    """Return the name of the machine's image in the engine, importing it (and making its tar in `cache`) if needed."""
    try:
        client.images.get(IMAGE)
    except ImageNotFound:
        name, _, tag = IMAGE.partition(":")
        client.api.import_image(
            src=str(rootfs(cache)), repository=name, tag=tag, changes=['CMD ["/sbin/init"]', "ENV container=docker"]
        )
    return IMAGE


@contextmanager
def machine(engine: Engine, cache: Path, *, init: bool = True, image: str | None = None) -> Iterator[Machine]:
    """Boot a machine in `engine`, set up to install from this host's sources; remove it and its volumes at the end.

    `init` False: nothing but the programs that are run in it, as in many a CI job. `image`: what `keep` has kept of
    another machine, instead of a bare Debian.
    """
    given = handover()
    with ExitStack() as cleaning, closing(engine.client()) as client:
        container = _create(client, image or machine_image(client, cache), given, init)
        cleaning.callback(container.remove, force=True, v=True)
        container.start()
        booting = Machine(engine, str(container.id))
        booted = replace(booting, failed_units=_boot(booting, container)) if init else booting
        _settle(booted, container, given)
        cleaning.callback(_empty, booted)
        yield booted


def keep(machine: Machine, name: str) -> str:
    """Keep the files of a machine (not what is in its volumes) as an image to boot others from; return its name."""
    with closing(machine.engine.client()) as client:
        client.containers.get(machine.id).commit(name, "1")
    return f"{name}:1"


def _create(client: docker.DockerClient, image: str, given: Handover, init: bool) -> Container:
    return client.containers.create(
        image,
        command=None if init else ["sleep", "infinity"],
        init=not init,  # somebody has to collect ended processes
        environment=given.variables,
        stop_signal="SIGRTMIN+3" if init else "SIGTERM",  # the first is what systemd takes for "halt"
        # Every right we can give: `privileged` itself is refused where the host lacks one of them.
        cap_add=_own_capabilities(),
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        cgroupns="host",
        tmpfs={"/run": "", "/run/lock": ""},
        # Anonymous volumes, gone with the container: overlay file systems cannot lie on one another.
        volumes=[
            "/sys/fs/cgroup:/sys/fs/cgroup:rw",
            "/var/lib/docker",
            "/var/lib/containerd",
            *(f"{folder}:{folder}:ro" for folder in sorted(given.folders)),
        ],
    )


def _own_capabilities() -> list[str]:
    status = Path("/proc/self/status").read_text()
    mask = int(status.split("CapBnd:")[1].split()[0], 16)
    return [name for number, name in enumerate(CAPABILITIES) if mask >> number & 1]


def _boot(machine: Machine, container: Container) -> tuple[str, ...]:
    """Wait until systemd is done starting; return the units that failed."""
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        state = machine.run("systemctl", "is-system-running", check=False)
        if state.stdout.strip() in ("running", "degraded"):
            failed = machine.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout
            return tuple(line.split()[0] for line in failed.splitlines())
        time.sleep(0.3)
    said = container.logs(tail=30).decode(errors="replace")
    raise AssertionError(f"no machine after {BOOT_SECONDS} s: {state.stdout}{state.stderr}\n{said}")


def _settle(machine: Machine, container: Container, given: Handover) -> None:
    """Put this host's settings in place, its bundle of authorities last: no later step may write it anew."""
    own = {file for file in given.files if LOCAL_AUTHORITIES in file.parents}
    if own:
        container.put_archive("/", _archive(own, {}))
        machine.run("update-ca-certificates")
    container.put_archive("/", _archive(given.files - own, given.texts))


def _empty(machine: Machine) -> None:
    """Remove the containers of an engine in the machine: their control groups are this host's and would stay."""
    machine.run("sh", "-c", "docker ps -aq | xargs -r docker rm -f", check=False, timeout=60)


def _archive(files: set[Path], texts: dict[str, str]) -> bytes:
    """Return a tar of files under their own full names, symbolic links followed, and of texts."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", dereference=True) as tar:
        for file in sorted(files):
            tar.add(file)
        for name, text in texts.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(text.encode()), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()
