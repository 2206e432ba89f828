"""`devreg bootstrap`: what a devreg.toml declares."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, default_registry, password, timeout
from devreg.model.address import Address
from devreg.model.errors import PartlyDone, UsageError
from devreg.output import console, document, tables
from devreg.settings import Settings, user_file

if TYPE_CHECKING:
    from devreg.actions.bootstrap import Bootstrapped, Means
    from devreg.model.events import Listener

_HELP = """Bring about what a devreg.toml declares: trust, logins, images, the default registry.

What is as declared stays as it is, so it may run at every start of a machine. One line for each step: its name,
changed, unchanged or failed, and a detail. Keys of the file:

\b
registry = "HOST:PORT"         the default registry
pull = ["team/app:1.0"]        images to pull ahead; of the default registry
                               where their name has none
[[registries]]                 for each registry:
address = "HOST:PORT"
trust = "insecure"             plain HTTP or unverified TLS; or "ca"; or "none"
ca = "FILE"                    for "ca": its certificate, in PEM; or
fingerprint = "SHA-256"        of the certificate that the registry is to show
username = "NAME"              log in, with the password in
password_env = "VARIABLE"      an environment variable; or in
password_file = "FILE"         a file; or on
password_stdin = true          standard input (one registry at most)

FILEs start from the folder of devreg.toml. A password never stands in it.
"""


class Snippet(str, Enum):
    """Where a printed snippet is to run."""

    CLOUD_INIT = "cloud-init"
    ANSIBLE = "ansible"
    GITHUB_ACTIONS = "github-actions"
    GITLAB_CI = "gitlab-ci"
    JENKINS = "jenkins"


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command(help=_HELP)(bootstrap)


def bootstrap(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What is declared.")] = Path("devreg.toml"),
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if something would.")] = False,
    snippet: Annotated[
        Snippet | None, typer.Option("--print", help="Print what does this elsewhere, and do nothing here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring about what a devreg.toml declares."""
    if snippet:
        _print(snippet, file, check or as_json)
        return
    from devreg.actions import bootstrap as action
    from devreg.output.progress import reporting

    declaration = action.load(file)
    with reporting() as listener:
        done = action.bootstrap(declaration, file.parent, _means(listener), check=check)
    if as_json:
        data = {"steps": done.steps, "check": check}
        document.success("bootstrap", data, ok=not done.failed, changed=bool(done.changed), errors=[*done.errors])
    else:
        _tell(done)
    _end(done, check)


def _print(snippet: Snippet, file: Path, too_much: bool) -> None:
    from devreg.actions.snippet import snippet as made

    if too_much:
        raise UsageError("--print goes with neither --check nor --json", hint="leave them out")
    sys.stdout.write(made(snippet.value, file))


def _tell(done: Bootstrapped) -> None:
    if not done.steps:
        console.note("nothing is declared")
        return
    tables.triples(("STEP", "STATE", "DETAIL"), [(step.name, step.state, step.detail) for step in done.steps])
    for error in done.errors:
        console.failure(error.message, error.hint)


def _end(done: Bootstrapped, check: bool) -> None:
    """Exit with the first error's code if all steps failed; with 1 if some did or, with `check`, are to be done."""
    count = len(done.steps)
    if done.failed and len(done.failed) == count:
        raise typer.Exit(done.errors[0].exit_code)
    if done.failed:
        raise PartlyDone(f"{len(done.failed)} of {count} steps failed", hint="mend that, then run the command again")
    if check and done.changed:
        raise PartlyDone(f"{len(done.changed)} of {count} steps would change something", hint="run it without --check")


def _means(listener: Listener) -> Means:
    from devreg.actions import config
    from devreg.actions.bootstrap import Means

    def set_default(address: Address, only_look: bool) -> bool:
        if not only_look:
            return config.set_value(user_file(), "registry", str(address))
        now = Settings({}, (user_file(),)).get("registry")
        return (now.value, now.source) != (str(address), str(user_file()))

    def trust(address: Address, only_look: bool) -> bool:
        from devreg.actions import trust as trusts
        from devreg.actions.trust_target import target

        flavour, wish = target(None, listener=listener), trusts.Wish((address,))
        if only_look:
            return trusts.plan(flavour, wish).changed
        return trusts.carry_out(flavour, wish, listener=listener).changed

    def trust_ca(address: Address, ca: bytes | str, only_look: bool) -> bool:
        from devreg.actions import trust_ca as authorities
        from devreg.actions.trust_target import target

        flavour = target(None, listener=listener)
        if authorities.installed(flavour, address, ca):
            return False
        if only_look:
            return True
        wish = authorities.declared(address, ca, timeout=timeout())
        return authorities.trust_ca(flavour, wish, timeout=timeout(), listener=listener).changed

    return Means(
        set_default=set_default,
        trust=trust,
        trust_ca=trust_ca,
        stdin=lambda: password(from_stdin=True, prompt=""),
        default=lambda: default_registry(None),
        timeout=timeout(),
        listener=listener,
    )
