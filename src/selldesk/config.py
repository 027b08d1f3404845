"""Settings: flags, then SELLDESK_* variables, then a TOML file, then the defaults (contract C7)."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from selldesk.api.limits import RateLimits
from selldesk.bots.agenda import Pace
from selldesk.desk.work import DeskSettings
from selldesk.kernel.times import SECOND_US
from selldesk.steam.session import SteamUrls
from selldesk.trades.rules import Rules

Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Port = Annotated[int, Meta(ge=0, le=65_535)]


class BadSetting(Exception):
    """One clear line about what is wrong with the settings."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every setting, by the name that the TOML file uses; the variable is SELLDESK_<NAME>. Durations in seconds."""

    database_url: str = "sqlite:///var/selldesk.db"
    secret_key: str = ""
    """Signs quotes and seals secrets at rest: at least 32 characters. Losing it loses the bots' secrets."""
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

    poll_seconds: Seconds = 5
    idle_poll_seconds: Seconds = 45
    sweep_seconds: Seconds = 60
    send_gap_seconds: Seconds = 1
    full_sweep_seconds: Seconds = 120

    batch_max: Annotated[int, Meta(ge=1, le=1000)] = 64
    fast_calls_per_second: Annotated[int, Meta(ge=1)] = 1_000
    other_calls_per_second: Annotated[int, Meta(ge=1)] = 200
    rate_limits_enforced: bool = True

    def rules(self) -> Rules:
        return Rules(
            offer_out_within_us=_us(self.offer_out_within_seconds),
            offer_open_for_us=_us(self.offer_open_for_seconds),
            settlement_margin_us=_us(self.settlement_margin_seconds),
            dateless_protection_us=_us(self.dateless_protection_seconds),
            second_reading_after_us=_us(self.second_reading_after_seconds),
            reconcile_spread_us=_us(self.reconcile_spread_seconds),
            reconcile_last_after_us=_us(self.reconcile_last_after_seconds),
        )

    def pace(self) -> Pace:
        return Pace(
            poll_us=_us(self.poll_seconds),
            idle_poll_us=_us(self.idle_poll_seconds),
            sweep_us=_us(self.sweep_seconds),
            send_gap_us=_us(self.send_gap_seconds),
            full_sweep_us=_us(self.full_sweep_seconds),
        )

    def desk(self) -> DeskSettings:
        return DeskSettings(self.rules(), self.fee_basis_points, self.batch_max)

    def rate_limits(self) -> RateLimits:
        return RateLimits(self.fast_calls_per_second, self.other_calls_per_second, self.rate_limits_enforced)

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


def load_settings(flags: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises BadSetting, which names the setting and where it came from."""
    values: dict[str, Any] = {}
    names = {field.name for field in msgspec.structs.fields(Settings)}
    if file is not None:
        try:
            values.update(tomllib.loads(file.read_text()))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadSetting(f"{file}: {error}") from None
    for name in names:
        text = environment.get(f"SELLDESK_{name.upper()}")
        if text is not None:
            values[name] = text
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSetting(f"bad setting: {error}") from None


def _us(seconds: float) -> int:
    return int(seconds * SECOND_US)
