"""The facts of `history`: past transactions, newest first. Every user may read them.

Transactions in a row that defer the same commit, or fail in the same way, are one entry with a
count, so that they do not hide older ones.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from autoupdate.model.paths import AppPaths
from autoupdate.model.steps import Result
from autoupdate.records.records import Records
from autoupdate.records.rows import Transaction

AT_ONCE = 100
REPEATED = (Result.DEFERRED, Result.FAILED, Result.UNREACHABLE, Result.INTERRUPTED)


def history(
    paths: AppPaths, limit: int, results: Sequence[str] = (), since: str = ""
) -> list[dict[str, Any]]:
    """Return at most `limit` past transactions.

    `results`: only those with one of these results; empty for all. `since`: only those that began
    then or later; RFC 3339 in UTC, empty for all.
    """
    if not os.path.exists(paths.state):
        return []
    records = Records(paths.state, read_only=True)
    found: list[dict[str, Any]] = []
    for transaction in all_transactions(records):
        if transaction.started_at < since:
            break
        if results and transaction.result not in results:
            continue
        if found and is_the_same_again(found[-1], transaction):
            found[-1]["times"] += 1
            found[-1]["first_started_at"] = transaction.started_at
            continue
        if len(found) == limit:
            break
        found.append(entry(transaction))
    records.close()
    return found


def all_transactions(records: Records) -> Iterator[Transaction]:
    """Yield every transaction, newest first."""
    some = records.history(AT_ONCE)
    while some:
        yield from some
        some = records.history(AT_ONCE, some[-1].id)


def is_the_same_again(shown: dict[str, Any], transaction: Transaction) -> bool:
    """Return whether a transaction ended like the next newer one, with the same commit.

    The reason of a deferral is not compared: it may name the time that is left.
    """
    keys = ["commit", "result", "step"]
    if transaction.result != Result.DEFERRED:
        keys.append("reason")
    same = all(shown[key] == getattr(transaction, key) for key in keys)
    return same and transaction.result in REPEATED


def entry(transaction: Transaction) -> dict[str, Any]:
    """Return one transaction as `history` shows it; an unfinished one has no result."""
    shown = transaction._asdict()
    shown["services"] = transaction.services.split()
    shown["finished_at"] = transaction.finished_at or None
    shown["result"] = transaction.result or None
    shown["times"] = 1
    shown["first_started_at"] = transaction.started_at
    return shown
