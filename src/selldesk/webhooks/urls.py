"""What is taken as an endpoint's URL (people P3)."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

URL_CHARS_MAX = 2_048
_NO_NAMES = (".local", ".internal", ".localhost", ".home.arpa")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_HTTPS_PORT, _FREE_PORTS_FROM = 443, 1_024


def why_not(url: str, allow_private: bool) -> str | None:
    """What is wrong with it; None: nothing. `allow_private`: http, addresses instead of names, and names of the house are taken too (for
    the sandbox and for receivers on the operator's own network)."""
    if len(url) > URL_CHARS_MAX:
        return f"is longer than {URL_CHARS_MAX} characters"
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        return "holds spaces, control characters or characters beyond ASCII"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no URL"
    return _fault_of_form(url, parts) or (_fault_of_private(parts) if allow_private else _fault_of_public(parts, port))


def _fault_of_form(url: str, parts: SplitResult) -> str | None:
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return "must begin with https:// and name a host"
    if "@" in parts.netloc:
        return "must name no user or password"
    if "#" in url:
        return "must have no fragment"
    return "holds a backslash" if "\\" in url else None


def _fault_of_private(parts: SplitResult) -> str | None:
    return "must name a port from 1 to 65535" if parts.port == 0 else None


def _fault_of_public(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme != "https":
        return "must begin with https://"
    if port is not None and port != _HTTPS_PORT and port < _FREE_PORTS_FROM:
        return f"must use port {_HTTPS_PORT}, or one from {_FREE_PORTS_FROM} on"
    host = (parts.hostname or "").removesuffix(".")
    if _is_address(host):
        return "must name a host, not an address"
    labels = host.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        return "must name a host with a dot in its name"
    return "names a host of a private network" if any(f".{host}".endswith(name) for name in _NO_NAMES) else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
