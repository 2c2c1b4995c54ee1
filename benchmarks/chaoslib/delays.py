"""How long an acked message took to a device that was live all the time in between."""

from __future__ import annotations

from collections.abc import Sequence

from tests.kit.event_log import Journal


def delivery_delays(journals: Sequence[Journal]) -> list[float]:
    """Seconds, the shortest first; zero where the event came before the ack."""
    acked_at = {place: at for journal in journals for place, at in journal.acked_at.items()}
    return sorted(
        max(0.0, applied_at - acked_at[place])
        for journal in journals
        for place, (applied_at, live_since) in journal.applied_at.items()
        if place in acked_at and live_since is not None and live_since <= acked_at[place]
    )
