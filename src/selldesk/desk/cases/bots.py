"""Bots: their records, secrets and health."""

from typing import Any

from selldesk.alerts.kinds import Closes, closing
from selldesk.bots.leases import WorkerProcess, alive_workers
from selldesk.bots.rooms import BotState, in_quarantine
from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.desk.operator_log import log
from selldesk.desk.rows import as_json
from selldesk.kernel import refusals
from selldesk.kernel.processes import is_gone
from selldesk.kernel.secretbox import SEAL_FORMAT, SEAL_MARK
from selldesk.store.rows import BotRow


def add_bot(command: commands.AddBot, batch: Batch) -> commands.BotReply:
    """Refuses BOT_EXISTS. Its worker logs it in; until then it takes no trades."""
    if batch.store.fetch("bot_by_identity", steamid64=command.steamid64, account_name=command.account_name):
        raise refusals.BOT_EXISTS()
    number = int(batch.store.value("last_bot")) + 1
    batch.store.execute(
        "add_bot",
        number=number,
        steamid64=command.steamid64,
        account_name=command.account_name,
        profile_name=command.profile_name,
        avatar=command.avatar,
        games=as_json(command.games),
        live_offers_max=command.live_offers_max,
        seller_offers_max=command.seller_offers_max,
        items_max=command.items_max,
        secrets=command.secrets,
        tokens=command.tokens,
        created_at=batch.now,
    )
    log(batch, command.operator, "bot.add", command.steamid64, {"account_name": command.account_name})
    batch.feed.bots.append(number)
    return commands.BotReply(number=number)


def replace_bot_secrets(command: commands.ReplaceBotSecrets, batch: Batch) -> commands.BotReply:
    """Refuses BOT_NOT_FOUND. Its worker takes the new ones at its next step, and tries to log in at once."""
    bot = _bot_record(command.number, batch)
    tokens = bot["tokens"] if command.tokens is None and not command.forgets_tokens else command.tokens
    batch.store.execute("change_bot_secrets", number=command.number, secrets=command.secrets, tokens=tokens)
    log(batch, command.operator, "bot.secrets", bot["steamid64"], {})
    batch.feed.bots.append(command.number)
    return commands.BotReply(number=command.number)


def reseal(command: commands.Reseal, batch: Batch) -> commands.Done:
    """Refuses BOT_NOT_FOUND, and OLDER_RELEASE while a process of a release that can't read such seals works for bots."""
    store = batch.store
    records = {bot.number: _bot_record(bot.number, batch) for bot in command.bots}
    if command.begins:
        workers = [WorkerProcess(*row) for row in store.fetch("all_workers")]
        alive = alive_workers(workers, is_gone, batch.lease_us)
        older = [worker.name for worker in workers if worker.name in alive and (worker.seal_format or 1) < int(SEAL_FORMAT)]
        if older:
            raise refusals.OLDER_RELEASE(details=[{"path": "worker", "message": name} for name in older])
        store.execute("set_mark", name=SEAL_MARK, value=SEAL_FORMAT)
        log(batch, command.operator, "secrets.reseal", "store", {})
    for bot in command.bots:
        known = records[bot.number]
        if (known["secrets"], known["tokens"]) == (bot.old_secrets, bot.old_tokens):
            store.execute("change_bot_secrets", number=bot.number, secrets=bot.secrets, tokens=bot.tokens)
            batch.feed.bots.append(bot.number)
    if command.links:
        store.write("reseal_links", command.links)
    batch.wrote_directly = True
    return commands.Done()


def change_bot(command: commands.ChangeBot, batch: Batch) -> commands.BotReply:
    """Refuses BOT_NOT_FOUND. A disabled bot gets no new trades, but finishes and settles its own. Enabling a bot also ends its
    quarantine and what its full inventory blocked."""
    bot = _bot_record(command.number, batch)
    bot["games"] = None if command.all_games else bot["games"] if command.games is None else as_json(command.games)
    for name in ("profile_name", "avatar", "live_offers_max", "seller_offers_max", "items_max"):
        if getattr(command, name) is not None:
            bot[name] = getattr(command, name)
    if command.enabled is not None:
        bot["enabled"] = int(command.enabled)
    if command.enabled:
        batch.store.execute("drop_blocks", bot=command.number)
        if bot["state"] in (BotState.QUARANTINED, BotState.RESTRICTED):
            reason = "Enabled by an operator; waiting for the next good call"
            batch.store.execute(
                "change_bot_state",
                number=command.number,
                state=BotState.NEEDS_LOGIN.value,
                state_reason=reason,
                state_since=batch.now,
            )
    names = (
        "profile_name",
        "avatar",
        "games",
        "enabled",
        "live_offers_max",
        "seller_offers_max",
        "items_max",
        "number",
    )
    changed = {name: bot[name] for name in names}
    batch.store.execute("change_bot", **changed)
    log(batch, command.operator, "bot.change", bot["steamid64"], changed)
    batch.feed.bots.append(command.number)
    return commands.BotReply(number=command.number)


def report_bot(command: commands.BotReport, batch: Batch) -> commands.Done:
    """A worker's word about its bot. New tokens are on record before they are used (protocol §7)."""
    bot = _bot_record(command.bot, batch)
    until = batch.now + batch.settings.rules.restricted_us if command.state == BotState.RESTRICTED else None
    if command.tokens is not None:
        batch.store.execute("change_bot_tokens", number=command.bot, tokens=command.tokens)
    if (
        command.state is not None
        and (command.state, command.reason) != (bot["state"], bot["state_reason"])
        and not in_quarantine(bot["state"], bot["quarantined_until"], batch.now)
    ):
        since = batch.now if command.state != bot["state"] else bot["state_since"]
        batch.store.execute(
            "change_bot_state",
            number=command.bot,
            state=BotState(command.state).value,
            state_reason=command.reason,
            state_since=since,
        )
        if until is not None:
            batch.store.execute("restrict_bot", number=command.bot, until=until)
            text = f"Steam refuses its offers whoever the partner is: {command.reason}"
            batch.alert("bot_restricted", text, command.bot, None)
        if command.state == BotState.OK:
            for kind in closing(Closes.BOT_OK):
                batch.close_alerts(kind, command.bot, "The bot is well again")
    batch.wrote_directly = True
    return commands.Done()


def _bot_record(number: int, batch: Batch) -> dict[str, Any]:
    found = batch.store.fetch_as(BotRow, "bot_record", number=number)
    if not found:
        raise refusals.BOT_NOT_FOUND()
    return found[0]._asdict()
