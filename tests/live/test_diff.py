"""`devreg diff`: what is told of a local image and the registry's, before and after pushes and pulls."""

import pytest

from tests.live.conftest import Server, client
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image

ENGINES = ("graph driver", "containerd store")


@pytest.fixture(params=ENGINES)
def user(request: pytest.FixtureRequest, devreg: Devreg, newer_devreg: Devreg, server: Server) -> Devreg:
    """Somebody logged in at the server, with either engine."""
    chosen = devreg if request.param == ENGINES[0] else newer_devreg
    server.log_in(chosen)
    return chosen


def test_missing_then_the_same_then_different(
    user: Devreg, server: Server, engine: Engine, newer_engine: Engine
) -> None:
    own = engine if user.host == engine.host else newer_engine
    name = f"diff/{own.bridge}:1"
    with client(own) as sdk:
        multi_layer_image(sdk, name, 2, 0.5, seed=f"{name} before")
        missing = user.ok("diff", name, "--json").data
        assert (missing["state"], missing["push_layers"], missing["remote"]) == ("missing", 2, None)
        assert missing["push_bytes"] == pytest.approx(1_048_576, rel=0.01)
        assert "missing in the registry" in user.ok("diff", name).stdout

        digest = user.ok("push", name).stdout.strip().partition("@")[2]
        same = user.ok("diff", name, "--json").data
        assert (same["state"], same["remote"], same["reference"]) == ("same", digest, f"{server.address}/{name}")
        assert (same["push_layers"], same["pull_layers"]) == (0, 0)
        assert user.ok("diff", name).stdout == f"{name} and {server.address}/{name}: the same\n"

        for tag in sdk.images.get(name).tags:
            sdk.images.remove(tag, force=True)
        multi_layer_image(sdk, name, 3, 0.5, seed=f"{name} after")
        differs = user.ok("diff", name, "--json").data
        assert (differs["state"], differs["push_layers"], differs["pull_layers"]) == ("differs", 3, 2)
        assert 0 < differs["pull_bytes"] <= 1_100_000
        assert "a pull would fetch 2 layers" in user.ok("diff", name).stdout
        sdk.images.remove(name, force=True)


def test_what_is_not_here_or_out_of_reach(user: Devreg) -> None:
    assert "nobody/has:this" in user.fails(22, "diff", "nobody/has:this").stderr
    user.fails(2, "diff", "Upper:1")
