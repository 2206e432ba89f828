"""`devreg bootstrap --print`: what brings about a devreg.toml elsewhere."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from devreg.actions.snippet_text import rendered
from devreg.host import declaration_file, files
from devreg.model.errors import ConfigUnusable

_HINT = "it cannot be embedded as it is"


def snippet(system: str, file: Path) -> str:
    """The text that installs this version of devreg and runs `devreg bootstrap` where `system` says.

    `system`: cloud-init, ansible, github-actions, gitlab-ci or jenkins. `file`: the devreg.toml; it is embedded, and so
    are the CA certificates that it names by a relative path. Raises ConfigUnusable for a file that is at fault or
    cannot be embedded.
    """
    text = declaration_file.read(file)
    declaration = declaration_file.parse(text, str(file))
    if any(each.password and each.password.kind == "stdin" for each in declaration.registries):
        raise ConfigUnusable(
            f"{file} wants a password on standard input, and nobody writes one there", hint="use password_env"
        )
    embedded = {"devreg.toml": _plain(text, file)}
    for each in declaration.registries:
        if each.ca and not PurePosixPath(each.ca).is_absolute():
            embedded[each.ca] = _certificate(file.parent / each.ca)
    return rendered(system, declaration, embedded)


def _plain(text: str, file: Path) -> str:
    """The text with plain ends of lines. What does not print would not survive YAML."""
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.replace("\t", "").isprintable():
            raise ConfigUnusable(f"{file}, line {number}: there is a character that does not print", hint=_HINT)
    return "\n".join(lines) + "\n"


def _certificate(file: Path) -> str:
    if ".." in file.parts[1:]:
        raise ConfigUnusable(f"the certificate {file} is not below the folder of devreg.toml", hint=_HINT)
    data = files.read(file)
    if data is None:
        raise ConfigUnusable(f"there is no CA certificate {file}", hint="put it there, in PEM")
    try:
        return _plain(data.decode("ascii"), file)
    except UnicodeDecodeError as error:
        raise ConfigUnusable(f"{file} is not a certificate in PEM", hint="convert it with `openssl x509`") from error
