"""How long an acked message took to reach a device that was live all the while."""

from __future__ import annotations

from collections.abc import Sequence

from tests.kit.event_log import Journal


def delivery_delays(journals: Sequence[Journal]) -> list[float]:
    """Seconds, in ascending order; zero where the event arrived before the ack."""
    acked_at = {key: at for journal in journals for key, at in journal.acked_at.items()}
    return sorted(
        max(0.0, applied_at - acked_at[key])
        for journal in journals
        for key, (applied_at, live_since) in journal.applied_at.items()
        if key in acked_at and live_since is not None and live_since <= acked_at[key]
    )
