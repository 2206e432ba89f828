"""Engine or direct: the cases that people meet, and what must hold for all others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.route import Choice, Obstacle, Situation, choose

MB = 10**6
# The image of the measurements: three layers of real files among twelve.
FRESH = Situation("10.0.0.5:5000", size=760 * MB, layers=12, missing=(253 * MB,) * 3, cores=2)
SIZES = st.none() | st.integers(0, 20_000 * MB)
SITUATIONS = st.builds(
    Situation,
    registry=st.just("registry.example"),
    size=st.integers(0, 50_000 * MB),
    layers=st.integers(0, 128),
    missing=st.lists(SIZES, max_size=8).map(tuple),
    cores=st.integers(0, 256),
    containers_store=st.booleans(),
    readable=st.booleans(),
    obstacle=st.none() | st.sampled_from(Obstacle),
)


@pytest.mark.parametrize(
    ("case", "situation", "line"),
    [
        ("fresh", FRESH, "direct: 759 MB to compress, which the engine does on 2 cores"),
        (
            "fresh, one core",
            replace(FRESH, cores=1),
            "direct: 759 MB to compress, which the engine does on one core",
        ),
        (
            "fresh, one big layer",
            replace(FRESH, missing=(700 * MB,), cores=64),
            "direct: 700 MB to compress, which the engine does on one core",
        ),
        (
            "fresh, one big layer and an empty one",
            replace(FRESH, missing=(150 * MB, 0)),
            "direct: 150 MB to compress, which the engine does on one core",
        ),
        ("fresh and empty", replace(FRESH, size=0, missing=(0,)), "direct: less than 1 MB to compress"),
        ("fresh, five uploads at once", replace(FRESH, missing=(90 * MB,) * 8, cores=64), "direct: 720 MB"),
        ("fresh, nothing known of sizes", replace(FRESH, missing=(None,) * 12), "direct: about 760 MB"),
        ("fresh and small", replace(FRESH, size=8 * MB, missing=(8 * MB,), layers=1), "direct: 8 MB"),
        ("a small layer", replace(FRESH, missing=(3 * MB,)), "engine: 1 of 12 layers (3 MB) is missing"),
        (
            "a small layer that can be read without an export",
            replace(FRESH, missing=(3 * MB,), readable=True),
            "direct: 3 MB to compress, which the engine does on one core",
        ),
        ("a tiny layer", replace(FRESH, missing=(300,)), "engine: 1 of 12 layers (less than 1 MB) is missing"),
        ("two layers", replace(FRESH, missing=(9 * MB, None)), "engine: 2 of 12 layers (about 72 MB) are missing"),
        (
            "a small layer of a big image",
            replace(FRESH, size=10_000 * MB, missing=(200 * MB,)),
            "engine: 1 of 12 layers (200 MB) is missing",
        ),
        ("another CMD", replace(FRESH, missing=()), "engine: only the image's configuration is missing"),
        (
            "containerd's store",
            replace(FRESH, containers_store=True),
            "engine: 3 of 12 layers (759 MB) are missing, and the engine has them compressed",
        ),
        (
            "not trusted",
            replace(FRESH, missing=(3 * MB,), obstacle=Obstacle.UNTRUSTED, containers_store=True),
            "direct: the engine does not trust 10.0.0.5:5000",
        ),
        (
            "an open /v2/",
            replace(FRESH, missing=(), obstacle=Obstacle.UNANSWERED),
            "direct: the engine would send no password to 10.0.0.5:5000, which asks for it at the first write only",
        ),
    ],
)
def test_the_cases_that_people_meet(case: str, situation: Situation, line: str) -> None:
    """Nothing changed, another tag and another repository are decided before: see actions/test_push_route.py."""
    assert str(choose(situation)).startswith(line), case


@given(SITUATIONS)
def test_there_is_a_choice_in_every_situation_and_its_reason_is_one_line(situation: Situation) -> None:
    choice = choose(situation)
    assert choice.route in ("engine", "direct")
    assert choice.reason
    assert len(str(choice).splitlines()) == 1
    assert len(str(choice)) < 120


@given(SITUATIONS, st.sampled_from(Obstacle))
def test_what_the_engine_cannot_do_goes_directly(situation: Situation, obstacle: Obstacle) -> None:
    assert choose(replace(situation, obstacle=obstacle)).route == "direct"


@given(SITUATIONS.filter(lambda situation: bool(situation.missing)), SIZES)
def test_one_more_missing_layer_never_sends_a_push_to_the_engine(situation: Situation, size: int | None) -> None:
    more = replace(situation, missing=(*situation.missing, size))
    assert (choose(situation).route, choose(more).route) != ("direct", "engine")


@given(SITUATIONS, st.integers(0, 20_000 * MB), st.integers(0, 20_000 * MB))
def test_a_bigger_missing_layer_never_sends_a_push_to_the_engine(situation: Situation, size: int, more: int) -> None:
    small = replace(situation, missing=(*situation.missing, size))
    big = replace(situation, missing=(*situation.missing, size + more))
    assert (choose(small).route, choose(big).route) != ("direct", "engine")


@given(SITUATIONS.filter(lambda situation: None not in situation.missing), st.integers(0, 50_000 * MB))
def test_layers_that_are_there_never_speak_for_the_direct_way(situation: Situation, more: int) -> None:
    """They have to be exported all the same."""
    bigger = replace(situation, size=situation.size + more)
    assert (choose(situation).route, choose(bigger).route) != ("engine", "direct")


@given(SITUATIONS)
def test_layers_that_can_be_read_never_speak_for_the_engine(situation: Situation) -> None:
    exported, read = replace(situation, readable=False), replace(situation, readable=True)
    assert (choose(exported).route, choose(read).route) != ("direct", "engine")


@given(SITUATIONS, st.integers(0, 256))
def test_more_cores_never_speak_for_the_direct_way(situation: Situation, more: int) -> None:
    faster = replace(situation, cores=situation.cores + more)
    assert (choose(situation).route, choose(faster).route) != ("engine", "direct")


def test_a_choice_is_told_in_one_line() -> None:
    assert str(Choice("direct", "all layers are there already")) == "direct: all layers are there already"
