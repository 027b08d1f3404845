"""What a person types is taken exactly or refused: amounts, names of settings, ids, files, and what `selldesk check` finds."""

import json
import os
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from typer.testing import CliRunner

from selldesk.catalog.names import CatalogFault, parse_csv
from selldesk.cli.app import app
from selldesk.cli.main import add_commands
from selldesk.config import BadSetting, Settings, load_settings
from selldesk.kernel.money import both_units, parse_amount
from selldesk.runtime.api_process import ApiProcess
from selldesk.store.open import BadDatabaseUrl, open_store
from selldesk.web.routes import RouteSpec
from tests.support import AK, SandboxProcess

add_commands()
SECRET = "zQ5xk2Vb8sTn4Lw9Rj7Yc3Hd6Mf1Gp0A"
ENGINES = ("sqlite",)

AMOUNTS = [
    ("1", 1), ("50000", 50_000), ("$50", 50_000), ("$50.00", 50_000), ("50.00$", 50_000), ("50.00 $", 50_000),
    ("50usd", 50_000), ("50.5 USD", 50_500), ("$0.005", 5), ("0.03usd", 30), ("007", 7),
]  # fmt: skip
NO_AMOUNTS = [
    "", "50.00", "1_000", " 7 ", "7 ", " 7", "1,000", "$1,000.00", "-5", "+5", "5e3", "0x10", "1.2345$", "$5$", "$5usd", "$", "usd",
    "$.50", "5.$", "٥", "５", "50,00$", "$ 5", "1.000", "5\n", "$5\n", "NaN", "9" * 20,
]  # fmt: skip


@pytest.mark.parametrize(("text", "mills"), AMOUNTS)
def test_an_amount_is_read_and_echoed_in_both_units(text: str, mills: int) -> None:
    assert parse_amount(text) == mills
    assert str(mills) in both_units(mills)
    assert "$" in both_units(mills)


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_may_be_meant_otherwise_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("$50.00")):
        parse_amount(text)


@pytest.mark.parametrize("text", ["50.00", "1_000", " 7 ", "7 "])
def test_prices_in_files_are_amounts_too(text: str) -> None:
    with pytest.raises(CatalogFault, match="line 2"):
        parse_csv(f"market_hash_name,price\nA,{text}\n")
    assert parse_csv("market_hash_name,price\nA,$0.50\n") == [("A", 500)]


# -- settings ----------------------------------------------------------------------------------------------------------


def _misspelt(name: str) -> list[str]:
    """A letter left out, two exchanged, one too many."""
    middle = len(name) // 2
    return [
        name[:middle] + name[middle + 1 :],
        name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :],
        name + "s",
    ]


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(Settings)])
def test_a_misspelt_setting_is_refused_by_name(name: str, tmp_path: Path) -> None:
    known = {field.name for field in msgspec.structs.fields(Settings)}
    for wrong in _misspelt(name):
        if wrong in known:
            continue
        with pytest.raises(BadSetting, match=f"SELLDESK_{wrong.upper()}"):
            load_settings({}, environment={f"SELLDESK_{wrong.upper()}": "1"})
        file = tmp_path / "selldesk.toml"
        file.write_text(f"{wrong} = 1\n")
        with pytest.raises(BadSetting, match=wrong):
            load_settings({}, file, environment={})
    with pytest.raises(BadSetting):
        load_settings({}, environment={f"SELLDESK_{name}": "1"})


def test_what_kubernetes_sets_is_ignored_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    environment = {
        "SELLDESK_SERVICE_HOST": "10.0.0.1",
        "SELLDESK_PORT": "tcp://10.0.0.1:80",
        "SELLDESK_PORT_80_TCP_ADDR": "10.0.0.1",
        "SELLDESK_POLL_SECONDS": "7",
    }
    settings = load_settings({}, environment=environment)
    assert (settings.port, settings.poll_seconds) == (8000, 7)
    for name in ("SELLDESK_SERVICE_HOST", "SELLDESK_PORT ", "SELLDESK_PORT_80_TCP_ADDR"):
        assert name in caplog.text


def test_nobody_makes_a_market_a_sandbox() -> None:
    with pytest.raises(BadSetting, match="SELLDESK_IS_SANDBOX"):
        load_settings({}, environment={"SELLDESK_IS_SANDBOX": "1"})


