"""A market with a past: any number of finished sales, a few live ones, live orders, buyers and bots, all of whose books agree.

Made by set-based statements (the same text for both engines) instead of by the desk, which would need hours; the audit finds nothing
wrong with it. Only `balance_after` of entries before the last of each account is made up.

`python -m bench.history URL TRADES` fills an empty database: with 1,000 buyers, a million orders and 100 bots.
"""

import sqlite3
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import psycopg

from bench import market
from selldesk.catalog.games import GAMES
from selldesk.desk import commands
from selldesk.desk.batch import IDS_PER_BATCH
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.ids import api_key_hash, new_stamp, new_uuid7
from selldesk.people.roles import Role, pack_roles
from selldesk.sellers.limits import NO_LIMITS
from selldesk.steamwire.tradelink import STEAMID64_BASE
from selldesk.store.open import open_store
from selldesk.store.sqlite import SqliteStore
from selldesk.store.store import Store

PROJECTS = 20
OPERATOR_KEY = "selldesk_" + "o" * 43
BUYER_KEY = "selldesk_" + "v" * 43
CHUNK = 500_000
YEAR_US = 365 * 86_400 * 1_000_000
MONEY = 2**52
"""Of each buyer."""


class Size(NamedTuple):
    trades: int
    buyers: int
    orders: int
    items: int
    bots: int


Execute = Callable[[str, dict[str, Any]], None]

PLAN = """
CREATE TEMPORARY TABLE plan AS
SELECT *, units * price AS value, '01900000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS text), 2) AS id,
       1000000000000 + i * 16 AS entry, CASE {game_of_item} END AS game,
       CASE WHEN status = 'processing' THEN 1 WHEN status IN ('completed', 'rolled_back_by_user', 'rolled_back_by_bot') THEN 3 ELSE 2 END
           AS version,
       CASE WHEN status IN ('declined', 'cancelled', 'error') THEN 'released' WHEN status = 'processing' THEN 'held' ELSE 'captured' END
           AS money
FROM (SELECT *, 100 + (item * 7) % 900 * 10 AS price FROM
      (SELECT i, 1 + i % :projects AS project, buyer, 1 + (buyer * 37 + i % 200) % :items AS item, 1 + i % :bots AS bot,
              CASE WHEN i % 4 = 0 THEN 2 ELSE 1 END AS units, :end_us - (:trades - i) * :step_us AS created_at,
              CAST(:base AS bigint) + 20000000 + i % 50000 AS seller,
              CASE WHEN i > :trades - :processing THEN 'processing' WHEN i > :trades - :accepted THEN 'accepted'
                   WHEN r < 15 THEN 'declined' WHEN r < 35 THEN 'cancelled' WHEN r < 45 THEN 'rolled_back_by_user'
                   WHEN r < 47 THEN 'rolled_back_by_bot' WHEN r < 55 THEN 'error' ELSE 'completed' END AS status
       FROM (SELECT i, i * 7919 % 1000 AS r, :first_buyer + (i * 2654435761 % 1000003 % :buyers) * (i * 40503 % :buyers) / :buyers AS buyer
             FROM {series}) AS chance) AS whose) AS priced
"""

