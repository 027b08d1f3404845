"""Kinds of alerts: how each closes, and the page that is made of them."""

import pytest

from selldesk.alerts.kinds import KINDS, RETIRED, Closes, closing
from selldesk.alerts.runbook import BEGIN, END, page, rewritten

WAYS = [
    # kind                  closes
    ("trade_overdue",       Closes.TRADE_MOVES),
    ("unknown_offer_state", Closes.TRADE_MOVES),
    ("missing_items",       Closes.NEVER),
    ("history_lost",        Closes.NEVER),
    ("login_refused",       Closes.BOT_OK),
    ("bot_quarantined",     Closes.BOT_OK),
    ("item_missing",        Closes.CAUSE_GONE),
    ("no_bot_free",         Closes.CAUSE_GONE),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "how"), WAYS)
def test_how_an_alert_closes(kind: str, how: Closes) -> None:
    assert [way for way in Closes if kind in closing(way)] == [how]


def test_every_kind_closes_in_one_way() -> None:
    assert sorted(kind for way in Closes for kind in closing(way)) == sorted(KINDS)
    assert not KINDS.keys() & set(RETIRED)


PAGES = [
    # a document                        with today's alerts
    (f"{BEGIN}{END}",                   f"{page()}"),
    (f"before {BEGIN} old {END} after", f"before {page()} after"),
    (f"before {page()} after",          f"before {page()} after"),
    (f"{BEGIN} {END} {BEGIN} {END}",    f"{page()} {BEGIN} {END}"),
    ("no marks",                        None),
    (f"{BEGIN} without an end",         None),
    (f"{END} before its {BEGIN}",       None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PAGES)
def test_a_document_gets_todays_alerts(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="marks"):
            rewritten(text)
    else:
        assert rewritten(text) == expected


def test_the_page_has_one_section_a_kind() -> None:
    kind = KINDS["bot_reversed"]
    assert [line for line in page().splitlines() if line.startswith("### ")] == [f"### `{name}`" for name in KINDS]
    assert f"### `bot_reversed`\n\n{kind.meaning}\n\n**Do**: {kind.remedy}\n\nCloses when an operator closes it." in page()
