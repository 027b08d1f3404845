"""What is secret at rest: seals know their place and their key, old ones open, trade links can't be read in the store."""

import base64
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from selldesk.config import BadSetting, load_settings
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.requests.bots import BotRequest, bot_command
from selldesk.desk.settings import DeskSettings
from selldesk.kernel import refusals
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.secretbox import (
    SEAL_FORMAT,
    SEAL_MARK,
    CannotOpen,
    SecretBox,
    link_likeness,
    link_place,
    secrets_place,
    tokens_place,
)
from selldesk.steamwire.credentials import Credentials
from selldesk.store.open import open_store
from selldesk.store.rows import BotRow, LinkRow
from tests.little_market import LittleMarket, in_market
from tests.stores import new_database
from tests.support import run_selldesk

OLD, NEW, OTHER = b"the old key of 32 characters!!!!", b"the new key of 32 characters!!!!", b"another key of 32 characters!!!!"
PLACE = secrets_place("76561198000000001")
LINK = "https://steamcommunity.com/tradeoffer/new/?partner=39735272&token=Ab3dEf6h"
SECRET20 = base64.b64encode(b"x" * 20).decode()


def test_a_seal_opens_with_its_key_at_its_place_only() -> None:
    box = SecretBox(NEW)
    sealed = box.seal(b"hunter2", PLACE)
    assert b"hunter2" not in sealed
    assert box.open(sealed, PLACE) == b"hunter2"
    assert box.seal(b"hunter2", PLACE) != sealed, "a fresh nonce each time"
    for other in (secrets_place("76561198000000002"), tokens_place("76561198000000001"), ""):
        with pytest.raises(CannotOpen):
            box.open(sealed, other)
    with pytest.raises(CannotOpen):
        SecretBox(OTHER, OLD).open(sealed, PLACE)
    for position in range(len(sealed)):
        with pytest.raises(CannotOpen):
            box.open(sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :], PLACE)
    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            box.open(sealed[:length], PLACE)


@pytest.mark.parametrize("binds", [True, False], ids=["bound", "of an earlier release"])
def test_two_keys_at_once(binds: bool) -> None:
    sealed = SecretBox(OLD, binds=binds).seal(b"hunter2", PLACE)
    changing = SecretBox(NEW, OLD)
    assert changing.open(sealed, PLACE) == b"hunter2"
    assert not changing.is_current(sealed)
    again = changing.seal(changing.open(sealed, PLACE), PLACE)
    assert changing.is_current(again)
    assert SecretBox(NEW).open(again, PLACE) == b"hunter2"
    with pytest.raises(CannotOpen):
        SecretBox(NEW).open(sealed, PLACE)


def test_equal_links_are_found_without_opening_them() -> None:
    box = SecretBox(NEW)
    one, two = box.seal_link(LINK, link_place("a")), box.seal_link(LINK, link_place("b"))
    assert one != two
    assert link_likeness(one) == link_likeness(two) != link_likeness(box.seal_link(LINK + "x", link_place("a")))
    assert link_likeness(SecretBox(OTHER).seal_link(LINK, link_place("a"))) != link_likeness(one), "the hash is keyed"
    assert "Ab3dEf6h" not in one
    assert box.open_link(one, link_place("a")) == LINK
    assert box.open_link(LINK, link_place("a")) == LINK, "of an earlier release"
    for damaged in (one[:-4], "sealed:x:***", "sealed:"):
        with pytest.raises(CannotOpen):
            box.open_link(damaged, link_place("a"))
    with pytest.raises(CannotOpen):
        box.open_link(one, link_place("b"))


# -- in the store ------------------------------------------------------------------------------------------------------


