"""`devreg config`: each value and its source, and one that is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.settings import SETTINGS
from tests.cli.conftest import NOBODY, Run


@pytest.fixture(autouse=True)
def no_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment sets nothing."""
    del home  # sets a default registry first
    monkeypatch.delenv("DEVREG_REGISTRY")


def rows(text: str) -> dict[str, tuple[str, str]]:
    return {key: (value, source) for key, value, source in (line.split("\t") for line in text.splitlines())}


@pytest.fixture
def user_file(home: Path) -> Path:
    file = home / "config/devreg/config.toml"
    file.parent.mkdir(parents=True)
    return file


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    file = tmp_path / "site/devreg/config.toml"
    file.parent.mkdir(parents=True)
    return file


def test_on_a_new_machine_everything_is_a_default(run: Run) -> None:
    outcome = run("config")
    assert (outcome.code, outcome.err) == (0, "")
    assert rows(outcome.out) == {key: (setting.default, "default") for key, setting in SETTINGS.items()}


def test_environment_counts_more_than_the_users_file_and_that_more_than_the_sites(
    run: Run, monkeypatch: pytest.MonkeyPatch, user_file: Path, site_file: Path
) -> None:
    monkeypatch.setenv("DEVREG_REGISTRY", "env:1")
    user_file.write_text('registry = "user:1"\ntimeout = 7\n')
    site_file.write_text('registry = "site:1"\ntimeout = 8\nlisten = "127.0.0.1:9"\n')
    shown = rows(run("config").out)
    assert shown["registry"] == ("env:1", "DEVREG_REGISTRY")
    assert shown["timeout"] == ("7", str(user_file))
    assert shown["listen"] == ("127.0.0.1:9", str(site_file))
    assert shown["registry_image"] == ("registry:2", "default")


def test_a_flag_counts_most(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVREG_REGISTRY", "127.0.0.1:2")
    outcome = run("status", "--registry", NOBODY, "--json")
    assert outcome.data["registry"]["address"] == NOBODY
    assert outcome.data["registry"]["source"] == "flag"
    assert run("status", "--json").data["registry"]["source"] == "DEVREG_REGISTRY"


def test_as_json(run: Run, user_file: Path) -> None:
    outcome = run("config", "--json")
    assert outcome.document["command"] == "config"
    assert outcome.document["ok"] is True
    assert outcome.data["file"] == str(user_file)
    assert {"key": "timeout", "value": "30", "source": "default"} in outcome.data["settings"]


def test_a_value_is_set_once(run: Run, home: Path) -> None:
    file = home / "config/devreg/config.toml"
    first = run("config", "set", "registry", "reg.example:5000")
    assert first.code == 0
    assert str(file) in first.out
    assert rows(run("config").out)["registry"] == ("reg.example:5000", str(file))
    before = file.read_bytes()
    again = run("config", "set", "registry", "reg.example:5000", "--json")
    assert again.document["changed"] is False
    assert again.document["command"] == "config set"
    assert file.read_bytes() == before


def test_comments_and_order_stay(run: Run, user_file: Path) -> None:
    user_file.write_text('# mine\ntimeout = 5 # short\n\n# the office\nregistry = "a:1"\n')
    assert run("config", "set", "registry", "b:2").code == 0
    assert user_file.read_text() == '# mine\ntimeout = 5 # short\n\n# the office\nregistry = "b:2"\n'


def test_a_value_that_is_refused_leaves_the_file_alone(run: Run, user_file: Path) -> None:
    user_file.write_text('registry = "a:1"\n')
    assert run("config", "set", "registry", "A:1").code == 2
    assert user_file.read_text() == 'registry = "a:1"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"registry = \n", "not valid TOML"),
        (b"[registry\n", "not valid TOML"),
        (b"registri = 'a:1'\n", "'registri'"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
@pytest.mark.parametrize("words", [("config",), ("repos",)], ids=" ".join)
def test_a_broken_file_is_named_and_left_alone(
    run: Run, user_file: Path, text: bytes, fault: str, words: tuple[str, ...]
) -> None:
    user_file.write_bytes(text)
    outcome = run(*words)
    assert outcome.code == 10
    assert str(user_file) in outcome.err
    assert fault in outcome.err
    assert user_file.read_bytes() == text


def test_nothing_is_written_into_a_broken_file(run: Run, user_file: Path) -> None:
    user_file.write_text("[registry\n")
    assert run("config", "set", "timeout", "5").code == 10
    assert user_file.read_text() == "[registry\n"


def test_a_folder_in_the_files_place_is_named(run: Run, user_file: Path) -> None:
    user_file.mkdir()
    outcome = run("config", "set", "timeout", "5")
    assert outcome.code == 10
    assert str(user_file) in outcome.err


def test_a_bad_value_in_a_file_is_named_with_the_file(run: Run, user_file: Path) -> None:
    user_file.write_text('registry = "A:1"\n')
    outcome = run("repos")
    assert outcome.code == 2
    assert f"registry (from {user_file})" in outcome.err


def test_a_bad_value_can_be_mended_by_setting_it(run: Run, user_file: Path) -> None:
    user_file.write_text('registry = "A:1"\n')
    assert run("config", "set", "registry", "a:1").code == 0
    assert run("config").code == 0
