"""The snippets: they parse, their shell parts run, and what they embed is what was declared."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from devreg import __version__
from devreg.actions.snippet import snippet
from devreg.host.declaration_file import parse
from devreg.model.errors import ConfigUnusable

PLAIN = 'registry = "reg.example:5000"\npull = ["team/app:1.0"]\n'
WHOLE = """# für die CI: {{ nothing }} {% raw %} ${{ nothing }} $HOME `id` '''
registry = "reg.example:5000"
pull = [
\t"team/app:1.0",

  'other.example/base',
]

[[registries]]
address = "reg.example:5000"
trust = "insecure"
username = "ci"
password_env = "REGISTRY_PASSWORD"

[[registries]]
address = "other.example"
trust = "ca"
ca = "certs/the ca.pem"
username = '''c\\i'''
password_file = "/run/secrets/END_OF_FILE"
"""
INDENTED = f"\n  # indented\n  {PLAIN}"
CRLF = PLAIN.replace("\n", "\r\n")
# Some tools write words around a certificate: here the very ones that end a here-document.
PEM = "END_OF_FILE\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SYSTEMS = ("cloud-init", "ansible", "github-actions", "gitlab-ci", "jenkins")
TEXTS = pytest.mark.parametrize("text", [PLAIN, WHOLE, INDENTED, CRLF, "pull = []"])

VENV = """#!/bin/sh
# What `python3 -m venv FOLDER` makes, as far as the snippets use it.
[ "$1 $2" = "-m venv" ]
mkdir -p "$3/bin"
cp "$STUBS/pip" "$STUBS/devreg" "$3/bin"
"""
CALLED = '#!/bin/sh\necho "$(basename "$0") $*" >> "$STUBS/called"\n'


def made(system: str, text: str, folder: Path) -> str:
    (folder / "certs").mkdir(exist_ok=True)
    (folder / "certs/the ca.pem").write_text(PEM)
    file = folder / "devreg.toml"
    file.write_bytes(text.encode())
    return snippet(system, file)


def yaml(text: str) -> Any:
    return YAML().load(text)


def script(system: str, text: str) -> str:
    """What a CI system's shell is given."""
    if system == "jenkins":
        quoted = re.search(r"sh '''\n(.*)'''", text, re.DOTALL)
        assert quoted
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if system == "github-actions":
        run = str(yaml(text)[0]["run"])
        assert "${{" not in run.replace("${{ '${{' }}", ""), "GitHub would evaluate it"
        return run.replace("${{ '${{' }}", "${{")
    return str(yaml(text)[".devreg"]["before_script"][0])


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """Programs that only remember that they were called, in the file `called`."""
    folder = tmp_path / "stubs"
    folder.mkdir()
    for name, text in {"python3": VENV, "pip": CALLED, "devreg": CALLED}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def shell(text: str, stubs: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{stubs}:{os.environ['PATH']}", "STUBS": str(stubs), "HOME": str(folder / "home")}
    return subprocess.run(["sh", *words, text], env=environment, cwd=folder, capture_output=True, text=True)


def called(stubs: Path) -> list[str]:
    return (stubs / "called").read_text().splitlines()


@TEXTS
def test_cloud_init_writes_the_file_and_runs_devreg(text: str, tmp_path: Path, stubs: Path) -> None:
    snippet = made("cloud-init", text, tmp_path)
    assert snippet.startswith("#cloud-config\n")
    document = yaml(snippet)
    written = {entry["path"]: entry["content"] for entry in document["write_files"]}
    assert parse(written["/etc/devreg/devreg.toml"], "x") == parse(text, "x")
    assert written.get("/etc/devreg/certs/the ca.pem") == (PEM if text == WHOLE else None)
    (tmp_path / "environment").write_text("REGISTRY_PASSWORD=x\n")
    [[program, options, commands]] = document["runcmd"]
    assert (program, options) == ("sh", "-euc")
    here = commands.replace("/etc/devreg", str(tmp_path)).replace("/opt/devreg", str(tmp_path / "opt"))
    done = shell(here, stubs, tmp_path, options)
    assert done.returncode == 0, done.stderr
    assert called(stubs) == [f"pip install --quiet devreg=={__version__}", f"devreg bootstrap {tmp_path}/devreg.toml"]


@TEXTS
def test_the_playbook_copies_the_file_and_runs_devreg(text: str, tmp_path: Path) -> None:
    [play] = yaml(made("ansible", text, tmp_path))
    copies = [task["ansible.builtin.copy"] for task in play["tasks"] if "ansible.builtin.copy" in task]
    # What looks like Jinja is tagged `!unsafe`, which YAML alone knows no meaning of.
    written = {copy["dest"]: getattr(copy["content"], "value", copy["content"]) for copy in copies}
    assert parse(written["/etc/devreg/devreg.toml"], "x") == parse(text, "x")
    assert getattr(copies[0]["content"], "tag", None) is not None or "{{" not in text
    run = play["tasks"][-1]
    assert run["ansible.builtin.command"]["argv"][1:] == ["bootstrap", "/etc/devreg/devreg.toml", "--json"]
    assert run["changed_when"] == f"({run['register']}.stdout | from_json).changed"
    [install] = [task for task in play["tasks"] if f"devreg=={__version__}" in str(task)]
    assert install["ansible.builtin.command"]["argv"][0] == "/opt/devreg/bin/pip"


@TEXTS
@pytest.mark.parametrize("system", ["github-actions", "gitlab-ci", "jenkins"])
def test_a_ci_job_writes_the_file_and_runs_devreg(system: str, text: str, tmp_path: Path, stubs: Path) -> None:
    commands = script(system, made(system, text, tmp_path))
    assert shell(commands, stubs, tmp_path, "-n", "-c").returncode == 0
    done = shell(f"{commands}\necho on >> $STUBS/called", stubs, tmp_path, "-ec")
    assert done.returncode == 0, done.stderr
    written = (tmp_path / ".devreg/devreg.toml").read_text()
    assert parse(written, "x") == parse(text, "x")
    assert text != WHOLE or (tmp_path / ".devreg/certs/the ca.pem").read_text() == PEM
    assert called(stubs) == [
        f"pip install --quiet devreg=={__version__}",
        "devreg bootstrap .devreg/devreg.toml",
        "on",
    ]


@pytest.mark.parametrize("system", ["github-actions", "gitlab-ci", "jenkins"])
@pytest.mark.parametrize("failing", ["pip", "devreg"])
def test_a_failure_ends_the_job(system: str, failing: str, tmp_path: Path, stubs: Path) -> None:
    (stubs / failing).write_text("#!/bin/sh\nexit 21\n")
    commands = script(system, made(system, WHOLE, tmp_path))
    assert shell(f"{commands}\necho on", stubs, tmp_path, "-ec").returncode == 21


@pytest.mark.parametrize("code", [0, 1])
def test_an_ordinary_user_trusts_by_sudo_and_keeps_his_files(code: int, tmp_path: Path, stubs: Path) -> None:
    for name, text in {"id": "#!/bin/sh\necho 1000\n", "sudo": f'{CALLED}[ "$1" = chown ] || exit {code}\n'}.items():
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    done = shell(script("gitlab-ci", made("gitlab-ci", WHOLE, tmp_path)), stubs, tmp_path, "-ec")
    assert done.returncode == code
    home = tmp_path / "home"
    assert called(stubs)[1:] == [
        "sudo --preserve-env=HOME,REGISTRY_PASSWORD .devreg/bin/devreg bootstrap .devreg/devreg.toml",
        f"sudo chown -R 1000:1000 {home}/.docker {home}/.config/devreg",
    ]


def test_passwords_are_the_systems_own_secrets(tmp_path: Path) -> None:
    [step] = yaml(made("github-actions", WHOLE, tmp_path))
    assert step["env"] == {"REGISTRY_PASSWORD": "${{ secrets.REGISTRY_PASSWORD }}"}
    [play] = yaml(made("ansible", WHOLE, tmp_path))
    looked_up = "{{ lookup('ansible.builtin.env', 'REGISTRY_PASSWORD') }}"
    assert play["tasks"][-1]["environment"] == {"REGISTRY_PASSWORD": looked_up}
    bound = "withCredentials([string(credentialsId: 'REGISTRY_PASSWORD', variable: 'REGISTRY_PASSWORD')])"
    assert bound in made("jenkins", WHOLE, tmp_path)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_has_to_be_there_is_said(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", "hunter2")
    text = made(system, WHOLE, tmp_path)
    [line] = [line for line in text.splitlines() if "Needs: " in line]
    assert "REGISTRY_PASSWORD" in line
    assert "/run/secrets/END_OF_FILE" in line
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pull = 5\n", "line 1: pull"),
        ("# one\n# two\u2028three\n", "line 2: there is a character that does not print"),
        ('[[registries]]\naddress = "a"\nusername = "x"\npassword_stdin = true\n', "standard input"),
        ('[[registries]]\naddress = "a"\ntrust = "ca"\nca = "no.pem"\n', "there is no CA certificate"),
        ('[[registries]]\naddress = "a"\ntrust = "ca"\nca = "der"\n', "not a certificate in PEM"),
        ('[[registries]]\naddress = "a"\ntrust = "ca"\nca = "../a.pem"\n', "not below the folder"),
    ],
)
def test_what_cannot_be_embedded_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "der").write_bytes(b"\x30\x82\xff")
    with pytest.raises(ConfigUnusable, match=said):
        made("cloud-init", text, tmp_path)
