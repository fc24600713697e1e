"""The password factor: what is stored, what is verified, and the equal work for known and unknown accounts."""

import os
import subprocess
import sys
from threading import Event, Thread

import pytest
from argon2 import PasswordHasher, Type
from argon2.low_level import hash_secret
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.passwords import Verified, Wrong, normalise
from gatepost.errors import Busy
from gatepost.factors.password import OWASP, STRONG, PasswordFactor, Profile

TINY = Profile("tiny", memory_kib=8, time_cost=1)


def factor(profile: Profile = TINY, *, slots: int = 2, queue: int = 8, wait: float = 10.0) -> PasswordFactor:
    """A factor that hashes quickly."""
    return PasswordFactor(profile, slots=slots, queue=queue, wait=wait)


TINY_FACTOR = factor()
# A fixed salt, so that the names of the tests made from it are the same in every process.
STORED = hash_secret(b"quiet river stone", b"s" * 16, 1, 8, 1, 32, Type.ID).decode()


def test_a_password_is_stored_as_argon2id_with_the_profiles_numbers() -> None:
    """The hash is in PHC form, says which profile made it, and does not hold the password."""
    stored = factor().hash(b"quiet river stone")
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert "river" not in stored


def test_the_same_password_is_never_stored_as_the_same_text() -> None:
    """Every hash has its own random salt."""
    made = factor()
    assert made.hash(b"quiet river stone") != made.hash(b"quiet river stone")


def test_the_right_password_is_verified_and_a_wrong_one_is_wrong() -> None:
    """The two outcomes."""
    assert TINY_FACTOR.verify(STORED, b"quiet river stone") == Verified(needs_rehash=False)
    assert TINY_FACTOR.verify(STORED, b"quiet river stones") == Wrong()


@pytest.mark.parametrize(
    ("chosen", "tried"),
    [
        ("Pass ", "Pass"),
        ("pass", "PASS"),
        ("one\x00two", "one\x00three"),
        ("one\x00two", "one"),
        ("x" * 72 + "1", "x" * 72 + "2"),
        ("x" * 199 + "1", "x" * 199 + "2"),
        ("x" * 1023 + "1", "x" * 1023 + "2"),
        ("x" * 64, "x" * 63),
    ],
)
def test_every_byte_of_a_password_matters(chosen: str, tried: str) -> None:
    """Nothing is trimmed, folded or cut off, at 72 bytes or at a NUL or anywhere else."""
    made = factor()
    stored = made.hash(normalise(chosen))
    assert made.verify(stored, normalise(chosen)) == Verified(needs_rehash=False)
    assert made.verify(stored, normalise(tried)) == Wrong()


def test_hashes_are_what_other_argon2_software_reads_and_writes() -> None:
    """argon2-cffi's own interface verifies ours, and ours verifies its default profile, to be rehashed."""
    theirs = PasswordHasher(memory_cost=64, time_cost=1, parallelism=4)
    assert theirs.verify(STORED, b"quiet river stone")
    assert TINY_FACTOR.verify(theirs.hash(b"imported"), b"imported") == Verified(needs_rehash=True)


@pytest.mark.parametrize(
    "stored",
    [
        hash_secret(b"quiet river stone", b"s" * 16, 1, 16, 1, 32, Type.ID).decode(),
        hash_secret(b"quiet river stone", b"s" * 16, 1, 8, 1, 32, Type.I).decode(),
        hash_secret(b"quiet river stone", b"s" * 16, 1, 8, 1, 32, Type.ID, version=16).decode(),
        hash_secret(b"quiet river stone", b"s" * 16, 2, 8, 1, 32, Type.ID).decode(),
    ],
)
def test_a_hash_of_another_profile_is_verified_and_asks_to_be_renewed(stored: str) -> None:
    """Other memory, passes, variant or version: the right password passes and the caller is told to rehash."""
    assert TINY_FACTOR.verify(stored, b"quiet river stone") == Verified(needs_rehash=True)
    assert TINY_FACTOR.verify(stored, b"something else") == Wrong()


@pytest.mark.parametrize(
    "stored",
    [
        None,
        STORED,
        "",
        "quiet river stone",
        "$2b$12$abcdefghijklmnopqrstuv",
        STORED.replace("argon2id", "argon2x"),
        STORED.replace("m=8", "m=999999999"),
        STORED.replace("m=8", "m=262145"),
        STORED.replace("t=1", "t=33"),
        STORED.replace("p=1", "p=17"),
        STORED.replace("p=1", "p=2"),
        STORED.replace("m=8", "m=\u0668"),
        STORED[:-1],
        STORED + "\n",
        STORED + "$",
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAB$" + "A" * 43,
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAA$" + "A" * 43,
    ],
)
def test_each_verification_computes_argon2_exactly_once(stored: str | None) -> None:
    """A known account, an unknown one and a damaged row cost one computation each, and a wrong password is Wrong."""
    made = factor()
    assert made.hashes_done == 0
    assert made.verify(stored, b"something else") == Wrong()
    assert made.hashes_done == 1


def test_the_right_password_costs_as_many_computations_as_a_wrong_one() -> None:
    """One for verifying, one for making, none for starting."""
    made = factor()
    assert made.verify(STORED, b"quiet river stone") == Verified(needs_rehash=False)
    assert made.hashes_done == 1
    made.hash(b"quiet river stone")
    assert made.hashes_done == 2


