"""One worker per bot (I13): fences, bots that change hands, and workers that sleep at the worst moment and wake late."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from selldesk.bots.leases import LEASE_US, SEND_WITHIN_US
from selldesk.desk import commands
from selldesk.desk.requests.bots import BotRequest, bot_command, secrets_command
from selldesk.kernel.processes import is_gone, process_name
from selldesk.kernel.refusals import Refusal
from selldesk.kernel.secretbox import SecretBox
from selldesk.link.client import InlineDesk
from selldesk.offers.agenda import Pace
from selldesk.offers.stages import Stage
from selldesk.offers.words import Proof, SendRefusal
from selldesk.steam.session import SteamUrls
from selldesk.steam.transport import Response
from selldesk.steamsim.entities import Behaviour
from selldesk.workers.fleet import Fleet, FleetSettings
from tests.little_market import LittleMarket, in_market

S = 1_000_000

pytestmark = pytest.mark.usefixtures("engine")


def test_a_process_is_known_to_be_gone() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "from selldesk.kernel.processes import process_name as n; print(n(), flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert not is_gone(name)
    child.kill()
    deadline = time.monotonic() + 5
    while not is_gone(name):  # already as a zombie, before it is waited for
        assert time.monotonic() < deadline
    child.communicate()
    assert is_gone(name)
    assert not is_gone(process_name())
    assert not is_gone(f"another-machine/{'/'.join(name.split('/')[1:])}")
    assert not is_gone("nonsense")


def test_the_desk_spreads_bots_and_takes_them_over(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        def ask(worker: str, **more: Any) -> tuple[dict[int, int], list[int]]:
            answer = market.desk.ask(commands.KeepLeases(worker=worker, **more))
            return dict(answer.held), answer.let_go

        assert ask("one") == ({1: 1, 2: 1, 3: 1, 4: 1}, [])
        assert ask("two") == ({}, [])
        assert ask("one") == ({1: 1, 2: 1, 3: 1, 4: 1}, [3, 4])
        assert ask("one", released=[3, 4]) == ({1: 1, 2: 1}, [])
        assert ask("two") == ({3: 2, 4: 2}, [])
        market.clock.advance(23)
        assert ask("two") == ({3: 2, 4: 2}, [])
        market.clock.advance(2)
        assert ask("two") == ({1: 2, 2: 2, 3: 2, 4: 2}, []), "one was not heard of for 25 seconds"
        assert ask("one") == ({}, [])
        assert ask("two", leaves=True) == ({}, [])
        assert ask("one") == ({1: 3, 2: 3, 3: 3, 4: 3}, [])

    in_market(tmp_path, story, bots=4)


def test_news_under_an_older_fence_are_refused_and_write_nothing(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        def say(news: commands.News, fence: int) -> Any:
            return market.desk.ask(commands.BotNews(bot=1, fence=fence, news=news))

        trade_id = market.open_trade("sale", 440)
        ((_, old),) = market.desk.ask(commands.KeepLeases(worker="old")).held
        market.clock.advance(LEASE_US / S + 1)
        ((_, new),) = market.desk.ask(commands.KeepLeases(worker="new")).held
        assert new == old + 1
        before = market.desk.store.fetch("current_seq")
        for news in (
            commands.ProofRead(
                trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=market.clock.now_us(), classes=[("1", "0")]
            ),
            commands.IntendSend(trade_id=trade_id),
            commands.OfferMade(trade_id=trade_id, offer_id="5", needs_confirmation=False),
            commands.BotReport(bot=1, state="down"),
            commands.RaiseAlert(kind="x", text="y", bot=1, trade_id=None),
            commands.RolledBack(bot=1, readings=[(trade_id, 12)], complete=True),
        ):
            with pytest.raises(Refusal, match="Another worker"):
                say(news, old)
        assert market.desk.store.fetch("current_seq") == before
        assert market.bot_state() == "ok"
        say(
            commands.ProofRead(
                trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=market.clock.now_us(), classes=[("1", "0")]
            ),
            new,
        )
        # An intent needs a lease that outlives the send; other news only the fence.
        market.clock.advance((LEASE_US - SEND_WITHIN_US) / S + 1)
        with pytest.raises(Refusal, match="Another worker"):
            say(commands.IntendSend(trade_id=trade_id), new)
        say(commands.BotReport(bot=1, state="limited"), new)
        market.desk.ask(commands.KeepLeases(worker="new"))
        assert say(commands.IntendSend(trade_id=trade_id), new).granted

    in_market(tmp_path, story)


def test_a_bot_has_no_say_in_a_sale_that_moved_to_another(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        leases = dict(market.desk.ask(commands.KeepLeases(worker="one")).held)
        trade_id = market.open_trade("moves", 440)
        first = market.trade(trade_id).bot
        market.desk.ask(commands.BotNews(bot=first, fence=leases[first], news=commands.BotReport(bot=first, state="down")))
        assert market.desk.ask(commands.MoveWaiting(bot=first)).moved == 1
        assert market.trade(trade_id).bot == 3 - first
        news = commands.ProofRead(trade_id=trade_id, proof=Proof.OTHER_NAME, text="a lie", began_at=market.clock.now_us())
        with pytest.raises(Refusal, match="Another worker"):
            market.desk.ask(commands.BotNews(bot=first, fence=leases[first], news=news))
        assert market.trade(trade_id).status == "processing"
        market.desk.ask(commands.BotNews(bot=3 - first, fence=leases[3 - first], news=news))
        assert market.trade(trade_id).status == "cancelled"

    in_market(tmp_path, story, bots=2)


def test_a_worker_without_a_lease_asks_nothing(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.open_trade("waits", 440)
        market.clock.advance(LEASE_US / S + 1)
        for _ in range(5):
            await worker.step()
        assert len(market.steam.request_log) == 0

    in_market(tmp_path, story)


def test_a_good_call_does_not_end_a_quarantine(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        trade_id = market.open_trade("restricted", 440)
        market.desk.ask(
            commands.ProofRead(
                trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=market.clock.now_us(), classes=[("1", "0")]
            )
        )
        market.desk.ask(commands.IntendSend(trade_id=trade_id))
        market.desk.ask(
            commands.OfferRefused(trade_id=trade_id, why=SendRefusal.BOT_ILL, text="(24)", seller=market.seller.steamid64)
        )
        market.desk.ask(commands.BotReport(bot=1, state="ok"))
        assert market.bot_state() == "quarantined"
        market.clock.advance(7 * 86_400 + 1)
        market.desk.ask(commands.BotReport(bot=1, state="ok"))
        assert market.bot_state() == "ok"

    in_market(tmp_path, story)


class _Sleeper:
    """Stops a worker once, right before or after a call: meanwhile others act."""

    def __init__(
        self, inner: Any, is_moment: Callable[[str, Any], bool], after: bool, meanwhile: Callable[[], Awaitable[None]]
    ) -> None:
        self._inner = inner
        self._is_moment = is_moment
        self._after = after
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def _around(self, hit: bool, call: Callable[[], Awaitable[Any]]) -> Any:
        sleep, self._meanwhile = (self._meanwhile, None) if hit else (None, self._meanwhile)
        if sleep is not None and not self._after:
            await sleep()
        answer = await call()
        if sleep is not None and self._after:
            await sleep()
        return answer

    async def request(self, method: str, url: str, **options: Any) -> Response:
        answer: Response = await self._around(
            self._meanwhile is not None and self._is_moment("http", url), lambda: self._inner.request(method, url, **options)
        )
        return answer

    async def ask(self, command: commands.Command[Any]) -> Any:
        return await self._around(
            self._meanwhile is not None and self._is_moment("desk", command), lambda: self._inner.ask(command)
        )


MOMENTS: list[tuple[str, str, Callable[[Any], bool], bool, int]] = [
    # asleep …                             at        moment                                                  after  offers at most
    ("before its intent is granted",       "desk",   lambda what: isinstance(what, commands.IntendSend),     False, 1),
    ("between the grant and the send",     "desk",   lambda what: isinstance(what, commands.IntendSend),     True,  1),
    ("with the send half out of the door", "http",   lambda what: what.endswith("/tradeoffer/new/send"),     False, 2),
    ("after the send, before its news",    "http",   lambda what: what.endswith("/tradeoffer/new/send"),     True,  1),
    ("before its news are taken",          "desk",   lambda what: isinstance(what, commands.OfferMade),      False, 1),
]  # fmt: skip


@pytest.mark.parametrize(("what", "where", "is_moment", "after", "offers_max"), MOMENTS, ids=[row[0] for row in MOMENTS])
@pytest.mark.parametrize("behaviour", [Behaviour.ACCEPT, Behaviour.IGNORE])
def test_a_worker_that_sleeps_past_its_lease_does_nothing_when_it_wakes(
    tmp_path: Path, what: str, where: str, is_moment: Callable[[Any], bool], after: bool, offers_max: int, behaviour: Behaviour
) -> None:
    """Another worker takes the bot over and carries on for ten minutes; then the sleeper wakes in the middle of its call."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour, market.seller.delay_seconds = Behaviour.ACCEPT, 100_000
        sleeper = market.worker()
        trade_id = market.open_trade("sale", 440)
        await market.run(sleeper, lambda: market.trade(trade_id).stage is Stage.SEND)
        successor: list[Any] = []
        told = 0

        async def meanwhile() -> None:
            nonlocal told
            market.clock.advance(LEASE_US / S + 1)
            successor.append(market.worker())
            await market.pass_time(successor[0], 600)
            told = len(market.history(trade_id))

        inner = sleeper._bot.client.session.transport
        sleep = _Sleeper(inner, lambda kind, it: kind == where and is_moment(it), after, meanwhile)
        if where == "http":
            sleeper._bot.client.session.transport = sleep
        else:
            sleep._inner, sleeper._bot.desk = sleeper._bot.desk, sleep
        with (
            pytest.raises(Refusal, match="Another worker") if what != "between the grant and the send" else contextlib.nullcontext()
        ):
            while not successor:
                await sleeper.step()
        assert len(market.history(trade_id)) == told, "the sleeper wrote nothing"
        await sleeper.step()
        assert len(market.history(trade_id)) == told
        assert len(market.offers()) <= offers_max
        market.seller.behaviour, market.seller.delay_seconds = behaviour, 0
        ending = "completed" if behaviour is Behaviour.ACCEPT else "cancelled"
        await market.run(successor, lambda: market.trade(trade_id).status == ending)
        await market.pass_time(successor, 600)
        states = sorted(offer.state for offer in market.offers())
        assert states.count(3) == (1 if ending == "completed" else 0)
        assert states.count(2) == 0, "no duplicate stays live"

    in_market(tmp_path, story)


