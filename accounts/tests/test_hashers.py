"""Many logins at once hash only a few at a time."""

from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import check_password, identify_hasher, make_password

from accounts import hashers


def test_parallel_hashes_all_come_out_right_and_give_their_turns_back() -> None:
    with ThreadPoolExecutor(6) as threads:
        encoded = list(threads.map(make_password, [f"secret {n}" for n in range(6)]))
        checks = list(threads.map(check_password, [f"secret {n}" for n in range(6)], encoded))
    assert checks == [True] * 6
    assert isinstance(identify_hasher(encoded[0]), hashers.BoundedArgon2Hasher)
    assert (hashers.hashing._free, hashers.hashing._length) == (hashers._AT_ONCE, 0)
