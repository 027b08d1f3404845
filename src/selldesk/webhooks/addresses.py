"""To which addresses events may be sent (people P3). Judged at each connect, on the very address that the socket will take."""

import ipaddress

_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "::/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "fec0::/10",
        ),
    )
)
"""Ways around: IPv4 written as IPv6, translated and tunnelled, and what Python 3.11 calls global and is not."""


def may_be_reached(address: str) -> bool:
    """Global, unicast, and no detour to what is not. `::ffff:0:0/96` is judged as its IPv4. What is no address is refused."""
    try:
        one = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(one, ipaddress.IPv6Address) and one.ipv4_mapped is not None:
        one = one.ipv4_mapped
    if not one.is_global or one.is_multicast:
        return False
    return not any(one.version == network.version and one in network for network in _NEVER)
