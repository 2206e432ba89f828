"""`devreg registry install` and `uninstall`: the registry as a service of systemd behind the machine's nginx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, PasswordStdin, Yes, agreed, own_name, password, server_images, settings
from devreg.model.rendered import Site
from devreg.model.server import ImagesFrom, Listen, given_certificate, memory
from devreg.model.server_choices import domain as checked_domain
from devreg.model.server_tls import Tls
from devreg.output import console, document

if TYPE_CHECKING:
    from devreg.model.installed import Installed, Uninstalled


def install(
    domain: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name that clients use.", show_default="any")
    ] = None,
    tls: Annotated[
        str,
        typer.Option(
            metavar="self-signed|CERT,KEY|off",
            help="How nginx speaks TLS; off: a proxy does.",
        ),
    ] = "off",
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDR:PORT", help="Where clients reach it.", show_default=":80; :443 with --tls"),
    ] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Let passwords cross the network in the clear.")
    ] = False,
    images_from: Annotated[
        ImagesFrom, typer.Option(help="Pull the image, or build it from Debian's packages; auto does what works.")
    ] = ImagesFrom.AUTO,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="NAME", help="The first user.", show_default="your name here")
    ] = None,
    password_stdin: PasswordStdin = False,
    force: Annotated[bool, typer.Option("--force", help="Also over files that somebody has edited.")] = False,
    as_json: Json = False,
) -> None:
    """Install the registry as a service of systemd, behind the nginx of this machine, as root.

    The files of `render --target systemd`, put in place and tried; a failure leaves everything as it was.
    """
    from devreg.actions.reach import open_engine
    from devreg.actions.serving import install as action
    from devreg.output.progress import reporting

    self_signed = tls == Tls.SELF_SIGNED.value
    site = Site(
        images=server_images(),
        domain=None if domain is None else checked_domain(domain),
        certificate=None if self_signed else given_certificate(tls),
        listen=None if listen is None else Listen.parse(listen),
        memory=memory(settings.get("memory").value),
    )
    wish = action.Wish(
        site=site,
        images_from=images_from,
        user=own_name() if user is None else user,
        password=password(from_stdin=True, prompt="") if password_stdin else None,
        self_signed=self_signed,
        plain_http=plain_http,
        force=force,
    )
    with reporting() as listener:
        done = action.install(open_engine(), wish, listener)
    if as_json:
        document.success("registry install", done, changed=done.changed)
    else:
        _tell(done)


def uninstall(
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove the images and the users too.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take away what `install` has put in place, and bring back what was there. The images stay without --volumes."""
    from devreg.actions.reach import open_engine
    from devreg.actions.serving import uninstall as action
    from devreg.output.progress import reporting

    engine = open_engine()
    if volumes:
        agreed("This removes every image in the registry, and its users. Go on?", yes)
    with reporting() as listener:
        done = action.uninstall(engine, volumes=volumes, listener=listener)
    if as_json:
        document.success("registry uninstall", done, changed=done.changed)
    else:
        _tell_gone(done)


def _tell(done: Installed) -> None:
    console.result(f"the registry answers at {done.address}{'' if done.changed else '; nothing had to be changed'}")
    if done.password:
        console.result(f"user {done.user}, password {done.password} (shown only now)")
    if done.authority and done.certificate_ends:
        renewal = "the next `install` in the last 60 days renews it"
        console.note(f"its certificate is good until {done.certificate_ends[:10]}; {renewal}")
        console.note(f"clients trust it by its authority: `devreg trust {done.address} --ca {done.authority}`")
    console.note(f"it runs as {done.unit}, behind nginx, from: {', '.join(done.files)}")
    console.note("`devreg registry user add` lets others push; `devreg registry status` says how it is")
    console.note("to take it away: `devreg registry uninstall` (the images stay)")


def _tell_gone(done: Uninstalled) -> None:
    if not done.changed:
        console.result("the registry was not installed")
        return
    for path in done.removed:
        console.result(f"{path} (removed)")
    for path in done.restored:
        console.result(f"{path} (as it was before)")
    for path in done.kept:
        console.result(f"{path} (kept)")