BAD_SETTINGS = [
    ("maintenance_window", "someday", "write for example"),
    ("stocktake_at", "25:00", "04:30"),
    ("trusted_proxies", "10.0.0.300", "10.0.0.300"),
    ("steam_api_url", "api.steampowered.com", "http://host"),
    ("steam_api_url", "ftp://api.steampowered.com", "http://host"),
    ("steam_community_url", "https://", "http://host"),
    ("steam_login_url", "https://login.steampowered.com:99999", "http://host"),
    ("steam_login_url", "https://user:pass@login.steampowered.com", "no place"),
    ("public_url", "market.example", "http://host"),
    ("public_url", "https://market.example?x=1", "http://host"),
    ("host", "", "address"),
    ("port", "70000", "port"),
    ("poll_seconds", "0", "poll_seconds"),
    ("poll_seconds", "5s", "poll_seconds"),
    ("poll_seconds", "nan", "poll_seconds"),
    ("quarantine_seconds", "1e12", "quarantine_seconds"),
    ("fee_basis_points", "2.5", "fee_basis_points"),
    ("rate_limits_enforced", "maybe", "rate_limits_enforced"),
    ("metrics_port", "8000", "metrics_port"),
]


@pytest.mark.parametrize(("name", "text", "complaint"), BAD_SETTINGS)
def test_every_setting_is_parsed_at_the_start(name: str, text: str, complaint: str) -> None:
    with pytest.raises(BadSetting, match=complaint):
        load_settings({}, environment={f"SELLDESK_{name.upper()}": text})


@pytest.mark.parametrize("url", ["oracle://x", "sqlite://market.db", "postgresql://u:hunter2@h:abc/db", "postgresql://[::1/db", ""])
def test_a_database_url_that_means_nothing_is_one_line_without_a_password(url: str) -> None:
    with pytest.raises(BadDatabaseUrl) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


# -- selldesk check ----------------------------------------------------------------------------------------------------


class Shell:
    """The command line, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "SELLDESK_DATABASE_URL": f"sqlite:///{folder / 'market.db'}",
            "SELLDESK_SECRET_KEY": SECRET,
            "SELLDESK_STEAM_COMMUNITY_URL": "http://127.0.0.1:9",
            "SELLDESK_STEAM_API_URL": "http://127.0.0.1:9",
            "SELLDESK_STEAM_LOGIN_URL": "http://127.0.0.1:9",
            "SELLDESK_PORT": "0",
            "COLUMNS": "200",
        }

    def run(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """What it printed, or the complaint."""
        mask = os.umask(0o077)
        try:
            result = CliRunner().invoke(app, list(arguments), env=self.environment | environment)
        finally:
            os.umask(mask)
        assert (result.exit_code != 0) == fails, (arguments, result.output, result.exception)
        return result.output + (f"\n{result.exception}" if fails else "")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in list(os.environ):
        if name.startswith("SELLDESK_"):
            monkeypatch.delenv(name)
    shell = Shell(tmp_path)
    shell.run("migrate")
    return shell


NOTICED: list[tuple[dict[str, str], str, str]] = [
    ({"SELLDESK_SECRET_KEY": "short"}, "fault", "at least 32 characters"),
    ({"SELLDESK_SECRET_KEY": "a" * 40}, "warning", "random"),
    ({"SELLDESK_STEAM_API_URL": "http://api.steampowered.com"}, "fault", "https only"),
    ({"SELLDESK_STEAM_API_URL": "https://api.steampowered.com"}, "fault", "not Steam's own, while the others are"),
    ({"SELLDESK_STEAM_LOGIN_URL": "https://login.steampowerd.com"}, "warning", "passwords go there"),
    ({"SELLDESK_FEE_BASIS_POINTS": "5000"}, "warning", "a fifth"),
    ({"SELLDESK_QUOTE_SECONDS": "1"}, "warning", "between match and create"),
    ({"SELLDESK_OFFER_OPEN_FOR_SECONDS": "1"}, "warning", "offer_open_for_seconds"),
    ({"SELLDESK_OFFER_OUT_WITHIN_SECONDS": "31000000"}, "warning", "offer_out_within_seconds"),
    ({"SELLDESK_DATELESS_PROTECTION_SECONDS": "60"}, "warning", "reverse"),
    ({"SELLDESK_POLL_SECONDS": "100000"}, "warning", "poll_seconds"),
    ({"SELLDESK_IDLE_POLL_SECONDS": "1"}, "warning", "idle_poll_seconds"),
    ({"SELLDESK_STEAM_LIMITS_SHARE": "0.001"}, "warning", "slow"),
    ({"SELLDESK_HOST": "0.0.0.0"}, "warning", "public_url"),
    ({"SELLDESK_RATE_LIMITS_ENFORCED": "false"}, "warning", "rate_limits_enforced"),
    ({"SELLDESK_BAD_KEYS_MAX": "0"}, "warning", "guessed"),
    ({"SELLDESK_OVERDUE_SEND_SECONDS": "1"}, "warning", "overdue_send_seconds"),
]


@pytest.mark.parametrize(("environment", "kind", "words"), NOTICED)
def test_check_notices(shell: Shell, environment: dict[str, str], kind: str, words: str) -> None:
    """Nothing of it is noticed without the setting. The wrong Steam hosts can't be reached, which is a fault anyway."""
    lines = shell.run("check", fails=True).splitlines()
    assert not [line for line in lines if line.startswith(kind) and words in line]
    lines = shell.run("check", fails=True, **environment).splitlines()
    assert [line for line in lines if line.startswith(kind) and words in line], lines


