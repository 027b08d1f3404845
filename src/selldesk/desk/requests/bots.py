"""Adding and changing bots. Secrets are sealed before they leave this process."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from selldesk.catalog.games import GAMES, is_supported
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.refusals import bad_body
from selldesk.kernel.secretbox import CannotOpen, SecretBox, secrets_place, tokens_place
from selldesk.kernel.shapes import ShortText, SteamId64
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.steamwire.guard import is_secret
from selldesk.store.rows import BotRow
from selldesk.store.store import Reader


class BotRequest(msgspec.Struct):
    """maFile-style. Secrets go in and never come out."""

    account_name: Annotated[str, Meta(min_length=1, max_length=64)]
    shared_secret: Annotated[str, Meta(min_length=1, max_length=128)]
    identity_secret: Annotated[str, Meta(min_length=1, max_length=128)]
    steamid: SteamId64
    password: Annotated[str, Meta(max_length=256)] | None = None
    refresh_token: Annotated[str, Meta(max_length=4096)] | None = None
    profile_name: ShortText | None = None
    avatar: ShortText | None = None
    games: Annotated[list[int], Meta(min_length=1)] | None = None
    max_live_offers: Annotated[int, Meta(ge=1, le=1000)] = 30
    max_offers_per_seller: Annotated[int, Meta(ge=1, le=1000)] = 5
    max_items: Annotated[int, Meta(ge=1, le=10_000_000)] = 1000


class BotChange(msgspec.Struct, forbid_unknown_fields=True):
    enabled: bool | None = None
    profile_name: ShortText | None = None
    avatar: ShortText | None = None
    games: Annotated[list[int], Meta(min_length=1)] | UnsetType | None = UNSET
    """null: all games."""
    max_live_offers: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_offers_per_seller: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_items: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None


class BotSecrets(msgspec.Struct, forbid_unknown_fields=True):
    """What of a bot's secrets has changed; the rest stays. Secrets go in and never come out."""

    password: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    shared_secret: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    identity_secret: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    refresh_token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


def check_secret(name: str, value: str | None) -> None:
    if value is not None and not is_secret(value):
        raise bad_body(f"$.{name}", "not base64 of 20 bytes")


def check_games(games: list[int] | None) -> None:
    if games is not None and not all(is_supported(game) for game in games):
        raise bad_body("$.games", "expected only these games: " + ", ".join(map(str, GAMES)))


def secrets_command(
    box: SecretBox, operator: str, reader: Reader, number: int, given: dict[str, str]
) -> commands.ReplaceBotSecrets:
    """The command that changes some of a bot's secrets. Refuses BOT_SECRETS_UNREADABLE: those that stay were sealed with another key."""
    (record,) = reader.fetch_as(BotRow, "bot_record", number=number)
    refresh_token = given.pop("refresh_token", None)
    place, tokens_at = secrets_place(record.steamid64), tokens_place(record.steamid64)
    tokens = box.seal(msgspec.json.encode(Tokens(refresh_token, "")), tokens_at) if refresh_token else None
    if _opens(box, record.secrets, place):
        known = msgspec.json.decode(box.open(record.secrets, place), type=Credentials)
    elif {"shared_secret", "identity_secret"} <= given.keys() and ("password" in given or tokens is not None):
        known = Credentials(record.account_name, None, "", "", record.steamid64)
    else:
        raise refusals.BOT_SECRETS_UNREADABLE()
    changed = msgspec.structs.replace(known, **given)
    forgets_tokens = record.tokens is not None and not _opens(box, record.tokens, tokens_at)
    return commands.ReplaceBotSecrets(
        operator=operator,
        number=number,
        secrets=box.seal(msgspec.json.encode(changed), place),
        tokens=tokens,
        forgets_tokens=forgets_tokens,
    )


def _opens(box: SecretBox, sealed: bytes, place: str) -> bool:
    try:
        box.open(sealed, place)
    except CannotOpen:
        return False
    return True


def bot_command(box: SecretBox, operator: str, request: BotRequest) -> commands.AddBot:
    """The command that adds a bot; its secrets are sealed before they leave this process."""
    credentials = Credentials(
        request.account_name, request.password, request.shared_secret, request.identity_secret, request.steamid
    )
    tokens = None
    if request.refresh_token:
        tokens = box.seal(msgspec.json.encode(Tokens(request.refresh_token, "")), tokens_place(request.steamid))
    secrets = box.seal(msgspec.json.encode(credentials), secrets_place(request.steamid))
    return commands.AddBot(
        operator=operator, steamid64=request.steamid, account_name=request.account_name, secrets=secrets, tokens=tokens, profile_name=request.profile_name, avatar=request.avatar, games=request.games, live_offers_max=request.max_live_offers, seller_offers_max=request.max_offers_per_seller, items_max=request.max_items,
    )  # fmt: skip
