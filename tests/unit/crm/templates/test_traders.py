"""What tags say of who trades."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.templates.cleaning import clean
from services.crm.templates.compiled import Source, compile_template
from services.crm.templates.formats import one_line
from services.crm.templates.sample import SAMPLE, data_of, merge_tags
from services.crm.templates.tags import Missing
from services.crm.templates.traders import BOT, USER
from tests.unit.crm.templates.test_rendering import Shape, names

TAGS = [*(f"user.{key}" for key in USER), *(f"bot.{key}" for key in BOT)]


def written(text: str, facts: dict[str, Any] | None, policy: Any = "lenient") -> str:
    compiled, problems = compile_template(Source(text=text, policy=policy), custom_fields=())
    assert not [problem for problem in problems if problem.severity == "error"], problems
    return compiled.write(data_of({"trading": facts}, {}, {}, {})).text


@given(st.dictionaries(st.sampled_from(USER), names))
def test_facts_are_text_whatever_they_say(facts: dict[str, Any]) -> None:
    page = "".join(f'<p title="{{{{{tag}}}}}">{{{{{tag}}}}}</p>' for tag in TAGS)
    compiled, problems = compile_template(Source(html=clean(page)), custom_fields=())
    assert {problem.code for problem in problems} == {"no_default", "no_unsubscribe", "no_subject"}
    made, empty = [Shape(compiled.write(data_of({"trading": each}, {}, {}, {})).html) for each in (facts, None)]
    assert (made.tags, made.comments) == (empty.tags, [])
    assert made.values("title")[: len(USER)] == [one_line(facts.get(name, "")) for name in USER]


@pytest.mark.parametrize("tag", TAGS)
def test_who_does_not_trade_gets_the_default(tag: str) -> None:
    assert written(f'{{{{{tag} | default:"-"}}}}', None) == "-"
    assert written(f"{{{{{tag}}}}}", None) == ""
    with pytest.raises(Missing, match=tag):
        written(f"{{{{{tag}}}}}", None, "strict")


@given(st.booleans(), st.integers(0, 99), st.integers(0, 99))
def test_the_bot_is_said_to_do_what_it_does(running: bool, demo: int, real: int) -> None:
    said = written(
        '{{bot.running | default:"?"}} {{bot.losses_in_a_row}}',
        {"bot_running": running, "demo_losses": demo, "real_losses": real},
    )
    assert said == f"{'yes' if running else 'no'} {max(demo, real)}"


def test_what_was_written_before_is_written_still() -> None:
    facts = SAMPLE["trading"]
    assert written("{{trading.real_balance}} {{trading.bot_running}}", facts) == "250.00 yes"
    assert written("{{user.real_balance}} {{bot.running}}", facts) == "250.00 yes"


def test_what_is_offered_can_be_written_as_it_is_shown() -> None:
    offered = merge_tags((), {"name": "Us", "email": "us@example.test"})
    assert set(TAGS) <= {each.value.strip("{}") for each in offered}
    assert not [each for each in offered if each.value.startswith("{{trading")], "it has two names, and one is shown"
    said = [each for each in offered if not each.value.startswith("{{links")]
    compiled, problems = compile_template(Source(text="\n".join(each.value for each in said)), custom_fields=())
    assert not [problem for problem in problems if problem.severity == "error"]
    data = data_of(SAMPLE, {}, {"name": "Us", "email": "us@example.test"}, {"campaign": {"name": "News"}})
    assert compiled.write(data).text.splitlines() == [each.sample for each in said]
