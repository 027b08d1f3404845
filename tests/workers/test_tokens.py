"""A bot's tokens are on record before they are used (protocol §7): a kill right after costs no login, which Steam rations."""

import base64
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from selldesk.desk import commands
from selldesk.desk.commands import Command, R
from selldesk.kernel.refusals import UNAVAILABLE, Refusal
from selldesk.kernel.secretbox import tokens_place
from selldesk.steam.transport import Response
from selldesk.steamwire import protobuf
from selldesk.steamwire.credentials import Tokens
from selldesk.store.rows import BotRow
from selldesk.workers.bot import BotWorker
from tests.little_market import Crash, CrashAt, LittleMarket, in_market

pytestmark = pytest.mark.usefixtures("engine")

DAY = 86_400
LOGIN, LOGGED_IN, RENEWAL = "BeginAuthSessionViaCredentials", "PollAuthSessionStatus", "GenerateAccessTokenForApp"


def _on_record(market: LittleMarket) -> Tokens | None:
    (record,) = market.desk.store.fetch_as(BotRow, "bot_record", number=1)
    return (
        msgspec.json.decode(market.box.open(record.tokens, tokens_place(record.steamid64)), type=Tokens) if record.tokens else None
    )


def _calls(market: LittleMarket, name: str) -> int:
    return sum(name in request["path"] for request in market.steam.request_log)


class LooksAtTokens:
    """A bot's way to Steam, at whose end every token that goes out is compared with the record."""

    def __init__(self, market: LittleMarket, worker: BotWorker) -> None:
        self._market = market
        self._inner = worker._bot.client.session.transport
        self.used: list[str] = []
        worker._bot.client.session.transport = self

    async def request(self, method: str, url: str, **options: Any) -> Response:
        record = _on_record(self._market) or Tokens("none", "none")
        cookie = re.search(r"steamLoginSecure=\d+%7C%7C([^;]+)", (options.get("headers") or {}).get("Cookie", ""))
        access = (options.get("params") or {}).get("access_token") or (cookie.group(1) if cookie else None)
        if access is not None:
            assert access == record.access, f"{url} goes out with a token that is not on record"
            self.used.append(access)
        if RENEWAL in url:
            asked = protobuf.Message(base64.b64decode(options["form"]["input_protobuf_encoded"]))
            assert asked.get_text(1) == record.refresh, "renewed with a token that is not on record"
        response: Response = await self._inner.request(method, url, **options)
        return response


class AwayOnce:
    """A desk that is not there when the bot first brings new tokens."""

    def __init__(self, worker: BotWorker) -> None:
        self._inner = worker._bot.desk
        self.was_away = False
        worker._bot.desk = self

    async def ask(self, command: Command[R]) -> R:
        if isinstance(command, commands.BotReport) and command.tokens is not None and not self.was_away:
            self.was_away = True
            raise UNAVAILABLE()
        return await self._inner.ask(command)


async def _sells(market: LittleMarket, worker: BotWorker, custom_id: str) -> None:
    trade_id = market.open_trade(custom_id, 440)
    await market.run(worker, lambda: market.trade(trade_id).status == "completed")


@pytest.mark.parametrize("is_away", [False, True], ids=["the desk there", "the desk away at first"])
def test_no_token_goes_to_steam_that_is_not_on_record(tmp_path: Path, is_away: bool) -> None:
    """A first login, a new access token after a day, a new refresh token near the end of the first one."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        looks = LooksAtTokens(market, worker)
        refreshes: list[str] = []
        for days in (0, 2, 174):
            market.clock.advance(days * DAY)
            market.beat()
            away = AwayOnce(worker) if is_away else None
            if away is not None:
                with pytest.raises(Refusal, match="unavailable"):
                    await market.run(worker, lambda: False)
                assert away.was_away
            await _sells(market, worker, f"after {days} days")
            record = _on_record(market)
            assert record is not None
            assert record == worker._session.tokens
            refreshes.append(record.refresh)
        assert len(set(looks.used)) == 3
        assert refreshes[0] == refreshes[1] != refreshes[2]
        assert _calls(market, LOGIN) == (2 if is_away else 1)

    in_market(tmp_path, story)


class CrashSince(CrashAt):
    """Dies at the n-th boundary after an answer of Steam's."""

    def __init__(self, answer: str, boundaries: int) -> None:
        super().__init__(None)
        self._answer = answer
        self._left = boundaries
        self.has_answered = False

    def point(self, name: str) -> None:
        self.has_answered = self.has_answered or (name.startswith("after") and self._answer in name)
        if self.has_answered:
            if self._left == 0:
                raise Crash(name)
            self._left -= 1


MOMENTS = [
    # killed when the new tokens    boundaries  dies at              on record
    ("have come",                   0,          "after POST",        False),
    ("are brought to the desk",     1,          "before BotReport",  False),
    ("are on record",               2,          "after BotReport",   True),
    ("are about to be used",        3,          "before ",           True),
    ("have been used",              4,          "after ",            True),
]  # fmt: skip


@pytest.mark.parametrize(("what", "boundaries", "dies_at", "is_on_record"), MOMENTS, ids=[row[0] for row in MOMENTS])
def test_a_kill_right_after_a_renewal_costs_no_login(
    tmp_path: Path, what: str, boundaries: int, dies_at: str, is_on_record: bool
) -> None:
    """The old refresh token has three weeks to live: whoever is left with it alone must log in then."""

    async def story(market: LittleMarket) -> None:
        await _sells(market, market.worker(), "first")
        old = _on_record(market)
        market.clock.advance(180 * DAY)
        market.beat()
        with pytest.raises(Crash, match=dies_at):
            await market.run(market.worker(CrashSince(RENEWAL, boundaries)), lambda: False)
        assert (_on_record(market) != old) == is_on_record
        logins, renewals = _calls(market, LOGIN), _calls(market, RENEWAL)
        assert (logins, renewals) == (1, 1)

        worker = market.worker()
        LooksAtTokens(market, worker)
        await _sells(market, worker, "second")
        assert _calls(market, RENEWAL) == (1 if is_on_record else 2), "what is on record is used as it is"
        market.clock.advance(30 * DAY)
        market.beat()
        await _sells(market, market.worker(), "third")
        assert _calls(market, LOGIN) == 1, "no login but the very first"

    in_market(tmp_path, story)


@pytest.mark.parametrize(("what", "boundaries", "dies_at", "is_on_record"), MOMENTS, ids=[row[0] for row in MOMENTS])
def test_a_kill_right_after_a_login_costs_a_second_one_only_if_nothing_was_on_record(
    tmp_path: Path, what: str, boundaries: int, dies_at: str, is_on_record: bool
) -> None:
    async def story(market: LittleMarket) -> None:
        with pytest.raises(Crash, match=dies_at):
            await market.run(market.worker(CrashSince(LOGGED_IN, boundaries)), lambda: False)
        assert (_on_record(market) is not None) == is_on_record
        worker = market.worker()
        LooksAtTokens(market, worker)
        await _sells(market, worker, "first")
        assert (_calls(market, LOGIN), _calls(market, RENEWAL)) == (1 if is_on_record else 2, 0)

    in_market(tmp_path, story)
