"""`devreg registry`: run the registry server."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli import (
    registry_files,
    registry_install,
    registry_keep,
    registry_mirror,
    registry_options,
    registry_user,
)
from devreg.cli.options import Json, PasswordStdin, Yes, agreed, own_name, password, settings
from devreg.model import server_choices
from devreg.model.server import ImagesFrom, Listen, ServerImages, memory
from devreg.model.server_processes import Runtime
from devreg.output import console, document, server_view, tables

if TYPE_CHECKING:
    from devreg.model.results import ServerUp

app = typer.Typer(help="Run a registry: anybody may pull, users may push.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(registry_user.app, name="user")
app.command()(registry_files.render)
app.command()(registry_install.install)
app.command()(registry_install.uninstall)
app.add_typer(registry_mirror.app, name="mirror")
registry_keep.add_to(app)


def register(root: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    root.add_typer(app, name="registry")


class Role(str, Enum):
    """Which of the containers."""

    REGISTRY = "registry"
    NGINX = "nginx"
    MIRROR = "mirror"


@app.command()
def up(
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDR:PORT", help="Where to publish it.", show_default="127.0.0.1:5000, or where it is"),
    ] = None,
    images_from: Annotated[
        ImagesFrom, typer.Option(help="Pull the images, or build them from Debian's packages; auto does what works.")
    ] = ImagesFrom.AUTO,
    runtime: Annotated[
        Runtime,
        typer.Option(help="Containers, or plain processes; auto: containers if an engine answers."),
    ] = Runtime.AUTO,
    data: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Where processes keep their data.", show_default="with devreg's records"),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="NAME", help="The first user.", show_default="your name here")
    ] = None,
    password_stdin: PasswordStdin = False,
    tls: registry_options.Tls = None,
    domain: registry_options.Domains = None,
    plain_http: registry_options.PlainHttp = False,
    external_auth: registry_options.ExternalAuth = None,
    external_auth_ca: registry_options.ExternalAuthCa = None,
    as_json: Json = False,
) -> None:
    """Start the registry, or bring it to the wanted state. A second call changes nothing."""
    from devreg.actions.serving import server_runtime, server_up
    from devreg.output.progress import reporting

    given = settings.get("listen", listen)
    wish = server_up.Wish(
        listen=None if given.source == "default" else Listen.parse(given.value),
        default_listen=Listen.parse(settings.get("listen").value),
        images=ServerImages(settings.get("registry_image").value, settings.get("nginx_image").value),
        images_from=images_from,
        user=own_name() if user is None else user,
        password=password(from_stdin=True, prompt="") if password_stdin else None,
        tls=None if tls is None else registry_options.spoken(tls),
        domains=tuple(map(server_choices.domain, domain or ())),
        external_auth=None if external_auth is None else server_choices.external_auth(external_auth),
        external_auth_ca=external_auth_ca and str(Path(external_auth_ca).absolute()),
        plain_http=plain_http,
        memory=memory(settings.get("memory").value),
    )
    with reporting() as listener:
        done = server_runtime.wanted(runtime, data, listener).up(wish, listener)
    if as_json:
        shown = {**vars(done.status), "user": done.user, "password": done.password, "authority": done.authority}
        document.success("registry up", shown, changed=done.changed)
    else:
        _tell(done)


def _tell(done: ServerUp) -> None:
    address = done.status.address
    console.result(f"the registry answers at {address}{'' if done.changed else '; nothing had to be changed'}")
    if done.password:
        console.result(f"user {done.user}, password {done.password} (shown only now)")
    if done.status.certificate_ends:
        renewal = (
            "the next `up` in the last 60 days renews it" if done.authority else "run `up` again once it is renewed"
        )
        console.note(f"its certificate is good until {done.status.certificate_ends[:10]}; {renewal}")
    if done.authority:
        console.note(f"clients trust it by its authority: `devreg trust {address} --ca {done.authority}`")
    default = settings.get("registry").value == address
    if not default:
        console.note(f"to make it your default: `devreg config set registry {address}`")
    login = f"devreg login {address}{f' -u {done.user}' if done.user else ''}"
    push = "devreg push IMAGE" if default else f"devreg push IMAGE --to {address}"
    console.note(f"anybody who reaches it may pull; to push: `{login}`, then `{push}`")
    console.note("to stop it: `devreg registry down` (the data stays)")


@app.command()
def down(
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove the images and the users too.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Stop the registry. Its data stays unless --volumes is given."""
    from devreg.actions.serving import server_runtime
    from devreg.output.progress import reporting

    server = server_runtime.present()
    if volumes:
        agreed("This removes every image in the registry, and its users. Go on?", yes)
    with reporting() as listener:
        changed = server.down(volumes=volumes, listener=listener)
    if as_json:
        document.success("registry down", {"volumes": volumes}, changed=changed)
    elif not changed:
        console.result("the registry was not there")
    else:
        console.result(
            "the registry is gone" if volumes else "the registry is stopped; its data stays for the next `registry up`"
        )


@app.command()
def status(as_json: Json = False) -> None:
    """How the registry is, and how much is in it."""
    from devreg.actions.serving import server_runtime, server_state

    state = server_state.state(server_runtime.present())
    if as_json:
        document.success("registry status", state)
    else:
        tables.pairs(server_view.rows(state))


@app.command()
def logs(
    role: Annotated[Role, typer.Argument(help="Which of them.")] = Role.REGISTRY,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", min=0, help="The last lines only.", show_default=False)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
) -> None:
    """What the registry, the nginx in front of it, or the mirror wrote."""
    from devreg.actions.serving import server_runtime

    for chunk in server_runtime.present().logs(role.value, tail=tail, follow=follow):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
