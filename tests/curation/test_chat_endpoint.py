"""Requests to a chat endpoint that answers, is slow, fails and lies: a real local server speaks the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.chat_endpoint import Answer, Budget, ChatEndpoint, Endpoint, Limits, Prices, Request
from curation.errors import BadInputError, UnreachableError
from tests.curation.synthesize.chat_server import Reply, saying, serving, slowly

KEY = "sk-not-for-any-file"
QUICK = Limits(n_at_once=4, n_tries=3, timeout_s=0.5, deadline_s=3.0, first_wait_s=0.01)


def ask(
    address: str, *questions: str, limits: Limits = QUICK, budget: Budget | None = None, cache: Path | None = None
) -> list[Answer]:
    chat = ChatEndpoint(Endpoint(address, "tiny", KEY), limits, budget, cache)
    return chat.ask_all([Request("Be short.", one, max_tokens=200) for one in questions])


def test_answers_come_in_order_with_the_key_in_the_header_alone() -> None:
    with serving(lambda body, _: saying(body["messages"][1]["content"].upper())) as server:
        answers = ask(server.address, *"abcdef")
    assert [one.text for one in answers] == list("ABCDEF")
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in str(server.bodies)
    assert server.bodies[0]["model"] == "tiny"
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Be short."}
    assert KEY not in repr(Endpoint(server.address, "tiny", KEY))


def test_several_are_under_way_but_no_more_than_allowed() -> None:
    with serving(lambda *_: slowly(saying("x"), 0.08)) as server:
        ask(server.address, *"abcdefgh", limits=Limits(n_at_once=3, timeout_s=2))
    assert server.most_at_once == 3


def test_they_go_out_at_the_pace_that_was_asked_for() -> None:
    with serving(lambda *_: saying("x")) as server:
        ask(server.address, *"abcd", limits=Limits(n_at_once=4, per_minute=1_200))
    gaps = [later - earlier for earlier, later in zip(sorted(server.times_s), sorted(server.times_s)[1:], strict=False)]
    assert sum(gaps) >= 0.14  # 50 ms apart; the first at once


@pytest.mark.parametrize(
    "failure", [(429, {}), (503, "down"), (200, "not json"), (200, {"choices": []}), (200, []), saying(None), saying(7)]
)
def test_what_fails_in_passing_is_asked_again(failure: Reply) -> None:
    with serving(lambda _, nth: failure if nth < 3 else saying("good")) as server:
        (answer,) = ask(server.address, "a")
    assert (answer.text, len(server.bodies)) == ("good", 3)


def test_what_goes_on_failing_is_given_up_and_says_why() -> None:
    with serving(lambda *_: (503, "down")) as server:
        (answer,) = ask(server.address, "a")
    assert (answer.text, answer.why, len(server.bodies)) == ("", "no answer: HTTP 503", 3)


def test_one_request_that_is_not_taken_stops_no_other() -> None:
    with serving(lambda body, _: (400, "no") if body["messages"][1]["content"] == "b" else saying("x")) as server:
        answers = ask(server.address, *"abc")
    assert [one.text for one in answers] == ["x", "", "x"]
    assert answers[1].why == "HTTP 400: it does not take the request"


def test_a_slow_server_is_left_at_the_deadline() -> None:
    limits = Limits(n_tries=10, timeout_s=0.2, deadline_s=0.5, first_wait_s=0.01)
    with serving(lambda *_: slowly(saying("late"), 0.6)) as server:
        (answer,) = ask(server.address, "a", limits=limits)
    assert answer.text == ""
    assert "Timeout" in answer.why
    assert len(server.bodies) <= 3


def test_a_wait_beyond_the_deadline_is_not_waited_for() -> None:
    with serving(lambda *_: (429, {"headers": {"Retry-After": "600"}})) as server:
        (answer,) = ask(server.address, "a")
    assert answer.why == "no answer: HTTP 429; it asks for 600 s"
    assert len(server.bodies) == 1


def test_a_refused_key_is_an_error_that_does_not_name_it() -> None:
    with serving(lambda *_: (401, "bad key")) as server, pytest.raises(BadInputError) as error:
        ask(server.address, "a")
    assert "HTTP 401" in str(error.value)
    assert KEY not in str(error.value)


def test_what_was_answered_once_is_not_asked_again_and_the_key_is_in_no_file(tmp_path: Path) -> None:
    budget = Budget()
    with serving(lambda *_: saying("kept")) as server:
        first = ask(server.address, "a", "b", cache=tmp_path)
        again = ask(server.address, "a", "b", "c", cache=tmp_path, budget=budget)
    assert [one.from_cache for one in first] == [False, False]
    assert [(one.text, one.from_cache) for one in again] == [("kept", True), ("kept", True), ("kept", False)]
    assert budget.facts()["requests"] == 1
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert all(KEY not in path.read_text() and KEY not in path.name for path in files)


def test_a_failure_and_a_damaged_file_are_not_taken_for_an_answer(tmp_path: Path) -> None:
    with serving(lambda *_: (503, "down")) as server:
        ask(server.address, "a", cache=tmp_path)
    assert not list(tmp_path.rglob("*.json"))
    with serving(lambda *_: saying("good")) as server:
        ask(server.address, "a", cache=tmp_path)
        (path,) = tmp_path.rglob("*.json")
        path.write_text('{"text": ')
        assert ask(server.address, "a", cache=tmp_path)[0].text == "good"
        assert len(server.bodies) == 2


def test_tokens_and_cost_are_counted_and_what_would_go_over_is_not_asked() -> None:
    budget = Budget(Prices(1.0, 10.0), most_cost=0.0051)
    with serving(lambda *_: saying("x", tokens=(100, 50))) as server:
        answers = ask(server.address, *"abcdefghijkl", limits=Limits(n_at_once=4), budget=budget)
    # One costs 0.0006, and 0.002 at most: after the sixth another could go over.
    assert len(server.bodies) == 6
    assert budget.facts()["cost"] == pytest.approx(0.0006 * len(server.bodies))
    assert budget.facts()["cost"] <= 0.0051
    assert budget.spent == "the budget of 0.0051 is spent"
    assert [one.why for one in answers].count(budget.spent) == 12 - len(server.bodies)


def test_a_lying_count_of_tokens_is_estimated_instead() -> None:
    budget = Budget()
    lie = {"choices": [{"message": {"content": "y" * 300}}], "usage": {"prompt_tokens": -5, "completion_tokens": "no"}}
    with serving(lambda *_: (200, lie)) as server:
        ask(server.address, "a", budget=budget)
    assert budget.n_in > 0
    assert budget.n_out == 101


def test_a_budget_of_tokens() -> None:
    budget = Budget(most_tokens=300)
    with serving(lambda *_: saying("x", tokens=(20, 10))) as server:
        ask(server.address, *"abcdefgh", limits=Limits(n_at_once=1), budget=budget)
    assert budget.n_in + budget.n_out <= 300
    assert budget.spent == "the budget of 300 tokens is spent"


@pytest.mark.parametrize("address", ["", "host/v1", "https://user:secret@host/v1"])
def test_the_environment_has_to_name_an_address_and_a_model(address: str) -> None:
    with pytest.raises(BadInputError) as error:
        Endpoint.from_environment("tiny", {"OPENAI_BASE_URL": address})
    assert "secret" not in str(error.value)
    good = Endpoint.from_environment("", {"OPENAI_BASE_URL": "http://host/v1/", "OPENAI_MODEL": "m"})
    assert (good.address, good.model) == ("http://host/v1", "m")


def test_an_endpoint_that_answers_nobody_is_given_up_and_what_is_under_way_ends() -> None:
    given_up = r"1[2-5] requests in a row"  # those that were under way may fail, too, before the first is heard of
    with serving(lambda *_: (503, "down")) as server, pytest.raises(UnreachableError, match=given_up):
        ask(server.address, *(str(n) for n in range(60)), limits=Limits(n_at_once=4, n_tries=1))
    assert len(server.bodies) < 60