STEPS = (
    """INSERT INTO trade (id, project, buyer, custom_id, custom_fold, game, value, fee, items_count, room, seller, tradelink, message,
           created_at, bot, status, updated_at, version, error, offer_id, offer_state, steam_trade_id, steam_status, settlement, stage,
           due_at, attempts, misses, protected)
       SELECT id, project, buyer, 'Order-' || i, 'order-' || i, game, value, 0, units, 1, CAST(seller AS text),
              'https://steamcommunity.com/tradeoffer/new/?partner=1&token=abcdefgh', '', created_at, bot, status,
              created_at + (version - 1) * 60000000, version,
              CASE WHEN money = 'released' THEN 'It was not to be' END, CAST(7000000000 + i AS text),
              CASE status WHEN 'processing' THEN 2 WHEN 'declined' THEN 6 WHEN 'cancelled' THEN 7 WHEN 'error' THEN 8 ELSE 3 END,
              CASE WHEN money = 'captured' THEN CAST(9000000000 + i AS text) END, CASE WHEN money = 'captured' THEN 3 END,
              CASE WHEN money = 'captured' THEN created_at + 604800000000 END,
              CASE status WHEN 'processing' THEN 'offered' WHEN 'accepted' THEN 'settling' ELSE 'done' END,
              CASE WHEN status IN ('processing', 'accepted') THEN created_at + 604800000000 END, 1, 0, 1 FROM plan""",
    """INSERT INTO trade_item (trade_id, position, item, contextid, assetid, price, generation)
       SELECT id, 0, item, '2', CAST(30000000000 + i * 2 AS text), price, 1 FROM plan
       UNION ALL SELECT id, 1, item, '2', CAST(30000000001 + i * 2 AS text), price, 1 FROM plan WHERE units = 2""",
    """INSERT INTO hold (trade_id, buyer, amount, captured, released, opened_at, closed_at)
       SELECT id, buyer, value, CASE money WHEN 'captured' THEN value ELSE 0 END, CASE money WHEN 'released' THEN value ELSE 0 END,
              created_at, CASE WHEN money <> 'held' THEN created_at + 60000000 END FROM plan""",
    """INSERT INTO ledger_entry (id, transfer, account, amount, balance_after, kind, trade_id, at)
       SELECT entry, entry, buyer * 4, -value, 0, 'freeze', id, created_at FROM plan
       UNION ALL SELECT entry + 1, entry, buyer * 4 + 1, value, 0, 'freeze', id, created_at FROM plan
       UNION ALL SELECT entry + 2, entry + 2, buyer * 4 + 1, -value, 0, CASE money WHEN 'captured' THEN 'capture' ELSE 'release' END, id,
                        created_at + 60000000 FROM plan WHERE money <> 'held'
       UNION ALL SELECT entry + 3, entry + 2, CASE money WHEN 'captured' THEN project * 4 + 2 ELSE buyer * 4 END, value, 0,
                        CASE money WHEN 'captured' THEN 'capture' ELSE 'release' END, id, created_at + 60000000 FROM plan WHERE money <> 'held'
       UNION ALL SELECT entry + 4, entry + 4, project * 4 + 2, -value, 0, CASE status WHEN 'completed' THEN 'proceeds' ELSE 'refund' END, id,
                        created_at + 120000000 FROM plan WHERE version = 3
       UNION ALL SELECT entry + 5, entry + 4, CASE status WHEN 'completed' THEN project * 4 ELSE buyer * 4 END, value, 0,
                        CASE status WHEN 'completed' THEN 'proceeds' ELSE 'refund' END, id, created_at + 120000000 FROM plan WHERE version = 3""",
    """INSERT INTO trade_history (trade_id, version, status, at, note)
       SELECT id, 1, 'processing', created_at, 'Created in room all' FROM plan
       UNION ALL SELECT id, 2, CASE money WHEN 'captured' THEN 'accepted' ELSE status END, created_at + 60000000, 'Steam told so' FROM plan
                 WHERE version > 1
       UNION ALL SELECT id, 3, status, created_at + 120000000, 'Steam confirmed it' FROM plan WHERE version = 3""",
    """INSERT INTO steam_evidence (trade_id, at, kind, body)
       SELECT id, created_at + 60000000, 'trade', '{"tradeid":"' || CAST(9000000000 + i AS text) || '","status":3,"time_init":1773396000,'
              || '"assets_received":[{"appid":730,"contextid":"2","assetid":"' || CAST(30000000000 + i * 2 AS text)
              || '","amount":"1","classid":"310776560","instanceid":"302028390","new_assetid":"1","new_contextid":"2"}]}'
       FROM plan WHERE money = 'captured'""",
    """INSERT INTO live_asset (seller, game, contextid, assetid, trade_id)
       SELECT CAST(seller AS text), game, '2', CAST(30000000000 + i * 2 AS text), id FROM plan WHERE status IN ('processing', 'accepted')
       UNION ALL SELECT CAST(seller AS text), game, '2', CAST(30000000001 + i * 2 AS text), id FROM plan
                 WHERE status IN ('processing', 'accepted') AND units = 2""",
)

