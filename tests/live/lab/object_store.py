"""A real S3 server: Ceph's gateway before a cluster of one monitor and one store in memory."""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live.lab import processes
from tests.live.lab.run import need, run, search_path

START_SECONDS = 20
REGION = "us-east-1"
_GIB = 4
_CONFIG = """
[global]
fsid = {cluster}
mon host = [v2:{ip}:{monitor}]
public addr = {ip}
cluster addr = {ip}
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.$pid.asok
pid file =
log file = {folder}/$name.log
mon data = {folder}/mon
mon data avail crit = 1
mon allow pool size one = true
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {bytes}
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
[client.gateway]
rgw frontends = beast endpoint={ip}:{port}
rgw run sync thread = false
"""


@dataclass(frozen=True)
class ObjectStore:
    """A bucket, and what a client has to know to use it."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str


@contextmanager
def object_store(folder: Path, ip: str, port: int) -> Iterator[ObjectStore]:
    """Run the server at an address of this host, with its files in `folder` and `port + 1` for its monitor."""
    folder.mkdir(parents=True)
    config = folder / "ceph.conf"
    config.write_text(
        _CONFIG.format(cluster=uuid.uuid4(), folder=folder, ip=ip, port=port, monitor=port + 1, bytes=_GIB << 30)
    )
    _make_keys(folder / "keyring")
    with ExitStack() as cleaning:  # last in, first out: the gateway before the store, the store before the monitor
        _start_monitor(config, folder, f"[v2:{ip}:{port + 1}]", cleaning)
        _start_store(config, cleaning)
        cleaning.callback(processes.end, _spawn(config, "radosgw", "-n", "client.gateway"))
        store = _user(config, f"http://{ip}:{port}")
        _make_bucket(store)
        yield store


def _make_keys(keyring: Path) -> None:
    everything = ("--cap", "mon", "allow *", "--cap", "osd", "allow *")
    run(need("ceph-authtool", "ceph-common"), keyring, "--create-keyring", "--gen-key", "-n", "mon.", *everything)
    for name in ("client.admin", "osd.0", "client.gateway"):
        run("ceph-authtool", keyring, "--gen-key", "-n", name, *everything)


def _start_monitor(config: Path, folder: Path, address: str, cleaning: ExitStack) -> None:
    cluster = re.search(r"fsid = (\S+)", config.read_text())
    assert cluster
    (folder / "mon").mkdir()
    run("monmaptool", "--create", "--fsid", cluster[1], "--addv", "a", address, folder / "map")
    first = ("--mkfs", "-i", "a", "--monmap", folder / "map", "--keyring", folder / "keyring")
    run(need("ceph-mon", "ceph-mon"), "-c", config, *first)
    cleaning.callback(processes.end, _spawn(config, "ceph-mon", "-i", "a"))


def _start_store(config: Path, cleaning: ExitStack) -> None:
    name = str(uuid.uuid4())
    run(need("ceph", "ceph-common"), "-c", config, "--connect-timeout", str(START_SECONDS), "osd", "new", name)
    (config.parent / "osd").mkdir()
    run(need("ceph-osd", "ceph-osd"), "-c", config, "-i", "0", "--mkfs", "--osd-uuid", name)
    cleaning.callback(processes.end, _spawn(config, "ceph-osd", "-i", "0"))


def _spawn(config: Path, program: str, *words: str) -> int:
    command = [need(program, program), "-c", str(config), "-f", *words]
    return processes.spawn(command, env={"PATH": search_path()}, log=config.parent / f"{program}.out")


def _user(config: Path, endpoint: str) -> ObjectStore:
    access_key, secret_key = f"LAB{uuid.uuid4().hex[:17].upper()}", uuid.uuid4().hex
    # The store's pools are made at the first use, which waits for them.
    run(
        *(need("radosgw-admin", "radosgw"), "-c", config, "-n", "client.gateway", "user", "create"),
        *("--uid=registry", "--display-name=registry", f"--access-key={access_key}", f"--secret-key={secret_key}"),
        timeout=START_SECONDS,
    )
    return ObjectStore(endpoint, "registry", access_key, secret_key)


def _make_bucket(store: ObjectStore) -> None:
    deadline = time.monotonic() + START_SECONDS
    signed = ("--aws-sigv4", f"aws:amz:{REGION}:s3", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--config", "-")
    command = ("curl", "-sS", "--fail", "--noproxy", "*", "-X", "PUT", f"{store.endpoint}/{store.bucket}", *signed)
    while True:
        done = run(*command, input=f'user = "{store.access_key}:{store.secret_key}"\n', check=False)
        if done.returncode == 0:
            return
        assert time.monotonic() < deadline, f"no bucket after {START_SECONDS} s: {done.stderr}"
        time.sleep(0.2)
