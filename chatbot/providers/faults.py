"""What can go wrong with a provider, and what whoever asked is told about it.

    ProviderFault
    ├── NoCredit              no_credit
    ├── KeyRefused            key_refused
    ├── NotUnderstood         not_understood
    ├── Overloaded            overloaded      tried again, the circuit counts it
    ├── ProviderUnavailable   unavailable     tried again where nothing was sent or it said so, counts
    ├── TimedOut              timed_out       counts
    ├── StreamInterrupted     cut             counts
    ├── Broken                broken          counts
    └── CircuitOpen           resting         the circuit is open

What a provider itself says about a fault is shown to nobody and logged nowhere: it may
quote keys and questions.
"""


class ProviderFault(Exception):
    """`again` allows another try before the first byte, `counts` brings the circuit nearer."""

    code = "broken"
    again = False
    counts = False
    message = "The AI provider sent something I cannot read."

    def __init__(self, *, again: bool | None = None) -> None:
        super().__init__(self.code)
        if again is not None:
            self.again = again


class NoCredit(ProviderFault):
    code = "no_credit"
    message = "The AI provider has no credit left. Whoever runs this server can add some."


class KeyRefused(ProviderFault):
    code = "key_refused"
    message = "The AI provider does not accept this server's key. Tell whoever runs this server."


class NotUnderstood(ProviderFault):
    code = "not_understood"
    message = "The AI provider does not know this model. Tell whoever runs this server."


class Overloaded(ProviderFault):
    code = "overloaded"
    again = True
    counts = True
    message = "The AI provider has too much to do. Ask me again in a minute."


class ProviderUnavailable(ProviderFault):
    code = "unavailable"
    again = True
    counts = True
    message = "The AI provider cannot be reached. Ask me again in a while."


class TimedOut(ProviderFault):
    code = "timed_out"
    counts = True
    message = "The AI provider took too long. Ask me again in a while."


class StreamInterrupted(ProviderFault):
    code = "cut"
    counts = True
    message = "The connection to the AI provider broke. Ask me again."


class Broken(ProviderFault):
    code = "broken"
    counts = True


class CircuitOpen(ProviderFault):
    code = "resting"
    message = "The AI provider has failed several times. I leave it alone for half a minute."


def fault_of_status(status: int) -> ProviderFault:
    """What an answer other than 200 means. Redirects are not followed: the key would go along."""
    if status == 402:
        return NoCredit()
    if status in {401, 403}:
        return KeyRefused()
    if status == 429:
        return Overloaded()
    if 400 <= status < 500:
        return NotUnderstood()
    if status >= 500:
        return ProviderUnavailable()
    return Broken()
