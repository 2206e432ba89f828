"""What made the layers of an image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.history import cleaned, instructions


@pytest.mark.parametrize(
    ("step", "instruction"),
    [
        ("/bin/sh -c #(nop) ADD file:1 in / ", "ADD file:1 in /"),
        ('/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'),
        ("/bin/sh -c make", "RUN make"),
        ("/bin/sh -c     make", "RUN make"),
        ("RUN /bin/sh -c make install # buildkit", "RUN make install"),
        ("RUN |2 A=x B=y z /bin/sh -c make # buildkit", "RUN make"),
        ("|1 VERSION=2 /bin/sh -c make", "RUN make"),
        ("RUN |1 A=x\ny /bin/sh -c make", "RUN make"),
        ("COPY app /app # buildkit", "COPY app /app"),
        ("WORKDIR /srv", "WORKDIR /srv"),
        ("RUN /bin/bash -o pipefail -c make # buildkit", "RUN /bin/bash -o pipefail -c make"),
        ("RUN echo /bin/sh -c x", "RUN echo /bin/sh -c x"),
        ("bazel build ...", "bazel build ..."),
    ],
)
def test_cleaned(step: str, instruction: str) -> None:
    assert cleaned(step) == instruction


def test_steps_that_made_no_layer_are_left_out() -> None:
    history = [{"created_by": "a"}, {"created_by": "b", "empty_layer": True}, {"created_by": "c", "empty_layer": False}]
    assert list(instructions(history, 2)) == ["a", "c"]


@pytest.mark.parametrize("step", [{}, {"created_by": None}, {"created_by": ""}, {"created_by": 1}, {"created_by": " "}])
def test_a_step_that_tells_nothing_still_made_a_layer(step: dict[str, object]) -> None:
    assert list(instructions([{"created_by": "a"}, step], 2)) == ["a", None]


@pytest.mark.parametrize(
    "history", [None, [], "ab", {"a": 1}, [{"created_by": "a"}], [{"created_by": "a"}] * 3, [{"created_by": "a"}, 1]]
)
def test_no_instruction_is_better_than_a_wrong_one(history: object) -> None:
    assert list(instructions(history, 2)) == [None, None]


def test_a_step_as_long_as_a_config_may_be() -> None:
    step = "RUN |2 " + "a /bin/sh " * 100_000
    assert cleaned(step) == step.strip()


@given(
    st.recursive(
        st.none() | st.text() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["created_by", "empty_layer"]), inner),
    ),
    st.integers(0, 3),
)
def test_there_is_one_for_each_layer(history: object, layers: int) -> None:
    assert len(instructions(history, layers)) == layers
