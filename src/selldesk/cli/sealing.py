"""`selldesk reseal`: every stored secret under today's key and today's kind of seal."""

from selldesk.cli.app import app
from selldesk.cli.exits import Refused
from selldesk.cli.shell import OPERATOR, ConfigFile, DatabaseUrl, inline_desk, settings_of
from selldesk.desk import commands
from selldesk.kernel.secretbox import SEAL_FORMAT, CannotOpen, SecretBox, endpoint_place, link_place, secrets_place, tokens_place
from selldesk.store.rows import BotRow, EndpointRow, LinkRow

_LINKS_AT_ONCE = 1_000


@app.command()
def reseal(config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Seals bots' secrets, trade links and webhook secrets anew with SELLDESK_SECRET_KEY, each bound to its row. Run it after a change of the key
    (the former one in SELLDESK_SECRET_KEY_OLD) and once after an upgrade, when no process of the earlier release is left. The market
    may go on meanwhile; a second run does what a first one left."""
    settings = settings_of(config, database_url=database_url)
    box = settings.box(SEAL_FORMAT)
    desk = inline_desk(settings)
    desk.ask(commands.Reseal(operator=OPERATOR, begins=True, bots=[], links=[]))
    unreadable: list[str] = []
    bots = 0
    for record in desk.store.fetch_as(BotRow, "all_bot_records"):
        try:
            resealed = _bot(box, record)
        except CannotOpen:
            unreadable.append(f"bot {record.steamid64}")
            continue
        if resealed is not None:
            desk.ask(commands.Reseal(operator=OPERATOR, begins=False, bots=[resealed], links=[]))
            bots += 1
    links = 0
    after = ""
    while page := desk.store.fetch_as(LinkRow, "links_page", after=after, most=_LINKS_AT_ONCE):
        after = page[-1].trade_id
        changed: list[tuple[str, str, str]] = []
        for trade_id, stored in page:
            if box.is_current_link(stored):
                continue
            try:
                changed.append((trade_id, stored, box.seal_link(box.open_link(stored, link_place(trade_id)), link_place(trade_id))))
            except CannotOpen:
                unreadable.append(f"trade {trade_id}")
        if changed:
            desk.ask(commands.Reseal(operator=OPERATOR, begins=False, bots=[], links=changed))
            links += len(changed)
    endpoints = 0
    for endpoint in desk.store.fetch_as(EndpointRow, "all_endpoints"):
        try:
            changed_one = _endpoint(box, endpoint)
        except CannotOpen:
            unreadable.append(f"endpoint {endpoint.id}")
            continue
        if changed_one is not None:
            desk.ask(changed_one)
            endpoints += 1
    print(f"{bots} bots, {links} trade links and {endpoints} webhook secrets sealed anew")
    if unreadable:
        raise Refused(
            f"{len(unreadable)} can't be opened with SELLDESK_SECRET_KEY nor SELLDESK_SECRET_KEY_OLD and stay as they are: "
            + ", ".join(unreadable[:10])
        )


def _endpoint(box: SecretBox, record: EndpointRow) -> commands.ResealEndpoint | None:
    """None: nothing to do. Raises CannotOpen."""
    place, old = endpoint_place(record.id), record.old_secret
    if box.is_current(record.secret) and (old is None or box.is_current(old)):
        return None
    new = box.seal(box.open(record.secret, place), place)
    new_old = None if old is None else box.seal(box.open(old, place), place)
    return commands.ResealEndpoint(id=record.id, old=(record.secret, old), new=(new, new_old))


def _bot(box: SecretBox, record: BotRow) -> commands.ResealedBot | None:
    """None: nothing to do. Raises CannotOpen."""
    secrets, tokens, steamid64 = record.secrets, record.tokens, record.steamid64
    if box.is_current(secrets) and (tokens is None or box.is_current(tokens)):
        return None
    new = box.seal(box.open(secrets, secrets_place(steamid64)), secrets_place(steamid64))
    new_tokens = None if tokens is None else box.seal(box.open(tokens, tokens_place(steamid64)), tokens_place(steamid64))
    return commands.ResealedBot(record.number, secrets, tokens, new, new_tokens)
