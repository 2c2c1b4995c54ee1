"""What a refusal of Redis means: whether it is merely away, or something is wrong with us."""

from redis.exceptions import RedisError


def is_away(error: BaseException) -> bool:
    """Whether Redis did not answer, or refused; all else nobody has foreseen."""
    # TimeoutError is an OSError.
    return isinstance(error, RedisError | OSError)
