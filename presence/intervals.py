"""How long things take: all in proportion to a lease, so that one setting shortens them."""

from django.conf import settings


def lease_seconds() -> float:
    """How long a socket counts without a sign of life from its process: 60."""
    return float(settings.PRESENCE_LEASE_SECONDS)


def renew_seconds() -> float:
    """How often a process renews the leases of its sockets: 20."""
    return lease_seconds() / 3


def check_seconds() -> float:
    """How often a process compares what its users were told with what is so: 30."""
    return lease_seconds() / 2


def grace_seconds() -> float:
    """How long a closed socket still counts, so that a reload is no flicker: 5."""
    return lease_seconds() / 12


def sweep_seconds() -> float:
    """How often a process looks whose leases have run out: 1."""
    return lease_seconds() / 60


def settled_seconds() -> float:
    """By then all processes have renewed their leases in a store that was empty: 25."""
    return renew_seconds() + grace_seconds()