def test_no_password_opens_an_account_that_does_not_exist() -> None:
    """Whatever is tried against nothing is Wrong, the empty password included."""
    for tried in (b"", b"\x00" * 32, b"password", STORED.encode()):
        assert TINY_FACTOR.verify(None, tried) == Wrong()


def test_damaged_hashes_are_counted_and_unknown_accounts_are_not() -> None:
    """The operator sees how many rows could not be read; a stranger sees nothing."""
    made = factor()
    made.verify(None, b"x")
    made.verify(STORED, b"x")
    assert made.unreadable_hashes == 0
    made.verify("damaged", b"x")
    assert made.unreadable_hashes == 1


@given(st.integers(0, len(STORED) - 1), st.characters(codec="utf-8"))
@settings(max_examples=300)
def test_a_hash_with_one_character_changed_never_passes_and_never_fails_otherwise(
    at: int, other: str
) -> None:
    """A damaged row is Wrong for the right password too, unless the character is the one that stood there."""
    changed = STORED[:at] + other + STORED[at + 1 :]
    # Numbers of more than one digit would only make the same answer slow.
    if changed == STORED or (STORED[at].isdigit() and at < STORED.index("p=")):
        return
    assert TINY_FACTOR.verify(changed, b"quiet river stone") == Wrong()


@given(st.text())
def test_any_stored_text_is_answered(stored: str) -> None:
    """The store is untrusted input: no text in it makes verifying fail in another way."""
    assert TINY_FACTOR.verify(stored, b"quiet river stone") == Wrong()


WITHOUT_MEMORY = """
import resource
from gatepost.errors import Busy
from gatepost.factors.password import PasswordFactor, Profile

made = PasswordFactor(Profile("large", memory_kib=262_144, time_cost=1), slots=1, queue=0, wait=0)
stored = made.hash(b"quiet river stone")
limit = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (255 << 20, limit))
for call in (lambda: made.hash(b"quiet river stone"), lambda: made.verify(stored, b"quiet river stone")):
    try:
        call()
    except Busy as busy:
        told = f"{busy!r} {busy} {busy.detail}"
        print(busy.retry_after, busy.__suppress_context__, "river" in told, stored in told, made.in_use)
"""


def test_memory_that_is_not_there_is_busy_and_tells_no_password() -> None:
    """When Argon2 cannot have its memory the answer is Busy, with neither password nor hash in it, and no slot lost."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WITHOUT_MEMORY]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert done.stdout.splitlines() == ["1 True False False 0"] * 2


@pytest.mark.parametrize(
    ("memory_kib", "time_cost", "parallelism"),
    [(7, 1, 1), (15, 1, 2), (262_145, 1, 1), (8, 0, 1), (8, 33, 1), (8, 1, 0), (1024, 1, 17)],
)
def test_a_profile_outside_the_bounds_is_refused(memory_kib: int, time_cost: int, parallelism: int) -> None:
    """A profile that Argon2 or our own reading would refuse cannot be made."""
    with pytest.raises(ValueError, match="outside"):
        Profile("wrong", memory_kib, time_cost, parallelism)


@pytest.mark.parametrize("profile", [OWASP, STRONG])
def test_the_named_profiles_make_hashes_that_they_read_back(profile: Profile) -> None:
    """The profiles that are offered work, and know their own hashes."""
    made = factor(profile)
    stored = made.hash(b"quiet river stone")
    assert made.verify(stored, b"quiet river stone") == Verified(needs_rehash=False)
    assert profile.parallelism == 1


def test_the_default_profile_is_the_published_one() -> None:
    """19 MiB, two passes, one lane."""
    assert (OWASP.memory_kib, OWASP.time_cost, OWASP.parallelism) == (19_456, 2, 1)


@pytest.mark.parametrize(("slots", "queue", "wait"), [(0, 0, 0), (1, -1, 0), (1, 0, -0.1)])
def test_a_gate_that_nobody_could_pass_is_refused(slots: int, queue: int, wait: float) -> None:
    """No slot, or a negative queue or wait, is a mistake of whoever set it up."""
    with pytest.raises(ValueError, match="at least one slot"):
        factor(slots=slots, queue=queue, wait=wait)


def test_a_flood_never_hashes_more_than_the_slots_at_once() -> None:
    """Forty calls on two slots: never more than two inside or four waiting, and each is answered or told Busy."""
    made = factor(Profile("small", memory_kib=4_096, time_cost=2), slots=2, queue=4, wait=30)
    seen: list[tuple[int, int]] = []
    outcomes: list[str] = []
    over = Event()

    def watch() -> None:
        while not over.is_set():
            seen.append((made.in_use, made.waiting))
            over.wait(0.0005)

    def call() -> None:
        try:
            made.verify(None, b"flood")
            outcomes.append("answered")
        except Busy:
            outcomes.append("busy")

    watcher = Thread(target=watch)
    watcher.start()
    threads = [Thread(target=call) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    watcher.join()
    assert len(outcomes) == 40
    assert made.hashes_done == outcomes.count("answered") >= 2
    assert max(inside for inside, _ in seen) <= 2
    assert max(waiting for _, waiting in seen) <= 4
    assert (made.in_use, made.waiting) == (0, 0)