BOOKS = (
    """INSERT INTO ledger_account (id, balance) SELECT account, sum(amount) FROM ledger_entry GROUP BY account
       HAVING true ON CONFLICT (id) DO UPDATE SET balance = excluded.balance""",
    """UPDATE ledger_entry SET balance_after = (SELECT a.balance FROM ledger_account a WHERE a.id = ledger_entry.account)
       WHERE id IN (SELECT max(id) FROM ledger_entry GROUP BY account)""",
    """INSERT INTO trade_sum (project, game, status, trades, value)
       SELECT project, game, status, count(*), sum(value) FROM trade GROUP BY project, game, status""",
    """INSERT INTO closed_order (buyer, item, game, price, amount, remaining, reserved, sold, generation, updated_at)
       SELECT t.buyer, i.item, t.game, i.price,
              sum(CASE WHEN t.status NOT IN ('declined', 'cancelled', 'error') THEN 1 ELSE 0 END), 0,
              sum(CASE WHEN t.status = 'processing' THEN 1 ELSE 0 END),
              sum(CASE WHEN t.status NOT IN ('declined', 'cancelled', 'error', 'processing') THEN 1 ELSE 0 END), 1, max(t.updated_at)
       FROM trade t JOIN trade_item i ON i.trade_id = t.id GROUP BY t.buyer, i.item, t.game, i.price
       HAVING sum(CASE WHEN t.status NOT IN ('declined', 'cancelled', 'error') THEN 1 ELSE 0 END) > 0""",
    """UPDATE bot SET live_offers = s.live, items_held = s.items
       FROM (SELECT bot, sum(CASE status WHEN 'processing' THEN 1 ELSE 0 END) AS live,
                    sum(CASE WHEN status IN ('processing', 'accepted', 'completed') THEN items_count ELSE 0 END) AS items
             FROM trade GROUP BY bot) AS s
       WHERE s.bot = bot.number""",
    """INSERT INTO buy_order (buyer, item, game, price, amount, remaining, reserved, sold, generation, updated_at)
       SELECT buyer, item, CASE {game_of_item} END, 100 + (item * 7) % 900 * 10 - buyer % 90, 1000, 1000, 0, 0, 2, :end_us
       FROM (SELECT :first_buyer + i % :buyers AS buyer, 1 + (i / :buyers * 13 + i % 7) % :items AS item FROM {series}) AS wish
       WHERE true ON CONFLICT (buyer, item) DO NOTHING""",
)


def fill(store: Store, url: str, size: Size, tell: Callable[[str], None] = lambda text: None) -> None:
    """Into an empty, migrated store."""
    _people(store, size)
    processing = min(10 * size.bots, size.trades // 20 + 1)
    parameters: dict[str, Any] = {
        **size._asdict(), "projects": PROJECTS, "first_buyer": PROJECTS + 1, "end_us": SystemClock().now_us(), "base": STEAMID64_BASE,
        "step_us": YEAR_US // max(1, size.trades), "processing": processing,
        "accepted": processing + size.trades // 50 + 10,
    }  # fmt: skip
    each = size.items // len(GAMES)
    game_of_item = " ".join(f"WHEN item <= {each * (place + 1)} THEN {game}" for place, game in enumerate(GAMES))
    if isinstance(store, SqliteStore):
        connection = sqlite3.connect(store.path, isolation_level=None)
        connection.execute("PRAGMA cache_size = -1000000")
        series = "(WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) SELECT i FROM n) AS s"

        def execute(sql: str, values: dict[str, Any]) -> None:
            connection.execute(sql.format(series=series, game_of_item=game_of_item) if "{series}" in sql else sql, values)

        def analyze() -> None:
            connection.execute("ANALYZE")
            connection.close()
    else:
        server = psycopg.connect(url, autocommit=True)
        server.execute("SET work_mem = '256MB'; SET synchronous_commit = off; SET maintenance_work_mem = '1GB'")
        series = "generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS s(i)"

        def execute(sql: str, values: dict[str, Any]) -> None:
            text = sql.format(series=series, game_of_item=game_of_item) if "{series}" in sql else sql
            used = {name: value for name, value in values.items() if f":{name}" in text}
            # As text, since a temporary table can't be made with parameters; all values are numbers of ours.
            for name in sorted(used, key=len, reverse=True):
                text = text.replace(f":{name}", str(used[name]))
            server.execute(text.encode())

        # Indexes that promise nothing are built when the rows are there: in a third of the time.
        indexes = server.execute(
            "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE NOT i.indisunique AND c.relnamespace = current_schema()::regnamespace"
        ).fetchall()
        for name, _ in indexes:
            server.execute(f"DROP INDEX {name}".encode())

        def analyze() -> None:
            for name, definition in indexes:
                server.execute(definition.encode())
                tell(f"index {name}")
            # Its own tables alone: those of others may be locked for as long as it takes them.
            tables = server.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
            )
            server.execute(("VACUUM (ANALYZE) " + ", ".join(name for (name,) in tables.fetchall())).encode())
            server.close()

    for first in range(1, size.trades + 1, CHUNK):
        values = {**parameters, "first": first, "last": min(first + CHUNK - 1, size.trades)}
        execute("BEGIN", {})
        execute(PLAN, values)
        for step in STEPS:
            execute(step, {})
        execute("DROP TABLE plan", {})
        execute("COMMIT", {})
        tell(f"{values['last']} trades")
    execute("BEGIN", {})
    for step in BOOKS:
        execute(step, {**parameters, "first": 0, "last": size.orders - 1})
    # The next batch's ids must come after all of these.
    seq = (10**12 + 16 * size.trades) // IDS_PER_BATCH + 1
    execute("DELETE FROM feed", {})
    execute(f"UPDATE market SET seq = {seq}", {})
    execute("COMMIT", {})
    analyze()
    writer, stamp = store.writer(), new_stamp()
    writer.begin()
    writer.put("add_feed", seq=seq, body=msgspec.msgpack.encode(commands.Feed(seq, stamp=stamp)), stamp=stamp)
    writer.commit()
    writer.close()


