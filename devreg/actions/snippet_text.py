"""The text of a snippet for each system, from its template in `snippets/`.

A line of a template that holds nothing but `$name` stands for the lines of that value, indented as the line is, or for
none. Passwords appear by the names of their variables only.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import PurePosixPath
from string import Template
from textwrap import indent

from devreg import __version__
from devreg.model.declaration import Declaration

Values = dict[str, str]
Embedded = Mapping[str, str]

_FOLDER = "/etc/devreg"
_BLOCK = re.compile(r"( *)\$(\w+)\n")
_JINJA = re.compile("{[{%#]")


def rendered(system: str, declaration: Declaration, embedded: Embedded) -> str:
    """The snippet for `system`. `embedded`: texts by the path that they are to have beside devreg.toml."""
    template, place, values = _SYSTEMS[system]
    return _filled(template, {"needs": _needs(declaration, place), **values(declaration, embedded)})


def _needs(declaration: Declaration, place: str) -> str:
    """What has to be there before the snippet runs, in one line. `place`: where the system has its secrets."""
    sources = [each.password for each in declaration.registries if each.password]
    needs = [f"{source.name} ({place})" for source in sources if source.kind == "env"]
    needs += [f"the file {source.name} with a password" for source in sources if source.kind == "file"]
    needs += [f"the file {each.ca}" for each in declaration.registries if (each.ca or "").startswith("/")]
    return ", ".join(["Docker", "Python 3.10 or newer", *needs])


def _variables(declaration: Declaration) -> list[str]:
    """The names of the variables that hold passwords."""
    sources = [each.password for each in declaration.registries]
    return sorted({source.name for source in sources if source and source.kind == "env"})


def _filled(name: str, values: Values) -> str:
    """The template of that name with `values` in it."""
    filled = ""
    for line in (files("devreg.actions") / "snippets" / name).read_text().splitlines(keepends=True):
        block = _BLOCK.fullmatch(line)
        if block is None:
            filled += Template(line).substitute(values, version=__version__)
        elif value := values[block[2]]:
            filled += _indented(value, block[1])
    return filled


def _indented(text: str, by: str) -> str:
    return indent(text.removesuffix("\n") + "\n", by, lambda line: line != "\n")


def _scalar(text: str) -> str:
    """The text as a YAML literal below a key at the left. A text that begins with a space needs the indent spelled."""
    return f"|{'2' if text[0].isspace() else ''}\n{_indented(text, '  ')}"


def _cloud_init(declaration: Declaration, embedded: Embedded) -> Values:
    entry = "path: {path}\npermissions: '0644'\ncontent: {scalar}"
    entries = [entry.format(path=json.dumps(f"{_FOLDER}/{name}"), scalar=_scalar(embedded[name])) for name in embedded]
    source = f"set -a; . {_FOLDER}/environment; set +a" if _variables(declaration) else ""
    return {"files": "".join(map(_item, entries)), "environment": source}


def _ansible(declaration: Declaration, embedded: Embedded) -> Values:
    variables = [f"{name}: \"{{{{ lookup('ansible.builtin.env', '{name}') }}}}\"" for name in _variables(declaration)]
    folders = sorted({str(PurePosixPath(_FOLDER, name).parent) for name in embedded})
    entries = [
        f"name: Put {PurePosixPath(name).name} in place\nansible.builtin.copy:\n"
        + _indented(f"dest: {json.dumps(f'{_FOLDER}/{name}')}\nmode: '0644'\ncontent: {_unsafe(text)}", "  ")
        for name, text in embedded.items()
    ]
    return {
        "folders": json.dumps(folders),
        "files": "".join(map(_item, entries)),
        "environment": _mapping("environment", variables),
    }


def _unsafe(text: str) -> str:
    """The text as a YAML literal, out of Jinja's reach where it looks like Jinja."""
    return f"!unsafe {_scalar(text)}" if _JINJA.search(text) else _scalar(text)


def _item(entry: str) -> str:
    """A mapping as an item of a YAML list."""
    return f"- {_indented(entry, '  ')[2:]}"


def _mapping(key: str, lines: list[str]) -> str:
    return f"{key}:\n{_indented(chr(10).join(lines), '  ')}" if lines else ""


def _github_actions(declaration: Declaration, embedded: Embedded) -> Values:
    variables = [f"{name}: ${{{{ secrets.{name} }}}}" for name in _variables(declaration)]
    job = _job(declaration, embedded).replace("${{", "${{ '${{' }}")  # GitHub evaluates it wherever it stands
    return {"job": job, "environment": _mapping("env", variables)}


def _gitlab_ci(declaration: Declaration, embedded: Embedded) -> Values:
    return {"job": _job(declaration, embedded)}


def _jenkins(declaration: Declaration, embedded: Embedded) -> Values:
    credentials = [f"string(credentialsId: '{name}', variable: '{name}')" for name in _variables(declaration)]
    job = _job(declaration, embedded).replace("\\", "\\\\").replace("'''", "\\'\\'\\'")  # as Groovy quotes
    return {"job": job, "credentials": ", ".join(credentials)}


def _job(declaration: Declaration, embedded: Embedded) -> str:
    """What a CI job's shell runs, in a subshell: its options stay its own."""
    trusts = any(each.trust != "none" for each in declaration.registries)
    kept = ",".join(["HOME", *_variables(declaration)])
    files = "".join(_here_document(name, text) for name, text in embedded.items())
    return _filled("job-as-root.sh" if trusts else "job.sh", {"files": files, "kept": kept})


def _here_document(name: str, text: str) -> str:
    path, end = PurePosixPath(".devreg", name), "END_OF_FILE"
    while end in text.split("\n"):
        end += "_"
    return f"mkdir -p {shlex.quote(str(path.parent))}\ncat > {shlex.quote(str(path))} <<'{end}'\n{text}{end}\n"


_SYSTEMS: dict[str, tuple[str, str, Callable[[Declaration, Embedded], Values]]] = {
    "cloud-init": ("cloud-init.yml", f"in {_FOLDER}/environment, NAME=value, from the image or an agent", _cloud_init),
    "ansible": ("ansible.yml", "in the environment of ansible-playbook", _ansible),
    "github-actions": ("github-actions.yml", "a secret of the repository", _github_actions),
    "gitlab-ci": ("gitlab-ci.yml", "a masked CI/CD variable", _gitlab_ci),
    "jenkins": ("jenkins.groovy", "the id of a credential of the kind secret text", _jenkins),
}
