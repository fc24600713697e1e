"""A stolen database, with its write-ahead log, signs nobody in (requirement F5, and B7).

The attack is performed: every byte of the files is searched for every live secret in every form, and every text that
lies in them is tried as every kind of credential.
"""

import base64
import hashlib
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gatepost.authority import Authority
from gatepost.carriers.algorithms import ALGORITHMS
from gatepost.carriers.jws import PrivateKey
from gatepost.carriers.keys import RawKey, open_key
from gatepost.carriers.presented import Bearer, OpaqueCookie, SealedCookie, TokenCookies
from gatepost.carriers.sealing import MasterKey, Unopenable, derive, unseal
from gatepost.checking.guard import Renew
from gatepost.core.clients import Power
from gatepost.core.keys import ROOT, SEALING, RingKey
from gatepost.core.passwords import Wrong
from gatepost.core.rotation import RefreshFamily
from gatepost.core.secrets import Secret, encode, parse_refresh
from gatepost.core.sessions import Carrier
from gatepost.errors import GatepostError, InvalidClient, KeyUnusable
from gatepost.machine import SystemRandomness, read_master_key
from gatepost.services.beginnings import CookieIssued, Wish
from gatepost.services.clients import ClientWish
from gatepost.services.sealed import SealedIssued
from gatepost.services.tokens import TokenPair
from gatepost.testing.clock import TurnableClock
from tests.services.installation import HOME, PASSWORD, Device, Installation, open_authority, settle_in

EMAIL = "ada@example.com"
HANDLE = 43
RUN = re.compile(rb"[A-Za-z0-9_\-+/=.$,@]{4,}")


@dataclass
class Loot:
    """A running installation with everything live in it, and what a thief took: its files but the master key."""

    installation: Installation
    authority: Authority
    program: Device
    used: str
    rotors: tuple[str, str]
    secrets: dict[str, str]
    dump: bytes
    blobs: list[bytes]

    @property
    def family(self) -> RefreshFamily:
        """The refresh state of the program, as the thief can read it."""
        return family_of(self.authority, self.used)

    @property
    def master(self) -> MasterKey:
        """What the thief does not have."""
        return read_master_key(self.installation.folder / "master.key")


def family_of(authority: Authority, token: str) -> RefreshFamily:
    """The refresh state behind a refresh token."""
    handle = parse_refresh(token)
    assert handle is not None
    view = authority.store.refresh(handle.id)
    assert view is not None
    return view.family


def files_of(folder: Path) -> list[Path]:
    """The database's files, the write-ahead log among them."""
    # Beside them lies, from the first round on, the empty file by which one process is on duty.
    found = [folder / name for name in ("gatepost.db", "gatepost.db-shm", "gatepost.db-wal")]
    assert {path for path in folder.glob("gatepost.db*") if path.suffix != ".duty"} == set(found)
    return found


