"""Manifests of before 2016."""

from __future__ import annotations

import json

import pytest

from devreg.model.errors import RegistryUnreachable
from devreg.model.schema1 import config, layers

LOW, HIGH = f"sha256:{1:064x}", f"sha256:{2:064x}"


def test_the_lowest_layer_comes_first() -> None:
    assert layers({"fsLayers": [{"blobSum": HIGH}, {"blobSum": LOW}, {"blobSum": LOW}]}) == (LOW, LOW, HIGH)
    assert layers({}) == ()


@pytest.mark.parametrize("wrong", [1, "x", {}, [1], [None], [{}], [{"blobSum": 1}], [{"blobSum": "sha256:x"}]])
def test_what_are_no_layers(wrong: object) -> None:
    with pytest.raises(RegistryUnreachable, match="unusable answer"):
        layers({"fsLayers": wrong})


def test_the_newest_step_is_the_config() -> None:
    newest = {"os": "linux", "created": "2014", "container_config": {"Cmd": ["/bin/sh", "-c", "make", 1]}}
    steps = [{"v1Compatibility": json.dumps(each)} for each in (newest, {"created": "2013"})]
    found = config({"architecture": "amd64", "history": steps})
    assert (found["os"], found["architecture"], found["created"]) == ("linux", "amd64", "2014")
    assert found["history"] == [
        {"created": "2013", "created_by": ""},
        {"created": "2014", "created_by": "/bin/sh -c make"},
    ]


@pytest.mark.parametrize("text", [None, 1, "", "[]", "x", "[" * 100_000, '{"container_config": 1}', "1" * 10_000])
def test_a_step_that_cannot_be_read_says_nothing(text: object) -> None:
    found = config({"history": [{"v1Compatibility": text}]})
    assert found["history"] == [{"created": None, "created_by": ""}]
    assert found["architecture"] is None


def test_no_history() -> None:
    assert config({"architecture": "arm"}) == {"architecture": "arm", "history": []}
    with pytest.raises(RegistryUnreachable):
        config({"history": "x"})
