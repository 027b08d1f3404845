"""An account's secrets and its tokens, as they are sealed and kept."""

import msgspec


class Credentials(msgspec.Struct, frozen=True):
    account_name: str
    password: str | None
    shared_secret: str
    identity_secret: str
    steamid64: str


class Tokens(msgspec.Struct, frozen=True):
    refresh: str
    access: str
