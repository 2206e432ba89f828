"""Small real images, built in an engine without any hub: by its classic builder, from a context made here."""

import io
import random
import tarfile
from contextlib import closing
from pathlib import Path

import docker

from tests.live.lab.engine import Engine
from tests.live.lab.run import need, run

MEGABYTE = 1 << 20


def multi_layer_image(
    client: docker.DockerClient, tag: str, layers: int = 3, megabytes_each: float = 1.0, *, seed: str | None = None
) -> str:
    """Build the image `tag` of `layers` layers, each one file of `megabytes_each`; return `tag`.

    The content depends on `seed` (the tag when None) and the layer's number alone, so images of one seed share layers
    and others do not. Gzip makes it about a quarter smaller. The image holds no program: it cannot be run.
    """
    files = {f"layer{n}": _content(f"{seed or tag}/{n}", int(megabytes_each * MEGABYTE)) for n in range(layers)}
    lines = ["FROM scratch", *(f"COPY {name} /{name}" for name in files), 'CMD ["/none"]']
    return _build(client, tag, lines, [_file(name, data) for name, data in files.items()])


def busybox_image(client: docker.DockerClient, tag: str) -> str:
    """Build the image `tag` that runs a shell: busybox with a link for each of its commands; return `tag`."""
    program = need("busybox", "busybox-static")
    linked = run("ldd", program, check=False)
    if linked.returncode == 0:  # ldd fails for a static program
        raise AssertionError(f"{program} needs shared libraries: apt-get install busybox-static")
    members = [_file("root/bin/busybox", Path(program).read_bytes(), mode=0o755)]
    for command in run(program, "--list").stdout.split():
        if command != "busybox":
            members.append((_entry(f"root/bin/{command}", type=tarfile.SYMTYPE, linkname="busybox"), b""))
    members.append(_file("root/etc/passwd", b"root:x:0:0:root:/:/bin/sh\n"))
    members.append((_entry("root/tmp", type=tarfile.DIRTYPE, mode=0o1777), b""))
    return _build(client, tag, ["FROM scratch", "COPY root/ /", "ENV PATH=/bin", 'CMD ["sh"]'], members)


def busybox_archive(client: docker.DockerClient, file: Path) -> str:
    """Write the image of `busybox_image` to `file`, for `docker load`; return its name."""
    name = busybox_image(client, "lab-busybox:1")
    file.write_bytes(b"".join(client.images.get(name).save(named=name)))
    return name


def save(engine: Engine, image: str, archive: Path) -> Path:
    """Write an image of an engine to `archive`, for `docker load`; return its path."""
    with closing(engine.client()) as sdk, archive.open("wb") as stream:
        for chunk in sdk.images.get(image).save(named=True):
            stream.write(chunk)
    return archive


def _content(seed: str, size: int) -> bytes:
    noise = random.Random(seed).randbytes(size - size // 4)  # noqa: S311  # the same bytes every time: no secret
    return noise + b"." * (size // 4)


Member = tuple[tarfile.TarInfo, bytes]


def _entry(name: str, *, type: bytes = tarfile.REGTYPE, mode: int = 0o644, linkname: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = type, mode, linkname
    return entry


def _file(name: str, data: bytes, mode: int = 0o644) -> Member:
    entry = _entry(name, mode=mode)
    entry.size = len(data)
    return entry, data


def _build(client: docker.DockerClient, tag: str, dockerfile: list[str], members: list[Member]) -> str:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for entry, data in [_file("Dockerfile", "\n".join(dockerfile).encode()), *members]:
            tar.addfile(entry, io.BytesIO(data))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    return tag
