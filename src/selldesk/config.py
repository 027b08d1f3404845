"""Settings: flags, then SELLDESK_* variables, then a TOML file, then the defaults (contract C7)."""

import difflib
import ipaddress
import logging
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from selldesk.courier.courier import CourierSettings
from selldesk.courier.sender import SenderSettings
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.secretbox import SEAL_FORMAT, SecretBox
from selldesk.kernel.times import DAY_US, SECOND_US
from selldesk.offers.agenda import Pace, Window
from selldesk.offers.rules import Rules
from selldesk.steam.session import SteamUrls
from selldesk.steam.throttle import CallLimits
from selldesk.store.open import open_store
from selldesk.web.connections import ConnectionLimits, Network
from selldesk.web.limits import LockOutRules, RateLimits

logger = logging.getLogger(__name__)

OVERDUE_STAGES = ("verify", "send", "sending", "reconcile", "offered", "exchanged", "settling", "operator")
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Port = Annotated[int, Meta(ge=0, le=65_535)]


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(rf"({'|'.join(_DAYS)}) (\d\d):(\d\d)-(\d\d):(\d\d) ([a-z_/+0-9-]+)")


class BadSetting(Exception):
    """One clear line about what is wrong with the settings."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every setting, by the name that the TOML file uses; the variable is SELLDESK_<NAME>. Durations in seconds."""

    database_url: str = "sqlite:///var/selldesk.db"
    secret_key: str = ""
    """Signs quotes and seals secrets at rest: at least 32 characters. Losing it loses the bots' secrets."""
    secret_key_old: str = ""
    """The key before: opens what is not yet sealed with the new one (selldesk reseal)."""
    host: str = "127.0.0.1"
    port: Port = 8000
    public_url: str = ""
    """Where clients reach the API; empty: http://host:port."""
    steam_community_url: str = "https://steamcommunity.com"
    steam_api_url: str = "https://api.steampowered.com"
    steam_login_url: str = "https://login.steampowered.com"

    fee_basis_points: Annotated[int, Meta(ge=0, le=10_000)] = 0
    quote_seconds: Annotated[int, Meta(ge=1, le=3600)] = 30
    offer_out_within_seconds: Seconds = 900
    offer_open_for_seconds: Seconds = 900
    settlement_margin_seconds: Seconds = 900
    dateless_protection_seconds: Seconds = 8 * 86_400
    second_reading_after_seconds: Seconds = 5
    reconcile_spread_seconds: Seconds = 60
    reconcile_last_after_seconds: Seconds = 300
    confirm_within_seconds: Seconds = 180
    game_pause_seconds: Seconds = 60
    bot_full_seconds: Seconds = 3600
    quarantine_seconds: Seconds = 7 * 86_400

    poll_seconds: Seconds = 5
    idle_poll_seconds: Seconds = 45
    sweep_seconds: Seconds = 60
    send_gap_seconds: Seconds = 1
    full_sweep_seconds: Seconds = 120
    steam_limits_share: Annotated[float, Meta(gt=0, le=10_000)] = 0.9
    """Of Steam's measured limits per account (docs/simulator.md): more than 1 only against a simulator."""
    steam_address_burst: Annotated[int, Meta(ge=1)] = 600
    steam_address_calls_per_second: Annotated[float, Meta(gt=0)] = 30
    maintenance_window: str = "tue 13:00-17:15 America/Los_Angeles"
    """No full logins then, against Steam's own hosts; empty: none."""

    batch_max: Annotated[int, Meta(ge=1, le=1000)] = 64
    fast_calls_per_second: Annotated[int, Meta(ge=1)] = 1_000
    other_calls_per_second: Annotated[int, Meta(ge=1)] = 200
    rate_limits_enforced: bool = True
    is_sandbox: bool = False
    """Set by `selldesk sandbox` alone."""
    connections_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 4_096
    """Of one API process."""
    connections_per_address: Annotated[int, Meta(ge=1, le=1_000_000)] = 256
    trusted_proxies: str = ""
    """Addresses or networks (CIDR), comma-separated, whose X-Forwarded-For is believed."""
    bad_keys_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 20
    """So many requests with unknown keys from one address within bad_keys_seconds lock its unknown keys out; 0: never."""
    bad_keys_seconds: Seconds = 300
    lockout_seconds: Seconds = 900
    metrics_port: Port = 0
    """Figures for Prometheus without a key, on 127.0.0.1; 0: none."""
    own_inventory_seconds: Seconds = 60
    event_days: Annotated[float, Meta(gt=0, le=3_650)] = 30
    """So long events are kept."""
    streams_per_key: Annotated[int, Meta(ge=1, le=10_000)] = 5
    """Open event streams, in each API process."""
    stream_seconds: Seconds = 3600
    """After so long a stream ends; its reader comes again."""
    webhook_allow_private: bool = False
    """Webhooks may go to http, to addresses and to private networks."""
    webhook_slots: Annotated[int, Meta(ge=2, le=10_000)] = 200
    webhook_slots_per_endpoint: Annotated[int, Meta(ge=1, le=1_000)] = 8
    webhook_connect_seconds: Seconds = 5
    webhook_seconds: Seconds = 20
    webhook_failing_seconds: Seconds = 432_000
    """Without any success for so long an endpoint is disabled."""
    delivery_out_within_seconds: Seconds = 3600
    delivery_open_for_seconds: Seconds = 3600
    delivery_offers_per_bot: Annotated[int, Meta(ge=1, le=1_000)] = 10
    """So many of a bot's live offers are deliveries at most."""
    delivery_items_max: Annotated[int, Meta(ge=1, le=1_000)] = 100
    deliveries_per_buyer: Annotated[int, Meta(ge=1, le=100_000)] = 20
    stocktake_at: str = "04:30"
    """UTC; empty: never."""
    restricted_seconds: Seconds = 3600
    overdue_verify_seconds: Seconds = 600
    overdue_send_seconds: Seconds = 600
    overdue_sending_seconds: Seconds = 600
    overdue_reconcile_seconds: Seconds = 600
    overdue_offered_seconds: Seconds = 600
    overdue_exchanged_seconds: Seconds = 600
    overdue_settling_seconds: Seconds = 600
    overdue_operator_seconds: Seconds = 600

    def rules(self) -> Rules:
        return Rules(
            offer_out_within_us=_us(self.offer_out_within_seconds),
            offer_open_for_us=_us(self.offer_open_for_seconds),
            settlement_margin_us=_us(self.settlement_margin_seconds),
            dateless_protection_us=_us(self.dateless_protection_seconds),
            second_reading_after_us=_us(self.second_reading_after_seconds),
            reconcile_spread_us=_us(self.reconcile_spread_seconds),
            reconcile_last_after_us=_us(self.reconcile_last_after_seconds),
            confirm_within_us=_us(self.confirm_within_seconds),
            game_pause_us=_us(self.game_pause_seconds),
            bot_full_us=_us(self.bot_full_seconds),
            quarantine_us=_us(self.quarantine_seconds),
            restricted_us=_us(self.restricted_seconds),
            delivery_out_within_us=_us(self.delivery_out_within_seconds),
            delivery_open_for_us=_us(self.delivery_open_for_seconds),
            delivery_offers_per_bot=self.delivery_offers_per_bot,
            overdue_us={stage: _us(getattr(self, f"overdue_{stage}_seconds")) for stage in OVERDUE_STAGES},
        )

    def pace(self) -> Pace:
        return Pace(
            poll_us=_us(self.poll_seconds),
            idle_poll_us=_us(self.idle_poll_seconds),
            sweep_us=_us(self.sweep_seconds),
            send_gap_us=_us(self.send_gap_seconds),
            full_sweep_us=_us(self.full_sweep_seconds),
            own_inventory_us=_us(self.own_inventory_seconds),
            no_logins=self.no_logins(),
        )

    def no_logins(self) -> Window | None:
        """A simulator has no Tuesdays: the window counts only where the logins go to Steam itself. Raises BadSetting."""
        window = parse_window(self.maintenance_window) if self.maintenance_window else None
        return window if urlsplit(self.steam_api_url).hostname == "api.steampowered.com" else None

    def steam_limits(self) -> CallLimits:
        return CallLimits(self.steam_limits_share, self.steam_address_burst, self.steam_address_calls_per_second)

    def sender(self) -> SenderSettings:
        return SenderSettings(self.webhook_connect_seconds, self.webhook_seconds, self.webhook_allow_private)

    def courier(self) -> CourierSettings:
        return CourierSettings(
            self.webhook_slots, self.webhook_slots_per_endpoint, _us(self.webhook_failing_seconds), self.sender()
        )

    def desk(self) -> DeskSettings:
        return DeskSettings(
            self.rules(),
            self.fee_basis_points,
            self.batch_max,
            self.stocktake_at_us(),
            int(self.event_days * DAY_US),
            self.delivery_items_max,
            self.deliveries_per_buyer,
        )

    def check(self) -> None:
        """Raises BadSetting for what its type alone does not tell."""
        if self.maintenance_window:
            parse_window(self.maintenance_window)
        self.stocktake_at_us()
        self.proxies()
        for name in ("steam_community_url", "steam_api_url", "steam_login_url", "public_url"):
            _check_url(name, getattr(self, name))
        if not self.host or any(character.isspace() for character in self.host):
            raise BadSetting(f"bad setting: host {self.host!r}: expected an address or a name to listen on")
        if self.metrics_port and self.metrics_port == self.port:
            raise BadSetting(f"bad setting: metrics_port and port are both {self.port}")
        if self.secret_key and self.secret_key == self.secret_key_old:
            raise BadSetting(
                "SELLDESK_SECRET_KEY and SELLDESK_SECRET_KEY_OLD are the same: the old one is needed only after a change"
            )
        open_store(self.database_url)

    def stocktake_at_us(self) -> int | None:
        """Raises BadSetting."""
        if not self.stocktake_at:
            return None
        found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", self.stocktake_at)
        if found is None:
            raise BadSetting(f"bad setting: stocktake_at {self.stocktake_at!r}: write for example 04:30 (UTC), or leave it empty")
        return (int(found.group(1)) * 60 + int(found.group(2))) * 60 * SECOND_US

    def rate_limits(self) -> RateLimits:
        return RateLimits(self.fast_calls_per_second, self.other_calls_per_second, self.rate_limits_enforced)

    def lock_out(self) -> LockOutRules:
        return LockOutRules(self.bad_keys_max, self.bad_keys_seconds, self.lockout_seconds)

    def proxies(self) -> tuple[Network, ...]:
        """Raises BadSetting."""
        found: list[Network] = []
        for part in filter(None, (one.strip() for one in self.trusted_proxies.split(","))):
            try:
                found.append(ipaddress.ip_network(part, strict=False))
            except ValueError:
                raise BadSetting(
                    f"bad setting: trusted_proxies: {part!r} is not an address or a network such as 10.0.0.0/8"
                ) from None
        return tuple(found)

    def connection_limits(self) -> ConnectionLimits:
        return ConnectionLimits(self.connections_max, self.connections_per_address, self.proxies(), not self.is_sandbox)

    def steam_urls(self) -> SteamUrls:
        return SteamUrls(self.steam_community_url.rstrip("/"), self.steam_api_url.rstrip("/"), self.steam_login_url.rstrip("/"))

    def url(self) -> str:
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    def secret(self) -> bytes:
        """Raises BadSetting."""
        if len(self.secret_key) < 32:
            raise BadSetting(
                "SELLDESK_SECRET_KEY must be set to at least 32 characters; "
                "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        return self.secret_key.encode()

    def box(self, seal_format: str | None) -> SecretBox:
        """`seal_format`: the store's mark of that name. Raises BadSetting."""
        if self.secret_key_old and len(self.secret_key_old) < 32:
            raise BadSetting("SELLDESK_SECRET_KEY_OLD must be the key as it was: at least 32 characters")
        old = self.secret_key_old.encode() if self.secret_key_old else None
        return SecretBox(self.secret(), old, binds=seal_format == SEAL_FORMAT)


_NAMES = frozenset(field.name for field in msgspec.structs.fields(Settings)) - {"is_sandbox"}
FROM_FILES = ("secret_key", "secret_key_old", "database_url")
"""May stand in a file of their own, named by SELLDESK_<NAME>_FILE: nobody sees them among a process' variables."""
_OTHER_VARIABLES = ("SELLDESK_CONFIG", "SELLDESK_URL", "SELLDESK_API_KEY", "SELLDESK_MAFILE_PASSPHRASE", "SELLDESK_BOT_PASSWORD")
_OF_TESTS = re.compile(r"SELLDESK_(TEST|HOUR|FUZZ|BENCH)_[A-Z_]+")
_OF_KUBERNETES = re.compile(r"SELLDESK_(SERVICE|PORT)_.*")


def load_settings(
    flags: Mapping[str, Any],
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    own: Mapping[str, Any] = {},
) -> Settings:
    """`own`: what stands in the place of the defaults. Raises BadSetting, which names the setting and where it came from."""
    values: dict[str, Any] = dict(own)
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
            if text.startswith("\ufeff"):
                raise BadSetting(f"{file}: the file begins with a byte order mark: save it as UTF-8 without one")
            said = tomllib.loads(text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadSetting(f"{file}: {error}") from None
        for name in said:
            if name not in _NAMES:
                raise BadSetting(f"{file}: unknown setting {name!r}{_did_you_mean(name, _NAMES)}")
        values.update(said)
    values.update(settings_in(environment))
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSetting(f"bad setting: {error}") from None
    settings.check()
    return settings


def settings_in(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings among the variables, and of the files that they name. Raises BadSetting for every SELLDESK_* that means nothing:
    a misspelt one would be a default that nobody notices."""
    values: dict[str, str] = {}
    for variable in sorted(name for name in environment if name.startswith("SELLDESK_")):
        if _is_of_others(variable, environment[variable]):
            continue
        name, text = _setting(variable, environment[variable])
        if name in values:
            both = f"SELLDESK_{name.upper()}"
            raise BadSetting(f"{both} and {both}_FILE are both set: which of them counts?")
        values[name] = text
    return values


def _is_of_others(variable: str, text: str) -> bool:
    """Not a setting, and no mistake either."""
    if _OF_KUBERNETES.fullmatch(variable) or (variable == "SELLDESK_PORT" and text.startswith("tcp://")):
        logger.warning("%s is ignored: Kubernetes sets it for a service of that name (enableServiceLinks: false ends it)", variable)
        return True
    return variable in _OTHER_VARIABLES or _OF_TESTS.fullmatch(variable) is not None


def _setting(variable: str, text: str) -> tuple[str, str]:
    """Name and text of a setting, from the file that is named if it is one. Raises BadSetting."""
    name = variable.removeprefix("SELLDESK_").lower()
    if name in _NAMES and variable == f"SELLDESK_{name.upper()}":
        return name, text
    if name.endswith("_file") and name.removesuffix("_file") in FROM_FILES:
        return name.removesuffix("_file"), _secret_file(variable, Path(text))
    known = [*(f"SELLDESK_{one.upper()}" for one in _NAMES), *(f"SELLDESK_{one.upper()}_FILE" for one in FROM_FILES)]
    raise BadSetting(f"unknown setting {variable}{_did_you_mean(variable, [*known, *_OTHER_VARIABLES])}")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f": did you mean {close[0]}?" if close else " (selldesk check lists them all)"


def _secret_file(variable: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{variable}: {path}: {error}") from None
    if text.startswith("\ufeff"):
        raise BadSetting(f"{variable}: {path} begins with a byte order mark: save it as UTF-8 without one")
    return text.rstrip("\r\n")


def _check_url(name: str, url: str) -> None:
    """Raises BadSetting. An empty public_url is none."""
    if name == "public_url" and not url:
        return
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_url = False
    if not is_url or parts.query or parts.fragment or any(character.isspace() for character in url):
        raise BadSetting(f"bad setting: {name} {url!r}: expected http://host or https://host, with a port where it needs one")
    if "@" in parts.netloc:
        raise BadSetting(f"bad setting: {name}: a user name or password has no place in it")


def parse_window(text: str) -> Window:
    """`tue 13:00-17:15 America/Los_Angeles`. Raises BadSetting."""
    found = _WINDOW.fullmatch(text.strip().lower())
    try:
        if found is None:
            raise ValueError("write for example: tue 13:00-17:15 America/Los_Angeles")
        day, *clock = found.groups()[:5]
        from_hour, from_minute, to_hour, to_minute = map(int, clock)
        if not (from_hour, from_minute) < (to_hour, to_minute) < (24, 0) or from_minute > 59 or to_minute > 59:
            raise ValueError("the window must begin before it ends, on one day")
        zone = text.split()[-1]
        ZoneInfo(zone)
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        raise BadSetting(f"bad setting: maintenance_window {text!r}: {error}") from None
    return Window(_DAYS.index(day), from_hour * 60 + from_minute, to_hour * 60 + to_minute, zone)


def _us(seconds: float) -> int:
    return int(seconds * SECOND_US)