def test_check_shows_what_counts_and_tries_everything(shell: Shell, sandbox: SandboxProcess) -> None:
    steam = sandbox.description["steam"]["url"]
    names = ("SELLDESK_STEAM_COMMUNITY_URL", "SELLDESK_STEAM_API_URL", "SELLDESK_STEAM_LOGIN_URL")
    good = dict.fromkeys(names, steam)
    said = shell.run("check", SELLDESK_FEE_BASIS_POINTS="250", **good)
    assert not [line for line in said.splitlines() if line.startswith("fault")], said
    assert "fee_basis_points = 250 (2.5 % of each sale)" in said
    assert SECRET not in said
    assert "seller_processing_max 20" in said
    assert said.count("Steam: ") == 3
    for name in names:
        said = shell.run("check", fails=True, **(good | {name: "http://127.0.0.1:9"}))
        assert len([line for line in said.splitlines() if line.startswith("fault") and "127.0.0.1:9" in line]) == 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = shell.run("check", fails=True, SELLDESK_PORT=str(taken.getsockname()[1]), **good)
    assert "does a market run already?" in said
    (shell.folder / "market.db").chmod(0o644)
    assert "chmod 600" in shell.run("check", fails=True, **good)


# -- the command line --------------------------------------------------------------------------------------------------


def test_money_ids_and_rooms_on_the_command_line(shell: Shell) -> None:
    shell.run("user", "create", "vip", "--role", "buyer", "--steamid64", "76561198012345678")
    for text in ("50.00", "1_000", " 7 "):
        assert "$50.00" in shell.run("deposit", "vip", text, "--reference", "r", fails=True)
    assert "balance 0.00" not in shell.run("deposit", "vip", "$50.00", "--reference", "r1")
    assert "50.00 $ (50000 mills)" in shell.run("deposit", "vip", "50000", "--reference", "r1")
    assert "0.005 $ (5 mills)" in shell.run("withdraw", "vip", "5", "--reference", "r2")
    assert "49.995 $ (49995 mills)" in shell.run("withdraw", "vip", "5", "--reference", "r2")
    for wrong in ("52079950", "STEAM_0:0:26039975", "7656119801234567", "765611980123456789", "[U:1:52079950]"):
        assert "SteamID64" in shell.run("user", "create", "v2", "--role", "buyer", "--steamid64", wrong, fails=True)
        assert "SteamID64" in shell.run("bot", "enable", wrong, fails=True)
        assert "SteamID64" in shell.run("seller", "trust", wrong, "--reason", "x", fails=True)
    for login in ("shell", "selldesk", "Shell"):
        assert shell.run("user", "create", login, "--role", "project", fails=True)
    assert shell.run("room", "add", "odd", "--min-value", "$10.00", "--max-value", "9000", fails=True)
    assert "from 10.00 $ (10000 mills)" in shell.run("room", "add", "good", "--min-value", "$10.00", "--max-value", "10000")


