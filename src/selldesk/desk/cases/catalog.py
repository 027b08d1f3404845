"""Item names."""

from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.desk.operator_log import log
from selldesk.store.rows import ItemRow


def import_items(command: commands.ImportItems, batch: Batch) -> commands.ItemsImported:
    """New names get numbers, known ones their new reference price; nothing is ever removed."""
    asked = [(command.game, name) for name, _ in command.items]
    known = {item.name: item for item in batch.store.load_as(ItemRow, "load_items", asked)}
    number = int(batch.store.value("last_item"))
    rows, created, updated = [], 0, 0
    for name, price in dict(command.items).items():
        if name not in known:
            number += 1
            created += 1
            rows.append((number, command.game, name, price))
            batch.feed.items.append((number, command.game, name))
        elif price is not None and known[name].price != price:
            updated += 1
            rows.append((known[name].number, command.game, name, price))
    batch.store.write("put_items", rows)
    if rows:
        log(batch, command.operator, "catalog.import", str(command.game), {"created": created, "updated": updated})
    return commands.ItemsImported(created=created, updated=updated, unchanged=len(known) - updated)
