"""Newer engines than the system's, unpacked beside it from Debian's newer suites; nothing is installed."""

import shutil
from pathlib import Path

from tests.live.lab import apt
from tests.live.lab.run import need, run

# Without runc: the newer one wants a newer libc than Debian 12 has, and the system's serves the newer containerd too.
ENGINE = ("dockerd", "docker", "docker-proxy", "containerd", "containerd-shim-runc-v2")
PROGRAMS = {"trixie": ENGINE, "sid": (*ENGINE, "docker-buildx")}
PACKAGES = {
    "trixie": ("docker.io", "docker-cli", "containerd"),
    "sid": ("docker.io", "docker-cli", "containerd", "docker-buildx"),
}
_FOLDERS = ("bin", "sbin", "libexec/docker/cli-plugins")


def engine_of(suite: str, cache: Path) -> Path:
    """Return a folder with the PROGRAMS of a suite, for the `binaries` of `dockerd`.

    They are downloaded into `cache` at the first call only. The folder appears in one step, when it is complete.
    """
    ready = cache / f"engine-{suite}"
    if all((ready / program).is_file() for program in PROGRAMS[suite]):
        return ready
    work = cache / f"engine-{suite}.part"
    for folder in (work, ready):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (work / "debs", work / "bin"):
        folder.mkdir(parents=True)
    _download(suite, work)
    for package in (work / "debs").glob("*.deb"):
        run("dpkg-deb", "-x", package, work / "tree")
    for program in PROGRAMS[suite]:
        found = [path for folder in _FOLDERS if (path := work / "tree/usr" / folder / program).is_file()]
        if not found:
            raise AssertionError(f"{suite}: no {program} in {', '.join(PACKAGES[suite])}")
        shutil.move(found[0], work / "bin" / program)
    (work / "bin").rename(ready)
    shutil.rmtree(work)
    return ready


def _download(suite: str, work: Path) -> None:
    """Download a suite's PACKAGES to `work`/debs with apt's own tools, whose state is kept below `work` too."""
    need("apt-get", "apt")
    sources = work / "sources.list"
    sources.write_text(apt.mirrors().sources(suite))
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    # /etc/apt/apt.conf.d stays in force: the host's proxy and its certificates are set there.
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": work,
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "Dir::Log": work,
        "APT::Sandbox::User": "root",  # the user _apt cannot write below a private folder
        "APT::Update::Error-Mode": "any",  # an archive that cannot be reached is a failure here, not a warning
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    run("apt-get", "-q", *options, "update")
    run("sh", "-c", 'cd "$0" && exec "$@"', work / "debs", "apt-get", "-q", *options, "download", *PACKAGES[suite])
