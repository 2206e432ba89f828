"""`devreg registry mirror`: a second registry that keeps what it fetches from a hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, PasswordStdin, Yes, agreed, password, settings
from devreg.model.errors import UsageError
from devreg.model.server import Hub, ImagesFrom, Listen, ServerImages, memory
from devreg.output import console, document, tables

if TYPE_CHECKING:
    from devreg.model.results import MirrorState

app = typer.Typer(help="Keep what is pulled from a hub.", no_args_is_help=True, rich_markup_mode=None)

_DEFAULT_LISTEN = "127.0.0.1:5050"


@app.command()
def up(
    hub: Annotated[str, typer.Option(metavar="URL", help="Where from.")] = "https://registry-1.docker.io",
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDR:PORT", help="Where to.", show_default=f"{_DEFAULT_LISTEN}, or where it is"),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="NAME", help="Who to be at the hub.", show_default=False)
    ] = None,
    password_stdin: PasswordStdin = False,
    images_from: Annotated[
        ImagesFrom, typer.Option(help="Pull the images, or build them from Debian's packages; auto does what works.")
    ] = ImagesFrom.AUTO,
    as_json: Json = False,
) -> None:
    """Start the mirror, or bring it to the wanted state. It keeps the user it has at the hub unless one is given."""
    from devreg.actions.reach import open_engine
    from devreg.actions.serving import mirror
    from devreg.output.progress import reporting

    if password_stdin and user is None:
        raise UsageError("a password without a user", hint="give --user NAME")
    secret = None if user is None else password(password_stdin, f"Password of {user} at {hub}")
    wish = mirror.Wish(
        listen=None if listen is None else Listen.parse(listen),
        default_listen=Listen.parse(_DEFAULT_LISTEN),
        hub=Hub(mirror.checked(hub), user, secret),
        images=ServerImages(settings.get("registry_image").value, settings.get("nginx_image").value),
        images_from=images_from,
        memory=memory(settings.get("memory").value),
    )
    with reporting() as listener:
        state, changed = mirror.up(open_engine(), wish, listener)
    if as_json:
        document.success("registry mirror up", state, changed=changed)
        return
    console.result(f"{state.hub} is mirrored at {state.address}{'' if changed else '; nothing had to be changed'}")
    if state.line:
        console.note("for engines that are to pull from Docker's hub through it, in their daemon.json:")
        console.note(f"  {state.line}")


@app.command()
def down(
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove what it keeps too.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Stop the mirror. What it keeps stays unless --volumes is given."""
    from devreg.actions.reach import open_engine
    from devreg.actions.serving import mirror
    from devreg.output.progress import reporting

    engine = open_engine()
    if volumes:
        agreed("This removes every image that the mirror keeps. Go on?", yes)
    with reporting() as listener:
        changed = mirror.down(engine, volumes=volumes, listener=listener)
    if as_json:
        document.success("registry mirror down", {"volumes": volumes}, changed=changed)
    else:
        console.result("the mirror is stopped" if changed else "the mirror was not there")


@app.command()
def status(as_json: Json = False) -> None:
    """How the mirror is."""
    from devreg.actions.reach import open_engine
    from devreg.actions.serving import mirror

    state = mirror.state(open_engine())
    if as_json:
        document.success("registry mirror status", state)
    else:
        tables.pairs(_rows(state))


def _rows(state: MirrorState) -> list[tuple[str, str]]:
    word = "healthy" if state.healthy else "running, but does not answer" if state.running else "not running"
    return [
        ("state", word),
        ("address", state.address or "-"),
        ("hub", state.hub or "-"),
        ("user there", state.username or "-"),
        ("data", f"volume {state.volume}" if state.volume else "-"),
        ("daemon.json", state.line or "-"),
    ]
