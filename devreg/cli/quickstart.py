"""`devreg quickstart`: the tour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, Yes, agreed, own_name, settings, timeout
from devreg.model.server import ImagesFrom, Listen, ServerImages, memory
from devreg.model.server_processes import Runtime
from devreg.output import console, document, tables
from devreg.settings import Value

if TYPE_CHECKING:
    from devreg.model.results import StepResult


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command()(quickstart)


def quickstart(
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDR:PORT", help="Where to publish the registry.", show_default="127.0.0.1:5000"),
    ] = None,
    images_from: Annotated[
        ImagesFrom, typer.Option(help="Pull the registry's images, or build them from Debian's packages.")
    ] = ImagesFrom.AUTO,
    runtime: Annotated[
        Runtime, typer.Option(help="Run it in containers, or without an engine; auto: containers if an engine can run.")
    ] = Runtime.AUTO,
    undo: Annotated[bool, typer.Option("--undo", help="Take away everything that quickstart has set up.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Set everything up and show it working.

    An engine if none answers, a registry, trust if needed, a login; then a small image is made, pushed, listed and
    pulled. Where no engine can run, the registry runs as plain processes. Says first what it will do. What is in place
    already stays as it is.
    """
    if undo:
        _undo(yes, as_json)
    else:
        _tour(settings.get("listen", listen), images_from, runtime, yes, as_json)


def _tour(listen: Value, images_from: ImagesFrom, runtime: Runtime, yes: bool, as_json: bool) -> None:
    from devreg.actions import quickstart as action
    from devreg.output.progress import reporting

    hub = ServerImages(settings.get("registry_image").value, settings.get("nginx_image").value)
    choices = action.Choices(
        *(Listen.parse(listen.value), listen.source != "default", hub, images_from, own_name(), timeout()),
        memory=memory(settings.get("memory").value),
        runtime=runtime,
    )
    if lines := action.plan(choices):
        _announce("this will:", lines)
        agreed("Go on?", yes)
    with reporting() as listener:
        done = action.run(choices, listener)
    changed = any(step.state == "changed" for step in done.steps)
    if as_json:
        document.success("quickstart", done, changed=changed)
        return
    _print(done.steps)
    tables.tags(done.tags)
    if done.password:
        console.result(f"user {done.user}, password {done.password} (shown only now; you are logged in already)")
    console.note("next:")
    if settings.get("registry").value != done.address:
        console.note(f"  devreg config set registry {done.address}")
    console.note(f"  devreg push IMAGE          your own image, as {done.address}/IMAGE")
    console.note("  devreg repos               what is in the registry")
    if done.runtime == Runtime.CONTAINERS.value:
        console.note(f"  docker pull {done.address}/devreg-hello:1")
    console.note("  devreg quickstart --undo   take all of this away again")


def _undo(yes: bool, as_json: bool) -> None:
    from devreg.actions import quickstart_undo as action
    from devreg.output.progress import reporting

    steps: tuple[StepResult, ...] = ()
    if lines := action.recorded():
        _announce("this removes:", lines)
        agreed("Go on?", yes)
        with reporting() as listener:
            steps = action.undo(listener, timeout=timeout())
    if as_json:
        document.success("quickstart", {"steps": steps}, changed=bool(steps))
    elif steps:
        _print(steps)
    else:
        console.result("quickstart has set up nothing that is still there")


def _announce(title: str, lines: tuple[str, ...]) -> None:
    console.note(title)
    for line in lines:
        console.note(f"  - {line}")


def _print(steps: tuple[StepResult, ...]) -> None:
    tables.triples(("STEP", "STATE", "DETAIL"), [(step.name, step.state, step.detail) for step in steps])
