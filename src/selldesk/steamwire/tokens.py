"""Steam's tokens are JWTs. Clients read their claims; only Steam can check the signature."""

import base64
import json
from typing import Any


def encode_part(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def claims(token: str) -> dict[str, Any]:
    """The claims of a token (sub, exp, iat, aud …), unverified. Raises ValueError."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("a JWT has three parts")
    decoded = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if not isinstance(decoded, dict):
        raise ValueError("a JWT carries an object")
    return decoded


def expires_at_seconds(token: str) -> int:
    """`exp` of a token. Raises ValueError."""
    value = claims(token).get("exp")
    if not isinstance(value, int):
        raise ValueError("a JWT without exp")
    return value
