"""What a machine needs to work with its registries, as a devreg.toml declares it: brought about, or only looked at.

A step that fails does not keep the others from running; what rests on it is not tried, and says so. What is as declared
is left alone, so a second run changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devreg.actions import login as logins
from devreg.actions import pull as pulls
from devreg.actions import would_pull
from devreg.actions.declared_password import declared_password
from devreg.actions.reach import open_engine
from devreg.host import credentials as stored
from devreg.host import declaration_file, files
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.declaration import Declaration, DeclaredRegistry, PasswordSource
from devreg.model.errors import ConfigUnusable, DevregError, NotAuthorized
from devreg.model.events import Listener
from devreg.model.reference import Destination, Reference
from devreg.model.results import StepResult


@dataclass(frozen=True)
class Means:
    """What the steps are done with.

    The first three say whether they changed something, or whether they would where the last argument, "only look", is
    True; they raise DevregError. `trust_ca` is given a certificate (PEM) or the SHA-256 of the one to fetch. `stdin`
    reads the password there. `default` gives the registry of names without one where the declaration has none.
    `timeout`: seconds to wait for a registry.
    """

    set_default: Callable[[Address, bool], bool]
    trust: Callable[[Address, bool], bool]
    trust_ca: Callable[[Address, bytes | str, bool], bool]
    stdin: Callable[[], str]
    default: Callable[[], Address]
    timeout: float
    listener: Listener


@dataclass(frozen=True)
class Bootstrapped:
    """What came of it. `errors`: of the steps that were tried and failed, in their order."""

    steps: tuple[StepResult, ...]
    errors: tuple[DevregError, ...]

    @property
    def changed(self) -> tuple[StepResult, ...]:
        """The steps that changed something, or would."""
        return tuple(step for step in self.steps if step.state == "changed")

    @property
    def failed(self) -> tuple[StepResult, ...]:
        """The steps that failed, tried or not."""
        return tuple(step for step in self.steps if step.state == "failed")


def load(file: Path) -> Declaration:
    """What a devreg.toml declares. Raises ConfigUnusable that names its fault."""
    return declaration_file.parse(declaration_file.read(file), str(file))


def bootstrap(declaration: Declaration, folder: Path, means: Means, *, check: bool) -> Bootstrapped:
    """Bring about what is declared; with `check` only tell what would change.

    `folder`: of the declaration's file, which the paths in it start from. A step that fails raises nothing.
    """
    images = [
        image if image.registry else image.at(declaration.registry or means.default()) for image in declaration.pull
    ]
    run = _Run(folder, means, check)
    if registry := declaration.registry:
        run.take("default registry", lambda _: run.set_default(registry))
    for each in declaration.registries:
        run.registry(each)
    for image in images:
        run.image(image)
    return Bootstrapped(tuple(run.steps.values()), tuple(run.errors))


class _Run:
    """The steps that were taken so far, by name, and the errors of those that failed."""

    def __init__(self, folder: Path, means: Means, check: bool) -> None:
        self.folder, self.means, self.check = folder, means, check
        self.steps: dict[str, StepResult] = {}
        self.errors: list[DevregError] = []

    def take(self, name: str, act: Callable[[bool], tuple[bool, str]], rests_on: Sequence[str] = ()) -> None:
        """Carry out one step, unless one that it rests on has failed.

        `act` is told whether what it rests on is still to come, and gives whether something changed, and a detail.
        """
        before = [self.steps[each] for each in rests_on if each in self.steps]
        failed = [step.name for step in before if step.state == "failed"]
        if failed:
            self.steps[name] = StepResult(name, "failed", f"not tried, since this failed: {failed[0]}")
            return
        try:
            changed, detail = act(self.check and any(step.state == "changed" for step in before))
        except DevregError as error:
            self.errors.append(error)
            self.steps[name] = StepResult(name, "failed", " ".join(error.message.split()))
        else:
            self.steps[name] = StepResult(name, "changed" if changed else "unchanged", detail)

    def registry(self, declared: DeclaredRegistry) -> None:
        """The steps of one registry."""
        trust, login = f"trust {declared.address}", f"login {declared.address}"
        if declared.trust != "none":
            self.take(trust, lambda _: self._trust(declared))
        user, source = declared.username, declared.password
        if user and source:
            self.take(login, lambda pending: self._login(declared.address, user, source, pending), [trust])

    def image(self, name: Reference) -> None:
        """The step of one image. It is tried also where the login failed: most registries let anybody pull."""
        trust, login = f"trust {name.registry}", f"login {name.registry}"
        logged_in = login in self.steps and self.steps[login].state != "failed"
        self.take(f"pull {name}", lambda pending: self._pull(name, pending), [trust, login] if logged_in else [trust])

    def set_default(self, registry: Address) -> tuple[bool, str]:
        """Make it the registry that is meant where none is named."""
        return self._told(self.means.set_default(registry, self.check), f"set to {registry}")

    def _trust(self, declared: DeclaredRegistry) -> tuple[bool, str]:
        if declared.trust == "insecure":
            return self._told(self.means.trust(declared.address, self.check), "trusted as insecure")
        ca = declared.fingerprint or self._certificate(declared.ca or "")
        return self._told(self.means.trust_ca(declared.address, ca, self.check), "trusted by its CA")

    def _told(self, changed: bool, done: str) -> tuple[bool, str]:
        return changed, f"{done} already" if not changed else f"would be {done}" if self.check else done

    def _certificate(self, name: str) -> bytes:
        data = files.read(self.folder / name)
        if data is None:
            raise ConfigUnusable(f"there is no CA certificate {self.folder / name}", hint="put it there, in PEM")
        return data

    def _login(self, address: Address, user: str, source: PasswordSource, pending: bool) -> tuple[bool, str]:
        whose = f"{user} at {address}"
        wanted = Credentials(user, declared_password(source, whose, folder=self.folder, stdin=self.means.stdin))
        same = stored.lookup(address) == wanted
        if pending:
            return not same, f"the password of {user} would be tried once the registry is trusted"
        if not same and not self.check:
            done = logins.login(address, wanted, timeout=self.means.timeout, listener=self.means.listener)
            return True, f"logged in as {user}; kept in {done.stored}"
        if not logins.accepted(address, wanted, timeout=self.means.timeout):
            raise NotAuthorized(f"{address} refuses {wanted.shown}", hint="mend it where devreg.toml says that it is")
        return self._told(not same, f"logged in as {user}")

    def _pull(self, name: Reference, pending: bool) -> tuple[bool, str]:
        Destination.parse(str(name.registry))  # a host that cannot stand in a name would mean an account of the hub
        engine = open_engine()
        if not self.check:
            done = pulls.pull(engine, name, self.means.listener)
            return done.changed, done.digest
        if not would_pull.is_here(engine, name):
            return True, "would be pulled"
        if pending:
            return False, "here; whether there is a newer one would be asked once the registry may be"
        digest = would_pull.newer(engine, name, timeout=self.means.timeout)
        return digest is not None, f"would be pulled: {digest}" if digest else "here already"