def test_limits_sellers_and_games_on_the_command_line(shell: Shell) -> None:
    assert "seller_processing_max: 5" in shell.run("limits", "set", "seller_processing_max", "5")
    assert "20.00 $" in shell.run("limits", "set", "seller_unsettled_value_max", "$20.00")
    assert "seller_unsettled_value_max: -" in shell.run("limits", "set", "seller_unsettled_value_max", "none")
    assert "[60, 120]" in shell.run("limits", "set", "cooldown_seconds", "[60, 120]")
    shown = shell.run("limits", "show")
    assert re.search(r"seller_processing_max\W+5\b", shown)
    for name, value in (
        ("seler_processing_max", "5"), ("seller_processing_max", "0"), ("seller_processing_max", "many"),
        ("seller_processing_value_max", "50.00"), ("min_order_price", '{"731": 5}'), ("cooldown_seconds", "[]"),
    ):  # fmt: skip
        assert name in shell.run("limits", "set", name, value, fails=True)
    someone = "76561198012345678"
    assert "blocked" in shell.run("seller", "block", someone, "--reason", "a thief")
    assert "a thief" in shell.run("seller", "show", someone)
    assert someone in shell.run("seller", "list", "--status", "blocked")
    assert "past" in shell.run("seller", "block", someone, "--reason", "x", "--until", "2020-01-01T00:00:00Z", fails=True)
    assert "normal" in shell.run("seller", "clear", someone, "--reason", "it was another")
    assert "stopped" in shell.run("game", "stop", "730", "--reason", "an update")
    assert "goes on" in shell.run("game", "resume", "730", "--reason", "over")
    assert shell.run("game", "resume", "730", "--reason", "again", fails=True)
    assert "not a game" in shell.run("game", "stop", "731", "--reason", "x", fails=True)


ODD_IDS = [
    "a/b",
    "a b",
    "100%",
    "%2F",
    "ä ö",
    "x?y=z",
    "#1",
    "a+b",
    "0198c3a4-5b6c-7d8e-9f00-112233445566",
    "a\\b",
    "..x",
    "'\"<>&",
]


def test_watch_follows_every_custom_id(sandbox: SandboxProcess) -> None:
    """Whatever the API takes; what looks like a UUID may be somebody's own."""
    for number, custom_id in enumerate(f"{odd}{'' if len(odd) == 36 else ' typed'}" for odd in ODD_IDS):
        seller_of = sandbox.sellers[number % 2]
        assets = sandbox.steam.give(seller_of, 730, AK)
        body = sandbox.offer_body(seller_of, 730, [(assets[0], AK)]) | {"custom_id": custom_id}
        made = sandbox.shop.do("POST", "/api/sell/trades/create", body)
        sandbox.wait_for(quote(custom_id, safe=""), "accepted")
        for name in (custom_id, made["trade_id"]):
            options = [
                "--key",
                sandbox.description["projects"][0]["api_key"],
                "--url",
                sandbox.description["base_url"],
                "--until",
                "accepted",
            ]
            result = CliRunner().invoke(app, ["watch", *options, "--", name])
            assert result.exit_code == 0, (custom_id, result.output, result.exception)


# -- bodies ------------------------------------------------------------------------------------------------------------


def _bodies(tmp_path: Path) -> list[tuple[str, RouteSpec]]:
    url = f"sqlite:///{tmp_path / 'market.db'}"
    open_store(url).migrate()
    running = ApiProcess(load_settings({"database_url": url, "secret_key": SECRET}, environment={}))
    return [(f"{route.method} {route.path}", route) for route in running.api.routes if route.body is not None]


def test_operators_bodies_refuse_what_they_do_not_know(tmp_path: Path) -> None:
    """By name, each of them. Not so: the seller's and buyer's calls, to which the source document adds fields as it likes, and a bot's,
    which is a maFile."""
    lenient = []
    for name, route in _bodies(tmp_path):
        struct: Any = route.body
        if not struct.__struct_config__.forbid_unknown_fields:
            lenient.append(name)
    assert [name for name in lenient if "/api/operator/" in name] == ["POST /api/operator/bots"]
    assert json.dumps(lenient)
