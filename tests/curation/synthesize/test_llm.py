r"""Drafts out of a chat model's answers: fences, words around them, refusals, what is cut off."""

from __future__ import annotations

import pytest

from curation.chat_endpoint import ChatEndpoint, Endpoint, Limits
from curation.prompts.prompt import Prompt
from curation.reasons import Reason, Reject
from curation.synthesize.candidate import Ask, Draft
from curation.synthesize.likeness import Reference
from curation.synthesize.llm import LanguageModel, markup_in
from curation.synthesize.rounds import run_round
from tests.curation.synthesize.chat_server import Reply, saying, serving

TABLE = "<table><tr><td>a</td></tr></table>"
PAGE = "<!DOCTYPE html>\n<html><body><nav>x</nav></body></html>"


@pytest.mark.parametrize(
    ("task", "said", "markup"),
    [
        ("table_to_html", TABLE, TABLE),
        ("table_to_html", f"```html\n{TABLE}\n```", TABLE),
        ("table_to_html", f"Here is your table:\n\n```html\n{TABLE}\n```\nIt has one cell.", TABLE),
        ("table_to_html", f"<think>a <table> maybe</think>Sure!\n{TABLE} Enjoy.", TABLE),
        ("table_to_html", f"```html\n{TABLE}", TABLE),
        ("table_to_html", "<html><body>" + TABLE + "</body></html>", TABLE),
        ("table_to_html", "A table has rows.", None),
        ("page_to_html", f"Of course.\n```\n{PAGE}\n```", PAGE),
        ("page_to_html", "```html\n<div><p>x</p></div>\n```", "<div><p>x</p></div>"),
        ("page_to_html", "I made a page with a nav.", None),
        ("formula_to_latex", r"\frac{a}{b}", r"\frac{a}{b}"),
        ("formula_to_latex", "```latex\n\\frac{a}{b}\n```", r"\frac{a}{b}"),
        ("formula_to_latex", "Here is the formula:\n$$\n\\frac{a}{b}\n$$\nwhere a and b are numbers.", r"\frac{a}{b}"),
        ("formula_to_latex", r"The answer is \[ x^2 \].", "x^2"),
        ("formula_to_latex", "LaTeX: x^2", "x^2"),
        ("formula_to_latex", r"E = \text{all of it in the one box}", r"E = \text{all of it in the one box}"),
        ("formula_to_latex", "This formula says that all of them are equal.", None),
        ("formula_to_latex", "", None),
    ],
)  # fmt: skip
def test_markup_is_found_in_an_answer(task: str, said: str, markup: str | None) -> None:
    assert markup_in(task, said) == markup


def prompt(task: str = "table_to_html", name: str = "tag:td") -> Prompt:
    return Prompt(f"Make a thing with {name}.", task, (name,), (1,))


def draft(reply: Reply) -> Draft | Reject:
    with serving(lambda *_: reply) as server:
        model = LanguageModel(ChatEndpoint(Endpoint(server.address, "tiny", "key"), Limits(n_tries=1)))
        (made,) = model.drafts([Ask(prompt(), 0, 0)])
    return made


def test_a_draft_says_which_model_made_it() -> None:
    made = draft(saying(TABLE))
    assert isinstance(made, Draft)
    assert made.text == TABLE
    assert made.lineage == {"generator": "chat model", "model": "tiny", "temperature": 0.8, "sample": 0}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (saying("I'm sorry, but I can't help with that."), Reason.ANSWER_REFUSED),
        ((200, {"choices": [{"message": {"content": None, "refusal": "No."}}]}), Reason.ANSWER_REFUSED),
        (saying(TABLE, finish="content_filter"), Reason.ANSWER_REFUSED),
        (saying("A table is a thing with rows."), Reason.ANSWER_REFUSED),
        (saying("<table><tr><td>", finish="length"), Reason.ANSWER_CUT_OFF),
        ((503, "down"), Reason.ANSWER_MISSING),
    ],
)
def test_what_is_no_markup_is_a_reject_with_its_reason(reply: Reply, reason: Reason) -> None:
    made = draft(reply)
    assert isinstance(made, Reject)
    assert made.reason == reason


def test_a_round_asks_again_and_takes_what_has_the_class_and_is_sound() -> None:
    answers = ["<table><tr><td rowspan=9>a</td></tr><tr></tr></table>", TABLE, TABLE.replace(">a<", "><sup>b</sup><")]
    with serving(lambda _, nth: saying(answers[nth - 1])) as server:
        model = LanguageModel(ChatEndpoint(Endpoint(server.address, "tiny"), Limits(n_at_once=1)))
        made = run_round(model, [Ask(prompt(name="tag:sup"), 0, 0)], Reference({}), set())
    (accepted,) = made.accepted
    assert "<sup>b</sup>" in accepted.text
    assert dict(made.tried["tag:sup"]) == {"table_ragged": 1, "class_missing": 1}
    assert [body["seed"] for body in server.bodies] == [0, 1, 2]


def test_a_model_that_only_lies_leaves_a_reject_for_every_sample() -> None:
    with serving(lambda *_: saying(TABLE)) as server:
        model = LanguageModel(ChatEndpoint(Endpoint(server.address, "tiny")))
        asks = [Ask(prompt(name="span:3x3"), number, 0) for number in range(2)]
        made = run_round(model, asks, Reference({}), set())
    assert not made.accepted
    assert [(reject.reason, reject.detail) for _, reject in made.rejected] == [
        (Reason.CLASS_MISSING, "span:3x3 (draft 3)")
    ] * 2
    assert len(server.bodies) == 6


def test_a_spent_budget_stops_the_round_and_the_rest_says_so() -> None:
    from curation.chat_endpoint import Budget

    with serving(lambda *_: saying(TABLE, tokens=(1_000, 200))) as server:
        budget = Budget(most_tokens=6_000)
        chat = ChatEndpoint(Endpoint(server.address, "tiny"), Limits(n_at_once=1), budget)
        asks = [Ask(prompt(), number, 0) for number in range(8)]
        made = run_round(LanguageModel(chat), asks, Reference({}), set())
    assert made.spent == "the budget of 6,000 tokens is spent"
    assert len(made.accepted) + len(made.rejected) == 8
    assert made.rejected[-1][1].reason == Reason.ANSWER_MISSING
    assert budget.n_in + budget.n_out <= 6_000