def blobs_of(path: Path) -> list[bytes]:
    """Every binary value in every table."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        rows = [row for name in tables for row in connection.execute(f'SELECT * FROM "{name}"')]
    return [value for row in rows for value in row if isinstance(value, bytes)]


@pytest.fixture
def loot(tmp_path: Path) -> Iterator[Loot]:
    """Accounts, every carrier, rotations inside their grace, a client, a link and a visit; then the theft."""
    installation = Installation(tmp_path / "data", TurnableClock())
    authority = installation.open()
    person = settle_in(authority, EMAIL)
    used = person.program.pair.refresh.reveal()
    person.program.refresh(authority)
    visiting = authority.sign_in.visit(Carrier.COOKIE, HOME).credential
    signed_up = authority.sign_in.sign_up("eve@example.com", PASSWORD, Wish(HOME))
    sealed = authority.sign_in.sign_in(EMAIL, PASSWORD, Wish(HOME, Carrier.SEALED)).credential
    held = authority.sign_in.sign_in(EMAIL, PASSWORD, Wish(HOME, Carrier.TOKEN_COOKIE)).credential
    assert isinstance(sealed, SealedIssued)
    assert isinstance(held, TokenPair)
    pairs = [held]
    for _ in range(2):
        pairs.append(authority.tokens.refresh(pairs[-1].refresh.reveal(), HOME, carrier=Carrier.TOKEN_COOKIE))
    client = authority.clients.create(ClientWish("asks", (Power.INTROSPECT,), ()), (), "cli")
    assert isinstance(person.browser.credential, CookieIssued)
    assert isinstance(signed_up.credential, CookieIssued)
    assert isinstance(visiting, CookieIssued)
    secrets = {
        "cookie": person.browser.credential.handle.reveal(),
        "sign-up cookie": signed_up.credential.handle.reveal(),
        "visit": visiting.handle.reveal(),
        "access": person.program.pair.access.reveal(),
        "refresh": person.program.pair.refresh.reveal(),
        "used refresh": used,
        "sealed cookie": sealed.value.reveal(),
        "secret in a sealed cookie": authority.sealed.read(sealed.value.reveal()).secret,
        **{f"refresh in a cookie {number}": pair.refresh.reveal() for number, pair in enumerate(pairs)},
        **{f"access in a cookie {number}": pair.access.reveal() for number, pair in enumerate(pairs)},
        "client": client.secret.reveal(),
        "link": authority.accounts.invite("admin", "cli").reveal(),
        "password": PASSWORD,
    }
    rotors = (pairs[0].refresh.reveal(), pairs[1].refresh.reveal())
    files = files_of(installation.folder)
    dump = b"\n".join(path.read_bytes() for path in files)
    yield Loot(installation, authority, person.program, used, rotors, secrets, dump, blobs_of(files[0]))
    installation.close()


def parts(name: str, text: str) -> list[str]:
    """The pieces of a credential that are secret by themselves."""
    if name == "sealed cookie":
        return text.split(".")[2:]
    return text.split(".")[1:] if "refresh" in name or "access" in name else [text]


def forms(text: str) -> Iterator[bytes]:
    """How a text may lie in a file: as it is, decoded, and both in hexadecimal and base64."""
    raws = [text.encode()]
    if re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raws.append(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    for raw in raws:
        yield raw
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        yield base64.b64encode(raw).rstrip(b"=")
        yield base64.urlsafe_b64encode(raw).rstrip(b"=")


def test_no_live_secret_lies_in_the_files_in_any_form(loot: Loot) -> None:
    """No cookie, token, rotor, link or password, as text, bytes, hexadecimal or base64."""
    for name, text in loot.secrets.items():
        found = [part for part in parts(name, text) for form in forms(part) if form in loot.dump]
        assert found == [], name


def test_the_search_would_find_what_is_there(loot: Loot) -> None:
    """The e-mail address and the digest of a cookie do lie in the files: the search above has teeth."""
    assert EMAIL.encode() in loot.dump
    assert hashlib.sha256(loot.secrets["cookie"].encode()).digest() in loot.dump
    assert hashlib.sha256(loot.secrets["client"].encode()).digest() in loot.dump
    in_cookie = b"gatepost sealed secret:" + loot.secrets["secret in a sealed cookie"].encode()
    assert hashlib.sha256(in_cookie).digest() in loot.dump


def texts_in(loot: Loot) -> set[str]:
    """Every text of the files that could be tried, also pieces of longer ones, and each binary value as text."""
    runs = {found.group() for found in RUN.finditer(loot.dump)}
    pieces = {run[at : at + HANDLE] for run in runs for at in range(len(run) - HANDLE + 1)}
    blobs = {form(blob) for blob in loot.blobs for form in (_base64url, bytes.hex, _base64)}
    return {text.decode("ascii") for text in runs | pieces} | blobs


def _base64url(raw: bytes) -> str:
    return encode(raw)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_nothing_in_the_files_is_taken_as_a_cookie_a_token_or_a_link(loot: Loot) -> None:
    """Every text of the dump is refused as each kind of cookie, as a bearer token and as a one-time link."""
    authority, texts = loot.authority, texts_in(loot)
    assert len(texts) > 500
    for text in texts:
        for attempt in (OpaqueCookie(text), SealedCookie(text), Bearer(text), TokenCookies(text, text)):
            with pytest.raises(GatepostError):
                authority.guard.check(attempt, authority_renews(authority))
        with pytest.raises(GatepostError):
            authority.sign_in.open_invitation(text)


def authority_renews(authority: Authority) -> Renew:
    """What the web floor does for a carrier that may be renewed."""
    return lambda presented: authority.renewals.renew(presented, HOME).presented


def test_nothing_in_the_files_is_taken_as_a_client_s_secret(loot: Loot) -> None:
    """Not the stored digest in any form, nor any other text of the right length."""
    (client,) = loot.authority.clients.all()
    assert loot.authority.clients.authenticate(client.id, Secret(loot.secrets["client"])) == client
    for text in texts_in(loot):
        with pytest.raises(InvalidClient):
            loot.authority.clients.authenticate(client.id, Secret(text))


def test_nothing_in_the_files_is_taken_as_a_refresh_token_or_ends_a_session(loot: Loot) -> None:
    """With the right id and every stored value as family and rotor: refused, and the session goes on."""
    name = loot.used.split(".")[0]
    values = {_base64url(blob) for blob in loot.blobs} | {
        text for text in texts_in(loot) if len(text) == HANDLE
    }
    stored = [_base64url(loot.family.family), _base64url(loot.family.rotor)]
    attempts = {f"{name}.{value}.{other}" for value in values for other in (value, *stored)}
    for attempt in attempts | {f"{name}.{stored[0]}.{stored[1]}"}:
        with pytest.raises(GatepostError):
            loot.authority.tokens.refresh(attempt, HOME)
    assert loot.program.holds(loot.authority) == {"access", "refresh"}


def test_nothing_in_the_files_is_taken_as_a_password(loot: Loot) -> None:
    """Not the stored hash itself, nor any other text of the dump."""
    stored = loot.authority.accounts.find(EMAIL).password_hash
    assert stored is not None
    for text in {stored, *(text for text in texts_in(loot) if len(text) != HANDLE)}:
        assert isinstance(loot.authority.hashing.verify(stored, text.encode()), Wrong)


def secrets_of(held: PrivateKey | RawKey) -> list[bytes]:
    """What is secret of a key of the ring, in every usual form."""
    if isinstance(held, RawKey):
        return [held.raw]
    private = held.private
    forms = [PrivateFormat.PKCS8]
    found = []
    if isinstance(private, ec.EllipticCurvePrivateKey):
        found.append(private.private_numbers().private_value.to_bytes(32, "big"))
        forms.append(PrivateFormat.TraditionalOpenSSL)
    elif isinstance(private, rsa.RSAPrivateKey):
        numbers = private.private_numbers()
        found += [
            one.to_bytes((one.bit_length() + 7) // 8, "big") for one in (numbers.d, numbers.p, numbers.q)
        ]
        forms.append(PrivateFormat.TraditionalOpenSSL)
    else:
        found.append(private.private_bytes_raw())
    for form in forms:
        found += [private.private_bytes(one, form, NoEncryption()) for one in (Encoding.DER, Encoding.PEM)]
    return found


def test_no_key_of_the_ring_lies_in_the_files_nor_the_master_key(loot: Loot) -> None:
    """No private key, secret or sealing key of any algorithm in any usual form, nor the root, nor what is derived."""
    folder = loot.installation.folder
    for algorithm in ALGORITHMS:
        open_authority(folder, loot.authority.clock, print, tokens={"algorithm": algorithm}).stop()
    dump = b"\n".join(path.read_bytes() for path in files_of(folder))
    records = loot.authority.store.ring_keys()
    assert {one.algorithm for one in records} == {*ALGORITHMS, SEALING, ROOT}
    found = [secret for one in records for secret in secrets_of(opened(one, loot.master))]
    purposes = ("signing keys", "cross-site tokens", "audit seals")
    found += [
        loot.master.raw,
        *(loot.master.for_purpose(purpose) for purpose in purposes),
        loot.authority.csrf_key,
    ]
    assert len(found) > 2 * len(records)
    for secret in found:
        assert [form for form in forms(encode(secret)) if form in dump] == []
    public = loot.authority.ring.signing.private.public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert encode(point[1:33]).encode() in dump


def opened(record: RingKey, master: MasterKey) -> PrivateKey | RawKey:
    """What is sealed in a record, for whoever has the master key too."""
    held = open_key(record, master).held
    if isinstance(held, PrivateKey) and held.verifying.algorithm == "HS256":
        return RawKey(unseal(master.for_purpose("signing keys"), f"HS256 {record.id}", record.sealed))
    return held


def test_what_lies_beside_the_database_is_for_its_owner_only(loot: Loot) -> None:
    """The folder is 0700, the master key and every file of the database 0600, and the key is a file of its own."""
    folder = loot.installation.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in [folder / "master.key", *files_of(folder)]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert loot.master.raw not in loot.dump


def test_a_copy_without_the_master_key_does_not_start(
    loot: Loot, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A thief's own server over the stolen files refuses to start, also with a master key of the thief's."""
    folder = tmp_path_factory.mktemp("thief")
    for path in files_of(loot.installation.folder):
        (folder / path.name).write_bytes(path.read_bytes())
    thief = Installation(folder, TurnableClock())
    with pytest.raises(KeyUnusable):
        thief.unstarted()
    key = folder / "master.key"
    key.touch(0o600)
    key.write_text(encode(SystemRandomness().bytes(32)) + "\n")
    with pytest.raises(KeyUnusable):
        thief.unstarted()