def test_a_bot_whose_secrets_can_not_be_opened_is_told_and_the_others_are_worked_for(tmp_path: Path) -> None:
    """An operator imports it anew, and it is taken up; until then it is told once."""

    async def story(market: LittleMarket) -> None:
        request = BotRequest(
            "bot9",
            market.bot_account.shared_secret,
            market.bot_account.identity_secret,
            "76561197961265799",
            "p",
            "a refresh token",
        )
        market.desk.ask(bot_command(SecretBox(b"another key of 32 characters!!!!"), "op", request))
        urls = SteamUrls(market.url, market.url, market.url)
        settings = FleetSettings(urls, market.settings.rules, Pace(), market.limits)
        fleet = Fleet(market.store, InlineDesk(market.desk, lambda feed: None), market.clock, market.box, settings)
        await fleet._keep()
        await fleet._keep()
        assert fleet._bots.keys() == {1}
        assert market.alerts() == ["secrets_unreadable"]
        store, given = market.desk.store, {"password": "p"}
        with pytest.raises(Refusal, match="send all of them again"):
            secrets_command(market.box, "op", store, 2, dict(given))
        given |= {"shared_secret": request.shared_secret, "identity_secret": request.identity_secret}
        market.desk.ask(secrets_command(market.box, "op", store, 2, given))
        await fleet._keep()
        assert fleet._bots.keys() == {1, 2}
        for number in (1, 2):
            await fleet._stop(number)
        await fleet._transport.close()

    in_market(tmp_path, story)
