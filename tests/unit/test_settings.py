"""Where a setting comes from, and how one is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.errors import ConfigUnusable, UsageError
from devreg.settings import SETTINGS, Settings, Value, site_file, user_file, with_value

LINES = st.lists(
    st.sampled_from(
        ["# a comment", "", 'registry = "a:1"', "timeout = 5 # short", "timeout = 2.5", 'listen = "127.0.0.1:1"']
    ),
    unique_by=lambda line: line.split(" ")[0] if line[:1].isalpha() else object(),
)


def test_flag_environment_user_site_default(tmp_path: Path) -> None:
    user, site = tmp_path / "user.toml", tmp_path / "site.toml"
    user.write_text('registry = "user:1"\n')
    site.write_text('registry = "site:1"\n')
    full = Settings({"DEVREG_REGISTRY": "env:1"}, (user, site))
    assert full.get("registry", "flag:1") == Value("registry", "flag:1", "flag")
    assert full.get("registry") == Value("registry", "env:1", "DEVREG_REGISTRY")
    assert Settings({}, (user, site)).get("registry") == Value("registry", "user:1", str(user))
    assert Settings({}, (tmp_path / "none", site)).get("registry") == Value("registry", "site:1", str(site))
    assert Settings({}, ()).get("registry") == Value("registry", "127.0.0.1:5000", "default")


def test_the_files_are_where_platformdirs_says(home: Path) -> None:
    assert user_file() == home / "config/devreg/config.toml"
    assert site_file() == home.parent / "site/devreg/config.toml"


def test_a_flag_needs_no_file(tmp_path: Path) -> None:
    broken = tmp_path / "config.toml"
    broken.write_text("[")
    assert Settings({}, (broken,)).get("registry", "a:1").value == "a:1"


def test_files_are_read_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("timeout = 5\n")
    settings = Settings({}, (file,))
    assert settings.get("timeout").value == "5"
    file.write_text("timeout = 6\n")
    assert settings.get("timeout").value == "5"


def test_all_defaults_are_valid() -> None:
    assert [value.source for value in Settings({}, ()).all()] == ["default"] * len(SETTINGS)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("timeout", ""),
        ("timeout", "0"),
        ("timeout", "-1"),
        ("timeout", "inf"),
        ("timeout", "nan"),
        ("timeout", "86401"),
        ("timeout", "soon"),
        ("registry", "A"),
        ("listen", "here"),
        ("registry_image", "Registry:2"),
        ("nginx_image", ""),
        ("memory", "much"),
        ("memory", "63m"),
        ("memory", "1t"),
    ],
)
def test_a_value_that_means_nothing_is_named_with_its_source(key: str, text: str) -> None:
    with pytest.raises(UsageError, match=rf"^{key} \(from DEVREG_{key.upper()}\): "):
        Settings({f"DEVREG_{key.upper()}": text}, ()).get(key)


@pytest.mark.parametrize(
    "text", ["registry = [", "registry = 1\nregistry = 2\n", "= 1", "registri = 'a'\n", "[a]\nb=1\n"]
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigUnusable) as caught:
        Settings({}, (file,)).get("timeout")
    assert str(file) in caught.value.message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnusable, match="cannot be read"):
        Settings({}, (tmp_path,)).get("timeout")


@given(LINES, st.booleans())
def test_setting_one_value_changes_no_other_and_no_comment(lines: list[str], ends: bool) -> None:
    text = "\n".join(lines) + ("\n" if ends else "")
    after = with_value(text, "nginx_image", "nginx:2")
    assert tomlkit.parse(after).unwrap() == {**tomlkit.parse(text).unwrap(), "nginx_image": "nginx:2"}
    assert after.count("# a comment") == text.count("# a comment")
    assert with_value(after, "nginx_image", "nginx:2") == after


def test_an_unknown_setting_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        with_value("", "colour", "red")
    assert all(key in caught.value.hint for key in SETTINGS)
