"""What keeps a registry server going: its garbage collected, its content backed up and restored, its images renewed."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, settings
from devreg.model.errors import UsageError
from devreg.model.server import memory
from devreg.model.since import since
from devreg.output import console, document
from devreg.output.units import counted, size

if TYPE_CHECKING:
    from devreg.model.results import BackedUp, Collected

Wait = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="How long pushes under way are given to come to a pause.")
]


def add_to(app: typer.Typer) -> None:
    """Add this file's commands to `devreg registry`."""
    app.command()(gc)
    app.command()(backup)
    app.command()(restore)
    app.command()(upgrade)


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be freed.")] = False,
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Leave what a push may have relied on since: 90m, 12h, 2d.")
    ] = "1h",
    wait: Wait = 300,
    as_json: Json = False,
) -> None:
    """Free what no image needs any more. Pulls go on; pushes wait until it is done."""
    from devreg.actions.serving import gc as action
    from devreg.actions.serving.server_runtime import present
    from devreg.output.progress import reporting

    grace = _length(older_than)
    with reporting() as listener:
        done = action.collect(present(), grace, dry_run=dry_run, wait=wait, listener=listener)
    if as_json:
        document.success("registry gc", done, changed=not dry_run and bool(done.blobs or done.uploads))
    else:
        _tell(done, older_than)


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to, mode 0600; - for standard output.")],
    as_json: Json = False,
) -> None:
    """Back up images and users into a tar, while the registry runs. It has the hashes of passwords in it."""
    from devreg.actions.serving import backup as action
    from devreg.actions.serving.server_runtime import present
    from devreg.actions.serving.streams import output
    from devreg.output.progress import reporting

    if file == "-" and (sys.stdout.isatty() or as_json):
        raise UsageError("standard output is a terminal, or for JSON", hint="name a file, or pipe it on")
    server = present()
    with reporting() as listener, output(file, sys.stdout.buffer) as target:
        done = action.back_up(server, target, listener)
    if as_json:
        document.success("registry backup", done)
    else:
        console.note(_contents("backed up", done))


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where from; - for standard input.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of the images that there are.")
    ] = False,
    wait: Wait = 300,
    as_json: Json = False,
) -> None:
    """Restore a backup: verified before it takes its place. The server's users are the backup's then."""
    from devreg.actions.serving import restore as action
    from devreg.actions.serving.server_runtime import present
    from devreg.actions.serving.streams import source
    from devreg.output.progress import reporting

    if file == "-" and sys.stdin.isatty():
        raise UsageError("standard input is a terminal", hint="name a file, or pipe it in")
    server = present()
    with reporting() as listener, source(file, sys.stdin.buffer) as stream:
        done = action.restore(server, stream, replace=replace, wait=wait, listener=listener)
    if as_json:
        document.success("registry restore", done, changed=True)
    else:
        console.result(_contents("restored", done))


def upgrade(
    registry_image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Another registry.", show_default="the newest of the same name")
    ] = None,
    nginx_image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Another nginx.", show_default="the newest of the same name")
    ] = None,
    wait: Wait = 300,
    as_json: Json = False,
) -> None:
    """Run newer images or programs: with the same data, and the old ones again when the new do not answer."""
    from devreg.actions.serving import upgrade as action
    from devreg.actions.serving.server_runtime import present
    from devreg.output.progress import reporting

    given = {"registry_image": registry_image, "nginx_image": nginx_image}
    names = {key: None if value is None else settings.get(key, value).value for key, value in given.items()}
    limit = memory(settings.get("memory").value)
    with reporting() as listener:
        done = action.upgrade(present(), **names, memory=limit, wait=wait, listener=listener)
    if as_json:
        document.success("registry upgrade", done, changed=done.changed)
        return
    for each in done.containers:
        same = each.id == each.id_before
        console.result(f"{each.role}: {each.image} {'is still' if same else f'from {each.id_before} to'} {each.id}")
    for key, value in names.items():
        if value is not None and settings.get(key).value != value:
            console.note(f"for `registry up` to keep it: `devreg config set {key} {value}`")


def _contents(verb: str, done: BackedUp) -> str:
    return (
        f"{verb} {counted(done.repositories, 'repository', 'repositories')}, {counted(done.tags, 'tag')}, "
        f"{counted(done.blobs, 'blob')} ({size(done.size)}), {counted(len(done.users), 'user')}; every digest is right"
    )


def _tell(done: Collected, older_than: str) -> None:
    verb = "would free" if done.dry_run else "freed"
    console.result(
        f"{verb} {size(done.freed)}: {counted(done.blobs, 'blob')}, {counted(done.uploads, 'abandoned upload')}"
    )
    if done.kept:
        console.note(
            f"{counted(done.kept, 'blob')} ({size(done.kept_bytes)}) that no image needs: kept, since a push may have "
            f"relied on it in the last {older_than} (--older-than)"
        )


def _length(text: str) -> timedelta:
    now = datetime.now(timezone.utc)
    return max(now - since(text, now), timedelta(0))