def _people(store: Store, size: Size) -> None:
    """Projects, buyers with money, an operator, a catalog, a room, bots: through the desk."""
    clock = SystemClock()
    desk = Desk(store.writer(), clock, DeskSettings())

    def person(login: str, role: Role, steamid64: str | None = None) -> int:
        made = commands.CreatePerson(
            operator="bench",
            id=new_uuid7(clock.now_us()),
            login=login,
            roles=pack_roles([role]),
            steamid64=steamid64,
        )
        desk.ask(made)
        return int(desk.store.fetch("person_by_login", login=login)[0][0])

    for number in range(PROJECTS):
        person(f"shop-{number}", Role.PROJECT)
    for number in range(size.buyers):
        buyer = person(f"vip-{number}", Role.BUYER, str(STEAMID64_BASE + 5_000_000 + number))
        desk.ask(commands.MoveMoney(operator="bench", person=buyer, direction="deposit", amount=MONEY, reference="bench"))
    operator = person("operator", Role.OPERATOR)
    for owner, key in ((1, market.KEY), (PROJECTS + 1, BUYER_KEY), (operator, OPERATOR_KEY)):
        desk.ask(commands.CreateKey(person=owner, name="bench", key_hash=api_key_hash(key), operator="bench"))
    desk.ask(
        commands.PutRoom(
            operator="bench",
            id=None,
            name="all",
            game=None,
            min_value=None,
            max_value=None,
            buyers=None,
            bots=None,
            priority=1,
            enabled=True,
        )
    )
    desk.ask(commands.SetLimits(operator="bench", limits=NO_LIMITS))
    for place, game in enumerate(GAMES):
        names = range(place * (size.items // len(GAMES)), (place + 1) * (size.items // len(GAMES)))
        desk.ask(commands.ImportItems(operator="bench", game=game, items=[(market.item_name(name), None) for name in names]))
    for bot in range(size.bots):
        made = commands.AddBot(
            operator="bench",
            steamid64=str(STEAMID64_BASE + bot + 1),
            account_name=f"bot{bot}",
            secrets=market.BOT_SECRETS,
            tokens=None,
            profile_name=None,
            avatar=None,
            games=None,
            live_offers_max=10**6,
            seller_offers_max=10**6,
            items_max=10**9,
        )
        desk.ask(made)
    desk.store.close()


LARGE = Size(10_000_000, 1_000, 1_000_000, 25_000, 100)


def filled(url: str, trades: int) -> Store:
    """The store at this address; an empty one is migrated and filled first."""
    store = open_store(url)
    store.migrate()
    reader = store.reader()
    is_empty = not reader.fetch("bot_numbers")
    reader.close()
    if is_empty:
        began = time.monotonic()
        fill(store, url, LARGE._replace(trades=trades), lambda text: print(f"  {text}", flush=True))
        print(f"  filled in {time.monotonic() - began:.0f} s")
    return store


if __name__ == "__main__":
    filled(sys.argv[1], int(sys.argv[2]))