def test_the_sealed_answer_opens_with_neither_the_database_nor_the_master_key(loot: Loot) -> None:
    """During the grace the successor lies in the database; only the token before it opens it."""
    family = loot.family
    assert family.previous is not None
    box = family.previous.sealed
    assert box is not None
    purposes = ("refresh answer", "signing keys", "cross-site tokens", "refresh", "")
    known = [loot.master.raw, *loot.blobs, *(text.encode() for text in texts_in(loot) if len(text) <= HANDLE)]
    keys = {derive(secret, purpose) for secret in known[:40] for purpose in purposes}
    keys |= {derive(secret, "refresh answer") for secret in known}
    keys |= {raw for raw in known if len(raw) == 32}
    keys |= {derive(encode(blob).encode(), "refresh answer") for blob in loot.blobs}
    for key in keys:
        with pytest.raises(Unopenable):
            unseal(key, family.id, box)
    answer = unseal(derive(loot.used.split(".")[2].encode(), "refresh answer"), family.id, box)
    assert loot.secrets["refresh"].split(".")[2].encode() in answer


def test_each_of_two_sealed_answers_opens_with_its_own_predecessor_only(loot: Loot) -> None:
    """Tokens in cookies keep two: the database, the master key and the other used token open neither."""
    family = family_of(loot.authority, loot.rotors[0])
    assert family.earlier is not None
    assert family.previous is not None
    boxes = [family.earlier.sealed, family.previous.sealed]
    known = [loot.master.raw, *loot.blobs, *(encode(blob).encode() for blob in loot.blobs)]
    for number, box in enumerate(boxes):
        assert box is not None
        own, other = (loot.rotors[place].split(".")[2].encode() for place in (number, 1 - number))
        for secret in (*known, other):
            with pytest.raises(Unopenable):
                unseal(derive(secret, "refresh answer"), family.id, box)
        answer = unseal(derive(own, "refresh answer"), family.id, box)
        assert loot.secrets[f"refresh in a cookie {number + 1}"].split(".")[2].encode() in answer
