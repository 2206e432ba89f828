"""A newer engine than the system's, unpacked beside it from Debian's next suite; nothing is installed."""

import shutil
from pathlib import Path

from tests.live.lab import apt
from tests.live.lab.run import need, run

SUITE = "trixie"
PACKAGES = ("docker.io", "docker-cli", "containerd")
# Without runc: the newer one wants a newer libc than Debian 12 has, and the system's serves the newer containerd too.
PROGRAMS = ("dockerd", "docker", "docker-proxy", "containerd", "containerd-shim-runc-v2")


def trixie_engine(cache: Path) -> Path:
    """Return a folder with the PROGRAMS of the newer engine, for the `binaries` of `dockerd`.

    They are downloaded into `cache` at the first call only. The folder appears in one step, when it is complete.
    """
    ready = cache / f"engine-{SUITE}"
    if all((ready / program).is_file() for program in PROGRAMS):
        return ready
    work = cache / f"engine-{SUITE}.part"
    for folder in (work, ready):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (work / "debs", work / "bin"):
        folder.mkdir(parents=True)
    _download(work)
    for package in (work / "debs").glob("*.deb"):
        run("dpkg-deb", "-x", package, work / "tree")
    for program in PROGRAMS:
        found = [path for folder in ("bin", "sbin") if (path := work / "tree/usr" / folder / program).is_file()]
        if not found:
            raise AssertionError(f"{SUITE}: no {program} in {', '.join(PACKAGES)}")
        shutil.move(found[0], work / "bin" / program)
    (work / "bin").rename(ready)
    shutil.rmtree(work)
    return ready


def _download(work: Path) -> None:
    """Download PACKAGES to `work`/debs with apt's own tools, whose state is kept below `work` too."""
    need("apt-get", "apt")
    sources = work / "sources.list"
    sources.write_text(apt.mirrors().sources(SUITE))
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
    run("sh", "-c", 'cd "$0" && exec "$@"', work / "debs", "apt-get", "-q", *options, "download", *PACKAGES)
