"""What the registry server consists of where it runs as plain processes: the same registry and the same nginx as in
`definition`, under a supervisor that starts again what ends.

    clients ──TCP──▶ nginx ──unix socket──▶ registry ──▶ folder data
                        └──── supervisord ─────┘

Why supervisord: it is one well-known program, restarts with pauses that grow, keeps the logs bounded, obeys over a
socket, runs for root and for anybody else, and comes with devreg from the same index, so there is nothing to install.
systemd cannot be counted on (containers and CI machines have no init); runit and s6 are as good, but are no Python
packages and not in every distribution, and know no growing pauses; circus brings a message queue along. What
supervisord lacks, ending what a killed nginx leaves behind, is a shell script of a few lines (`whole_group.sh`).

All end with supervisord, by the kernel's parent death signal: none is ever left that nobody watches over.
"""

from __future__ import annotations

from devreg.model.server import Front, Listen, NginxProcess, ServerFile, Store
from devreg.model.server_choices import Choices
from devreg.model.server_processes import REGISTRY_SOCKET, SUPERVISOR_SOCKET, Accounts, Place, Program, Programs
from devreg.model.server_tls import Certificate, Tls
from devreg.server import texts
from devreg.server.storage import Beside

# By name below `Place.conf`. A change of nginx's files is taken over by a reload, of the registry's by its restart.
REGISTRY_FILE = "registry.yml"
NGINX_FILE = "nginx.conf"
EXTERNAL_AUTH_CA_FILE = "external-auth-ca.pem"
NGINX_FILES = {NGINX_FILE, EXTERNAL_AUTH_CA_FILE}
SUPERVISOR_FILE = "supervisord.conf"
_GROUP_FILE = "whole_group.sh"
_DEFAULTS = Choices()


def files(
    listen: Listen,
    place: Place,
    programs: Programs,
    accounts: Accounts | None,
    choices: Choices = _DEFAULTS,
    authorities: str = "",
    *,
    checker: int,
    secret: str,
) -> dict[str, str]:
    """The configuration files by their names. `accounts`: None where an ordinary user runs the server.

    `authorities`: the certificates (PEM) of those who vouch for `choices.external_auth`, where that is https.
    `checker`: the loopback port by which nginx asks itself about passwords. `secret`: what the registry signs its
    uploads with; those go on after a restart as long as it is the same.
    """
    store = Store(folder=place.data, net="unix", address=REGISTRY_SOCKET)
    front = _front(listen, place, choices, f"{place.conf}/{EXTERNAL_AUTH_CA_FILE}" if authorities else None, checker)
    process = NginxProcess(
        user=f"{accounts.workers} {accounts.group}" if accounts else None,
        pid_file=f"{place.run}/nginx.pid",
        error_log="stderr",
        access_log="/dev/stdout",
        temp=place.temp,
    )
    return {
        REGISTRY_FILE: texts.registry(store),
        NGINX_FILE: texts.nginx(front, process),
        **({EXTERNAL_AUTH_CA_FILE: authorities} if authorities else {}),
        _GROUP_FILE: texts.whole_group(),
        SUPERVISOR_FILE: texts.supervisor(
            place,
            (_registry(place, programs, accounts, secret), _nginx(place, programs)),
            socket=SUPERVISOR_SOCKET,
            as_root=accounts is not None,
        ),
    }


def nginx_command(place: Place, programs: Programs) -> tuple[str, ...]:
    """How nginx is called, without what makes it test its configuration or stay in the foreground."""
    return (programs.nginx, "-c", f"{place.conf}/{NGINX_FILE}")


def environment(programs: Programs) -> dict[str, str]:
    """What the programs need in their environment."""
    return {"LD_LIBRARY_PATH": ":".join(programs.libraries)} if programs.libraries else {}


def _front(listen: Listen, place: Place, choices: Choices, external_auth_ca: str | None, checker: int) -> Front:
    encrypted, pem = choices.tls is not Tls.OFF, place.file(ServerFile.CERTIFICATE)
    return Front(
        listen=(f"{listen} ssl" if encrypted else str(listen),),
        upstream=f"unix:{REGISTRY_SOCKET}",
        users_file=place.file(ServerFile.USERS),
        rules_file=place.file(ServerFile.RULES),
        checker=f"127.0.0.1:{checker}",
        certificate=Certificate(pem, pem) if encrypted else None,
        external_auth=choices.external_auth,
        external_auth_ca=external_auth_ca,
        pause_file=place.pause,
        counts_pushes=True,
    )


def identity(programs: Programs, accounts: Accounts | None) -> tuple[str, ...]:
    """The words of a command that gives another the registry's rights; none where an ordinary user runs the server."""
    if accounts is None:
        return ()
    return programs.setpriv, *_account(accounts)


def beside(place: Place, programs: Programs) -> Beside:
    """What scripts of `storage` find beside the registry."""
    libraries = ":".join(programs.libraries)
    return Beside(place.data, programs.registry, f"{place.conf}/{REGISTRY_FILE}", place.pause, libraries=libraries)


def _registry(place: Place, programs: Programs, accounts: Accounts | None, secret: str) -> Program:
    # Killed outright when its shell dies: it has no children, and its successor needs the socket's name.
    rights = _rights(programs, "KILL")
    if accounts:
        rights += _account(accounts)
    return Program(
        role="registry",
        command=(*_grouped(place, programs), *rights, programs.registry, "serve", f"{place.conf}/{REGISTRY_FILE}"),
        umask="007",  # the group opens the socket to nginx's workers, and to nobody else
        stop_signal="TERM",
        environment={"REGISTRY_HTTP_SECRET": secret, **environment(programs)},
    )


def _account(accounts: Accounts) -> tuple[str, ...]:
    return "--reuid", accounts.registry, "--regid", accounts.group, "--clear-groups"


def _nginx(place: Place, programs: Programs) -> Program:
    command = (*nginx_command(place, programs), "-g", "'daemon off;'")
    return Program(
        role="nginx",
        command=(*_grouped(place, programs), *_rights(programs, "TERM"), *command),
        umask="077",
        stop_signal="QUIT",  # lets requests in flight finish
        environment=environment(programs),
    )


def _grouped(place: Place, programs: Programs) -> tuple[str, ...]:
    return programs.setpriv, "--pdeathsig", "KILL", "/bin/sh", f"{place.conf}/{_GROUP_FILE}"


def _rights(programs: Programs, signal: str) -> tuple[str, ...]:
    return programs.setpriv, "--pdeathsig", signal, "--no-new-privs"
