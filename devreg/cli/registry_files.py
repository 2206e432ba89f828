"""`devreg registry render`: the registry server as files."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, server_images, settings
from devreg.model.errors import UsageError
from devreg.model.rendered import File, Site, Target
from devreg.model.server import S3, Listen, Nfs, given_certificate, memory
from devreg.model.server_choices import domain as checked_domain
from devreg.output import console, document

if TYPE_CHECKING:
    from collections.abc import Sequence


class Storage(str, Enum):
    """Where the registries of a swarm keep their data."""

    VOLUME = "volume"
    S3 = "s3"
    NFS = "nfs"


def render(
    target: Annotated[Target, typer.Option("--target", help="What is to run it.")],
    domain: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name that clients use.", show_default="any")
    ] = None,
    tls: Annotated[
        str, typer.Option(metavar="CERT,KEY|off", help="Files with which nginx speaks TLS; off: a proxy does.")
    ] = "off",
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDR:PORT", help="Where clients reach it.", show_default=":80; :443 with --tls"),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Write the files there.", show_default="standard output")
    ] = None,
    storage: Annotated[Storage, typer.Option(help="Where the data of a swarm's registries is.")] = Storage.VOLUME,
    replicas: Annotated[int, typer.Option(metavar="N", min=1, help="Registries of a swarm, with s3 or nfs.")] = 1,
    bucket: Annotated[str | None, typer.Option(metavar="NAME", help="The bucket of s3.", show_default=False)] = None,
    region: Annotated[str, typer.Option(metavar="NAME", help="Its region.")] = "us-east-1",
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="The S3 server, where it is not Amazon's.", show_default=False)
    ] = None,
    export: Annotated[
        str | None, typer.Option(metavar="SERVER:/PATH", help="The folder of nfs.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also over files that somebody has edited.")] = False,
    as_json: Json = False,
) -> None:
    """Print or write the files with which systemd, Compose, a swarm or an nginx runs the registry.

    The first lines of each file say what to do with it. A file that somebody has edited is left alone.
    """
    shared = _shared(storage, bucket, region, endpoint, export)
    site = Site(
        images=server_images(),
        domain=None if domain is None else checked_domain(domain),
        certificate=given_certificate(tls),
        listen=None if listen is None else Listen.parse(listen),
        storage=shared,
        replicas=replicas,
        memory=memory(settings.get("memory").value),
    )
    _render(target, site, folder, force=force, as_json=as_json)


def _render(target: Target, site: Site, folder: Path | None, *, force: bool, as_json: bool) -> None:
    from devreg.actions.serving import render as action

    files = action.rendered(target, site)
    changes = () if folder is None else action.plan(files, folder)
    action.refuse_edited(changes, force=force, tell=console.note)
    changed = action.write(changes)
    if as_json:
        told = [{"name": each.name, "place": each.place, "text": each.stamped} for each in files]
        states = [{"path": str(each.path), "state": each.state} for each in changes]
        document.success("registry render", {"files": told, "written": states}, changed=changed)
    elif folder is None:
        _print(files)
    else:
        for each in changes:
            console.result(f"{each.path} ({each.state})")


def _shared(
    storage: Storage, bucket: str | None, region: str, endpoint: str | None, export: str | None
) -> S3 | Nfs | None:
    if storage is Storage.S3:
        if bucket is None:
            raise UsageError("--storage s3 needs a bucket", hint="name it: --bucket NAME")
        return S3.checked(bucket, region, endpoint)
    if storage is Storage.NFS:
        if export is None:
            raise UsageError("--storage nfs needs a folder of a server", hint="name it: --export SERVER:/PATH")
        return Nfs.parse(export)
    return None


def _print(files: Sequence[File]) -> None:
    for at, each in enumerate(files):
        if len(files) > 1:
            console.result(f"{chr(10) if at else ''}# ==> {each.place or each.name} <==")
        console.result(each.stamped.removesuffix("\n"))
