"""The selldesk command: a market set up from the shell, a seller's client, and clear one-line complaints."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from selldesk.config import BadSetting, load_settings
from selldesk.desk import commands
from tests.desk.test_desk import Market
from tests.support import AK, SandboxProcess, run_selldesk

SECRET = "a-secret-of-at-least-32-characters-here"

ENGINES = ("sqlite",)


class Shell:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SELLDESK_")},
            "SELLDESK_DATABASE_URL": f"sqlite:///{folder / 'market.db'}",
            "SELLDESK_SECRET_KEY": SECRET,
            "COLUMNS": "200",
        }

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        return self._said(run_selldesk(arguments, self.environment | environment), code)

    def start(self, *arguments: str, code: int = 0) -> str:
        """The same, and the interpreter too begins anew."""
        return self._said(run_selldesk(arguments, self.environment, anew=True), code)

    def _said(self, result: subprocess.CompletedProcess[str], code: int) -> str:
        assert result.returncode == code, (result.args, result.stdout, result.stderr)
        return result.stdout if code == 0 else result.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.long
def test_a_market_is_set_up_from_the_shell(shell: Shell) -> None:
    assert "run selldesk migrate first" in shell.start("audit", code=2)
    assert "applying 001_market.sql" in shell.start("migrate")
    assert shell.run("migrate").strip().endswith("up to date")
    shell.run("user", "create", "boss", "--role", "operator")
    key = shell.run("key", "create", "boss").strip()
    assert key.startswith("selldesk_")
    assert len(key) == 52
    assert [json.loads(line)["name"] for line in shell.run("key", "list", "boss", "--json").splitlines()] == ["default"]
    assert "--steamid64" in shell.run("user", "create", "vip", "--role", "buyer", code=2)
    shell.run("user", "create", "vip", "--role", "buyer", "--steamid64", "76561198012345678")
    assert "already exists" in shell.run("user", "create", "vip", "--role", "project", code=1)
    assert "5,000.00 $" in shell.run("money", "deposit", "vip", "5000000", "--reference", "b1")
    assert "done before" in shell.run("money", "deposit", "vip", "5000000", "--reference", "b1")
    assert "another amount" in shell.run("deposit", "vip", "1", "--reference", "b1", code=1)
    assert "Insufficient balance" in shell.run("money", "withdraw", "vip", "5000001", "--reference", "w1", code=1)
    shell.run("room", "add", "everything", "--min-value", "10")
    assert "everything" in shell.run("room", "list")
    catalog = shell.folder / "items.csv"
    catalog.write_text("market_hash_name,price\nAK-47 | Redline (Field-Tested),42100\nOther,\n")
    assert "2 created" in shell.run("catalog", "import", str(catalog), "--game", "730")
    assert "2 unchanged" in shell.run("catalog", "import", str(catalog), "--game", "730")
    catalog.write_text("nonsense\n")
    assert "line 1" in shell.run("catalog", "import", str(catalog), "--game", "730", code=2)
    assert "all is well" in shell.run("audit")
    shell.run("user", "disable", "vip")
    assert "yes" in shell.run("user", "list")


def test_names_of_before_still_work_and_are_not_shown(shell: Shell) -> None:
    shell.run("migrate")
    shell.run("user", "create", "vip", "--role", "buyer", "--steamid64", "76561198012345678")
    assert "5,000.00 $" in shell.run("deposit", "vip", "5000000", "--reference", "b1")
    assert "balance 4,000.00 $" in shell.run("withdraw", "vip", "$1000", "--reference", "w1")
    assert "balance 4,001.00 $" in shell.run("money", "adjust", "vip", "1000", "--reference", "a1", "--reason", "a gift")
    assert "balance 3,999.00 $" in shell.run("money", "adjust", "--reference", "a2", "--reason", "back", "vip", "--", "-2000")
    assert "deposit" not in shell.run("--help").split("money")[0]
    assert shell.run("--version").startswith("selldesk ")


def test_operators_need_no_curl_at_night(tmp_path: Path) -> None:
    """Every list as a table and as JSON; a sale is found, looked at, tried again, cancelled and declared; alerts are closed."""
    market = Market(tmp_path)
    shell = Shell(tmp_path)
    shell.environment["SELLDESK_DATABASE_URL"] = f"sqlite:///{market.store.path}"
    sold: list[str] = []
    for number in range(3):
        market.clock.advance(1)
        sold.append(market.ask(market.open(f"sale-{number}")).trade_id)
    first, second, third = sold
    market.ask(commands.RaiseAlert(kind="rate_limited", text="Steam is busy", bot=1, trade_id=None))

    def lines(*arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in shell.run(*arguments, "--json").splitlines()]

    assert [one["custom_id"] for one in lines("trade", "list")] == ["sale-2", "sale-1", "sale-0"]
    assert "2 of 3" in shell.run("trade", "list", "--most", "2")
    assert lines("trade", "list", "--status", "accepted") == []
    assert [one["trade_id"] for one in lines("trade", "list", "--custom-id", "ale-1", "--project", "shop")] == [second]
    narrow = "".join(shell.run("trade", "list", COLUMNS="80").split("│"))
    assert "…" not in narrow, "an id that is cut can't be copied"
    assert "no user nobody" in shell.run("trade", "list", "--project", "nobody", code=1)
    (shown,) = lines("trade", "show", "sale-0")
    assert (shown["trade"]["trade_id"], shown["stage"], shown["project"]) == (first, "verify", "shop")
    assert "Created in room" in shell.run("trade", "show", first)
    assert "no trade sale-9" in shell.run("trade", "show", "sale-9", code=1)
    assert "now processing" in shell.run("trade", "retry", first, "--reason", "again")
    assert "now declined" in shell.run("trade", "cancel", "sale-0", "--reason", "a mistake")
    assert "not in a status" in shell.run("trade", "cancel", first, "--reason", "twice", code=1)
    assert "--by" in shell.run("trade", "declare", second, "rolled-back", "--reason", "why", code=2)
    assert "force" in shell.run("trade", "declare", second, "accepted", "--reason", "seen", code=1)
    assert "now accepted" in shell.run("trade", "declare", second, "accepted", "--reason", "seen", "--force")
    assert "now rolled_back_by_bot" in shell.run(
        "trade", "declare", second, "rolled-back", "--by", "bot", "--reason", "seen", "--force"
    )
    assert "now error" in shell.run("trade", "declare", third, "failed", "--reason", "seen", "--force")
    (alert,) = lines("alert", "list")
    assert (alert["kind"], alert["text"]) == ("rate_limited", "Steam is busy")
    shell.run("alert", "close", alert["id"], "--reason", "seen")
    assert lines("alert", "list") == []
    assert [one["id"] for one in lines("alert", "list", "--closed")] == [alert["id"]]
    done = [line["action"] for line in lines("log", "--most", "7")]
    assert done[:2] == ["alert.close", "trade.declare-failed"]
    assert {"trade.cancel", "trade.retry", "trade.declare-accepted", "trade.declare-rolled-back"} <= set(done)
    for noun in ("user", "room", "bot", "seller"):
        assert lines(noun, "list"), noun
    assert "seller_processing_max" in lines("limits", "show")[0]
    assert {"name", "rows"} <= lines("audit")[0].keys()
    market.assert_clean()


def test_a_bot_comes_from_a_mafile(shell: Shell) -> None:
    shell.run("migrate")
    file = shell.folder / "bot.maFile"
    whole: dict[str, Any] = {
        "account_name": "bot1",
        "shared_secret": "c2hhcmVkc2VjcmV0c2hhcmVkc2U=",
        "identity_secret": "aWRlbnRpdHlpZGVudGl0eWlkZW4=",
        "Session": {"SteamID": 76561198012345679},
    }
    file.write_text(json.dumps(whole))
    assert "76561198012345679 added" in shell.run("bot", "add", str(file), "--password", "hunter2-hunter2")
    assert "already exists" in shell.run("bot", "add", str(file), "--password", "x", code=1)
    assert "needs_login" in shell.run("bot", "list")
    file.write_text(json.dumps({name: value for name, value in whole.items() if name != "shared_secret"}))
    assert "no shared_secret" in shell.run("bot", "add", str(file), "--password", "x", code=2)
    stored = (shell.folder / "market.db").read_bytes()
    assert b"hunter2" not in stored
    assert whole["shared_secret"].encode() not in stored
    assert "can't be opened" in shell.run("check", code=1, SELLDESK_SECRET_KEY="another-secret-of-at-least-32-characters")


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("SELLDESK_SECRET_KEY", "short", "at least 32 characters"),
        ("SELLDESK_PORT", "x", "port"),
        ("SELLDESK_PORT", "99999", "port"),
        ("SELLDESK_FEE_BASIS_POINTS", "10001", "fee_basis_points"),
        ("SELLDESK_DATABASE_URL", "oracle://x", "not a database URL"),
        ("SELLDESK_CONFIG", "/does/not/exist.toml", "exist.toml"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(shell: Shell, variable: str, value: str, complaint: str) -> None:
    if variable != "SELLDESK_DATABASE_URL":
        shell.run("migrate")
    text = shell.run("serve", code=2, **{variable: value})
    assert complaint in text
    assert text.count("\n") == 1


def test_flags_win_over_variables_and_variables_over_the_file(shell: Shell) -> None:
    file = shell.folder / "selldesk.toml"
    file.write_text(f'database_url = "sqlite:///{shell.folder}/from-file.db"\n')
    del shell.environment["SELLDESK_DATABASE_URL"]
    shell.run("migrate", "--config", str(file))
    shell.run("migrate", "--config", str(file), SELLDESK_DATABASE_URL=f"sqlite:///{shell.folder}/from-variable.db")
    url = f"sqlite:///{shell.folder}/from-flag.db"
    shell.run("migrate", "--config", str(file), "--database-url", url, SELLDESK_DATABASE_URL="sqlite:///nowhere.db")
    assert {path.name for path in shell.folder.glob("*.db")} == {"from-file.db", "from-variable.db", "from-flag.db"}
    file.write_text("colour = 1\n")
    assert "colour" in shell.run("migrate", "--config", str(file), code=2)


def test_a_sellers_client_sells_and_watches(sandbox: SandboxProcess, tmp_path: Path) -> None:
    seller = sandbox.sellers[0]
    (assetid,) = sandbox.steam.give(seller, 730, AK)
    file = tmp_path / "items.json"
    file.write_text(
        json.dumps({"game_id": 730, "tradelink": seller["tradelink"], "items": [{"assetid": assetid, "market_hash_name": AK}]})
    )
    shell = Shell(tmp_path)
    where = ("--url", sandbox.base_url, "--key", sandbox.shop.key)
    custom_id = sandbox.new_custom_id()
    output = shell.run("sell", "--items", str(file), *where, "--custom-id", custom_id)
    assert "accepted: Steam exchanged the items" in output
    assert "Offer" in shell.run("watch", custom_id, *where, "--until", "accepted")
    assert "already in an active trade" in shell.run("sell", "--items", str(file), *where, code=1)
    assert "Trade not found" in shell.run("watch", "nothing", *where, code=1)


def test_help_names_every_command(shell: Shell) -> None:
    text = shell.start("--help")
    for command in (
        "sandbox",
        "serve",
        "work",
        "simulate-steam",
        "migrate",
        "audit",
        "check",
        "user",
        "key",
        "money",
        "trade",
        "alert",
        "log",
        "room",
        "bot",
        "catalog",
        "sell",
        "watch",
    ):
        assert command in text


WINDOWS = [
    ("tue 13:00-17:15 America/Los_Angeles", None),
    ("", None),
    ("Tue 17:15-13:00 America/Los_Angeles", "begin before it ends"),
    ("tue 13:00-17:15 Mars/Olympus", "Mars/Olympus"),
    ("someday", "write for example"),
    ("tue 13:00-24:15 America/Los_Angeles", "begin before it ends"),
]


@pytest.mark.parametrize(("text", "complaint"), WINDOWS)
def test_the_maintenance_window_is_a_setting(text: str, complaint: str | None) -> None:
    if complaint is not None:
        with pytest.raises(BadSetting, match=complaint):
            load_settings({"maintenance_window": text}, environment={})
    else:
        settings = load_settings({"maintenance_window": text}, environment={})
        assert (settings.pace().no_logins is None) == (text == "")
        simulator = load_settings({"maintenance_window": text, "steam_api_url": "http://127.0.0.1:8100"}, environment={})
        assert simulator.pace().no_logins is None, "a simulator has no Tuesdays"


# What a script may rely on (people P9): the command, how it ends, and what it says.
EXITS = [
    (("migrate",), 0, ""),
    (("user", "disable", "nobody"), 1, "no user nobody"),
    (("bot", "enable", "76561198000000001"), 1, "no bot 76561198000000001"),
    (("room", "remove", "7"), 1, "Room not found"),
    (("seller", "show", "76561198000000001"), 1, "no seller 76561198000000001"),
    (("user", "create", "vip", "--role", "buyer"), 2, "a buyer needs --steamid64"),
    (("user", "create"), 2, "Missing argument"),
    (("nonsense",), 2, "No such command"),
    (("audit", "--database-url", "postgresql://127.0.0.1:1/market"), 3, "the store is not available"),
    (("watch", "x", "--url", "http://127.0.0.1:1", "--key", "k"), 3, "http://127.0.0.1:1/api/sell"),
]


def test_a_script_learns_from_the_exit_code_what_happened(shell: Shell) -> None:
    for arguments, code, said in EXITS:
        assert said in shell.run(*arguments, code=code), arguments
