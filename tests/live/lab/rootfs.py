"""The files of a minimal Debian 12 machine with systemd, made once by debootstrap and kept as a tar."""

import shutil
from pathlib import Path

from tests.live.lab import apt
from tests.live.lab.run import need, run

SUITE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,ca-certificates,iproute2,procps,python3,python3-venv"


def rootfs(cache: Path) -> Path:
    """Return the tar, made at the first call only (about a minute); it knows nothing of this host yet."""
    ready = cache / f"machine-{SUITE}.tar"
    if ready.is_file():
        return ready
    need("debootstrap", "debootstrap")
    tree, part = cache / f"machine-{SUITE}.tree", ready.with_suffix(".part")
    cache.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(tree, ignore_errors=True)
    run(
        *("debootstrap", "--variant=minbase", f"--include={PACKAGES}", f"--keyring={apt.KEYRING}"),
        *(SUITE, tree, apt.mirrors().main),
        env=apt.proxy(),  # debootstrap fetches with wget
        timeout=1200,
    )
    shutil.rmtree(tree / "var/cache/apt")  # the packages, fetched and installed; apt makes its folders again
    # The engine lays its own /dev, /proc and /sys over these.
    bare = [f"--exclude=./{folder}/*" for folder in ("dev", "proc", "sys")]
    run("tar", "--numeric-owner", *bare, "-C", tree, "-cf", part, ".")
    shutil.rmtree(tree)
    part.rename(ready)
    return ready