class _Market:
    """A store of an earlier release: legacy seals, plain trade links, no mark."""

    def __init__(self, url: str, mark: bool) -> None:
        self.store = open_store(url)
        self.store.migrate()
        self.desk = Desk(self.store.writer(), SystemClock(), DeskSettings())
        if not mark:
            self.desk.ask(commands.SetMark(name=SEAL_MARK, value="1"))
        request = BotRequest("bot1", SECRET20, SECRET20, "76561198000000001", "hunter2", "a refresh token")
        self.desk.ask(bot_command(SecretBox(OLD, binds=mark), "op", request))

    def record(self) -> BotRow:
        return self.store.reader().fetch_as(BotRow, "bot_record", number=1)[0]

    def reseal(self, url: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SELLDESK_")}
        return run_selldesk(["reseal"], clean | {"SELLDESK_DATABASE_URL": url} | environment)


@pytest.mark.parametrize("mark", [True, False], ids=["of this release", "of an earlier release"])
def test_reseal_changes_the_key_of_everything(engine: str, tmp_path: Path, mark: bool) -> None:
    url = new_database(tmp_path)
    market = _Market(url, mark)
    before = market.record()
    done = market.reseal(url, SELLDESK_SECRET_KEY=NEW.decode())
    assert done.returncode == 1, "the old key was forgotten"
    assert "bot 76561198000000001" in done.stderr
    assert (market.record().secrets, market.record().tokens) == (before.secrets, before.tokens), "nothing lost"
    done = market.reseal(url, SELLDESK_SECRET_KEY=NEW.decode(), SELLDESK_SECRET_KEY_OLD=OLD.decode())
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 bots" in done.stdout
    assert market.store.mark(SEAL_MARK) == SEAL_FORMAT
    record = market.record()
    opened = SecretBox(NEW).open(record.secrets, PLACE)
    assert msgspec.json.decode(opened, type=Credentials).password == "hunter2"
    assert record.tokens is not None
    assert b"a refresh token" in SecretBox(NEW).open(record.tokens, tokens_place("76561198000000001"))
    assert "0 bots" in market.reseal(url, SELLDESK_SECRET_KEY=NEW.decode()).stdout, "a second run finds nothing to do"


def test_reseal_waits_for_workers_of_an_earlier_release(engine: str, tmp_path: Path) -> None:
    url = new_database(tmp_path)
    market = _Market(url, False)
    market.desk.ask(commands.KeepLeases(worker="elsewhere/1/2/3"))
    done = market.reseal(url, SELLDESK_SECRET_KEY=OLD.decode())
    assert done.returncode == 1
    assert refusals.OLDER_RELEASE.text in done.stderr
    assert "elsewhere/1/2/3" in done.stderr
    assert market.store.mark(SEAL_MARK) == "1"
    market.desk.ask(commands.KeepLeases(worker="elsewhere/1/2/3", seal_format=int(SEAL_FORMAT)))
    assert market.reseal(url, SELLDESK_SECRET_KEY=OLD.decode()).returncode == 0


def test_what_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    market = _Market(f"sqlite:///{tmp_path / 'market.db'}", True)
    record = market.record()
    stale = commands.ResealedBot(1, b"read before a change", record.tokens, b"stale", None)
    market.desk.ask(commands.Reseal(operator="op", begins=False, bots=[stale], links=[]))
    assert market.record().secrets == record.secrets


@pytest.mark.usefixtures("engine")
def test_no_trade_link_stands_readable_in_the_store(tmp_path: Path) -> None:
    """And yet one reading of the inventory serves a seller's two waiting sales, and both go through."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        await market.pass_time(worker, 60)
        sold = {market.open_trade("s1"), market.open_trade("s2")}
        await market.run(worker, lambda: all(market.trade(one).status == "accepted" for one in sold))
        links = market.store.reader().fetch_as(LinkRow, "links_page", after="", most=10)
        stored = {link.trade_id: link.tradelink for link in links}
        assert stored.keys() == sold
        token = market.seller.trade_token
        assert all(text.startswith("sealed:") and token not in text for text in stored.values())
        assert len({link_likeness(text) for text in stored.values()}) == 1
        assert all(token in market.box.open_link(text, link_place(trade_id)) for trade_id, text in stored.items())
        pages = [request for request in market.steam.request_log if "/tradeoffer/new/?" in request["path"]]
        assert len(pages) <= 2, pages

    in_market(tmp_path, story)


# -- around the process ------------------------------------------------------------------------------------------------


def test_secrets_come_from_files(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(NEW.decode() + "\n")
    url = tmp_path / "url"
    url.write_text("sqlite:///elsewhere.db\n")
    named = {"SELLDESK_SECRET_KEY_FILE": str(key), "SELLDESK_DATABASE_URL_FILE": str(url)}
    settings = load_settings({}, environment=named)
    assert settings.secret() == NEW
    assert settings.database_url == "sqlite:///elsewhere.db"
    with pytest.raises(BadSetting, match="both set"):
        load_settings({}, environment={**named, "SELLDESK_SECRET_KEY": "x"})
    with pytest.raises(BadSetting, match="SELLDESK_SECRET_KEY_FILE"):
        load_settings({}, environment={"SELLDESK_SECRET_KEY_FILE": str(tmp_path / "absent")})
    key.write_bytes(b"\xef\xbb\xbf" + NEW)
    with pytest.raises(BadSetting, match="byte order mark"):
        load_settings({}, environment=named)


def test_what_the_market_writes_is_its_users_alone(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SELLDESK_")}
    folder = tmp_path / "new" / "folder"
    subprocess.run(
        [sys.executable, "-m", "selldesk", "migrate", "--database-url", f"sqlite:///{folder / 'market.db'}"],
        env=clean, check=True, timeout=60, umask=0,
    )  # fmt: skip
    made = [folder.parent, folder, *folder.iterdir()]
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    with sqlite3.connect(folder / "market.db") as connection:
        assert connection.execute("SELECT value FROM mark WHERE name = ?", [SEAL_MARK]).fetchone() == (SEAL_FORMAT,)
