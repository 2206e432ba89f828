"""`devreg repos`, `devreg tags`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Annotated

import typer

from devreg.cli import unread as left
from devreg.cli.options import Json, Registry, default_registry, timeout
from devreg.model.errors import UsageError
from devreg.model.listing import Repository, Tag, held
from devreg.model.reference import Reference
from devreg.model.selection import Order, select
from devreg.model.since import since
from devreg.output import console, document, tables
from devreg.output.template import Template

Filter = Annotated[
    str | None, typer.Option("--filter", metavar="GLOB", help="Only names that match, as '1.*'.", show_default=False)
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="TEMPLATE",
        help=r"Print this for each, as '{name}\t{size}'; fields are the keys of --json.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    app.command()(repos)
    app.command()(tags)


def repos(
    address: Annotated[str | None, typer.Argument(metavar="ADDRESS", help="The registry.", show_default=False)] = None,
    pattern: Filter = None,
    details: Annotated[bool, typer.Option("--details", help="With the number of tags, size and age.")] = False,
    template: Format = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """List the repositories of a registry.

    In a pipe without a header; with --details name, number of tags, bytes and time.
    """
    from devreg.actions import catalog as action
    from devreg.output.progress import reporting

    line = _template(template, Repository, as_json)
    details = details or bool(line and line.fields - {"name"})
    where = default_registry(registry if address is None else address)
    with reporting() as listener:
        coming = action.repositories(where, timeout=timeout(), pattern=pattern, details=details, listen=listener)
        found: Iterable[Repository] = held(coming) if details or as_json else coming
    unread = [(each.name, each.error) for each in found if each.error] if details else []
    if as_json:
        rows = found if details else [{"name": each.name} for each in found]
        document.success("repos", {"repositories": rows}, ok=not unread, errors=left.errors(unread))
    elif line:
        _print(line, found)
    elif details:
        tables.repositories(list(found))
    else:
        tables.names(found)
    left.end(unread)


def tags(
    repositories: Annotated[
        list[str], typer.Argument(metavar="REPO", help="Repositories, with or without their registry.")
    ],
    sort: Annotated[Order, typer.Option("--sort", help="Newest, biggest or highest first; names ascend.")] = "created",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    pattern: Filter = None,
    made_since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Made since then: 30d, 12h, 2024-05-31.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", metavar="N", min=1, help="The first only.", show_default=False)
    ] = None,
    template: Format = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """List the tags of repositories.

    With digest, size, age, platforms, REFS, how many signatures, SBOMs and the like refer to it, and ALSO, the other
    tags of the same digest. In a pipe, without a header: name, digest,
    bytes, time, platforms, kind, number of referrers, other tags; before them the repository if there are several.
    """
    from devreg.actions import catalog as action
    from devreg.actions.versions import version_key
    from devreg.output.progress import reporting

    line = _template(template, Tag, as_json)
    moment = since(made_since, datetime.now(timezone.utc)) if made_since else None
    default = default_registry(registry)
    with reporting() as listener:
        every = action.tags(repositories, default=default, timeout=timeout(), pattern=pattern, listen=listener)
    found = select(every, sort=sort, reverse=reverse, since=moment, limit=limit, version_key=version_key)
    several = len(repositories) > 1
    unread = [(_label(each, several), each.error) for each in every if each.error]
    if as_json:
        document.success("tags", {"tags": found}, ok=not unread, errors=left.errors(unread))
    elif line:
        _print(line, found)
    elif not found:
        console.note("no tags" if every == () and pattern is None else "no tags that match")
    else:
        tables.tags(found, with_repository=several)
        there = {each.repository for each in every}
        for name in repositories if pattern is None else ():
            if Reference.parse(name).within(default).repository not in there:
                console.note(f"{name} has no tags")
    left.end(unread)


def _template(text: str | None, kind: type, as_json: bool) -> Template | None:
    if text is not None and as_json:
        raise UsageError("--format and --json are two ways to say it", hint="leave one of them out")
    return None if text is None else Template(text, kind)


def _print(line: Template, rows: Iterable[Repository | Tag]) -> None:
    for row in rows:
        console.result(line.line(row))


def _label(tag: Tag, several: bool) -> str:
    if not tag.name:
        return tag.repository
    return f"{tag.repository}:{tag.name}" if several else tag.name
