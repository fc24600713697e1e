"""`token inspect` for access tokens of every algorithm, by the keys of the local database or those a server publishes.

Owns everything that can be wrong with a JWT, each in words, where a server stops at the first. Sends nothing.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from gatepost.carriers.algorithms import ALGORITHMS
from gatepost.carriers.jws import LONGEST, Compact, parse_compact, verify
from gatepost.carriers.keys import ACCESS_TYP
from gatepost.carriers.tokens import AccessClaims, parse_claims
from gatepost.cli.finding import Inspection, instant_of, late, object_in, span, unchecked_here
from gatepost.cli.output import printable
from gatepost.cli.published import Published
from gatepost.cli.records import KnownKey, Records
from gatepost.core.keys import KeyState
from gatepost.core.revocation import Subject
from gatepost.core.sessions import AHEAD
from gatepost.errors import Malformed

_KIND: Final = "access token"
_ENDED_MEANWHILE: Final = (
    "Whether it, its session, its account or its client has been ended since it was issued is not known: live facts "
    "were not asked for. That takes a verifier's credential (--client), and the token is not sent there either."
)


@dataclass(frozen=True, slots=True)
class Judge:
    """By what and for whom a token is judged, and when. `audience` None is the issuer itself, where that is us."""

    knowledge: Records | Published
    audience: str | None
    now: datetime


def inspect_access(
    token: str,
    header: Mapping[str, Any],
    knowledge: Records | Published | str,
    audience: str | None,
    now: datetime,
) -> Inspection:
    """Judge a JWT at `now`. Where there is nothing to judge by, `knowledge` says why."""
    segments = token.split(".")
    claims = object_in(segments[1]) if len(segments) > 1 else None
    seen = Inspection("JWT", header=header, claims=claims)
    try:
        compact = parse_compact(token)
    except Malformed:
        return replace(seen, reasons=(f"It is longer than {LONGEST} characters or has not three parts.",))
    expired = tuple(late((claims or {}).get("exp"), now))
    if isinstance(knowledge, str):
        return replace(seen, reasons=(unchecked_here(knowledge), *expired))
    key = _key_of(compact, knowledge)
    if key is None:
        named = _named(header, knowledge)
        return replace(seen, key=named, reasons=(_why_no_key(header, named, knowledge), *expired))
    judge = Judge(knowledge, audience, now)
    reasons = tuple(_against(compact, key, judge))
    remarks = tuple(_remarks(claims, judge)) if not reasons else ()
    unasked = isinstance(knowledge, Published) and knowledge.live is None
    unchecked = _ENDED_MEANWHILE if unasked else ""
    return replace(seen, kind=_KIND, key=key, reasons=reasons, remarks=remarks, unchecked=unchecked)


def _key_of(compact: Compact, knowledge: Records | Published) -> KnownKey | None:
    for key in knowledge.keys.values():
        if key.verifying is not None and key.verifying.header(ACCESS_TYP) == compact.header:
            return key
    return None


def _named(header: Mapping[str, Any], knowledge: Records | Published) -> KnownKey | None:
    kid = header.get("kid")
    return knowledge.keys.get(kid) if isinstance(kid, str) else None


def _against(compact: Compact, key: KnownKey, judge: Judge) -> Iterator[str]:
    if key.state is KeyState.WITHDRAWN:
        yield "The key that signed it was withdrawn."
    if isinstance(judge.knowledge, Records) and not _goes_with(key, judge.knowledge.algorithm):
        yield (
            f"Its key is for {key.algorithm}, and this installation signs with {judge.knowledge.algorithm}: "
            "a secret and public keys are never believed side by side."
        )
    try:
        claims = parse_claims(_payload(compact, key))
    except Malformed as error:
        yield _MALFORMED.get(error.detail, "Its claims are not those of an access token.")
        return
    yield from _claims_against(claims, judge)
    if key.state is not KeyState.WITHDRAWN:
        ended = judge.knowledge.why_ended(_subject(claims, key.kid))
        if ended is not None:
            yield ended


_FORGED: Final = "signature does not verify"
_MALFORMED: Final = {
    _FORGED: "Its signature is not the one this key would make: it was changed, or made by somebody else.",
}


def _payload(compact: Compact, key: KnownKey) -> bytes:
    if key.verifying is None:
        raise AssertionError("this key was found by what it verifies")
    try:
        return verify(key.verifying, compact)
    except Malformed as error:
        raise Malformed(detail=_FORGED) from error


def _goes_with(key: KnownKey, algorithm: str) -> bool:
    return ALGORITHMS[key.algorithm].symmetric is ALGORITHMS[algorithm].symmetric


def _claims_against(claims: AccessClaims, judge: Judge) -> Iterator[str]:
    issuer = judge.knowledge.issuer
    if claims.iss != issuer:
        yield f"Its issuer is another: {printable(claims.iss)}, and here it is {issuer}."
    audience = judge.audience or (issuer if isinstance(judge.knowledge, Records) else None)
    if audience is not None and audience not in claims.aud:
        whom = "this server" if audience == issuer else printable(audience)
        yield f"It is for {printable(', '.join(claims.aud))}, not for {whom}."
    yield from late(claims.exp, judge.now)
    issued = instant_of(claims.iat)
    if issued is not None and issued > judge.now + AHEAD:
        yield f"It says that it will be issued {span(issued, judge.now)}: a clock was set back, so it is renewed first."


def _remarks(claims: Mapping[str, Any] | None, judge: Judge) -> Iterator[str]:
    if judge.audience is None and isinstance(judge.knowledge, Published):
        audiences = (claims or {}).get("aud")
        whom = ", ".join(audiences) if isinstance(audiences, list) else str(audiences)
        yield f"It is good only at {printable(whom)}; name yourself with --audience to have that judged too."


def _subject(claims: AccessClaims, kid: str) -> Subject:
    return Subject(
        pos=claims.pos,
        session_id=claims.sid,
        account_id=claims.sub,
        client_id=claims.client_id,
        jti=claims.jti,
        kid=kid,
    )


def _why_unknown(header: Mapping[str, Any], knowledge: Records | Published) -> str:
    if isinstance(knowledge, Records):
        return "No key of this installation signed it: its kid is not known here."
    ended = knowledge.why_ended(_only_key(header))
    if ended is not None:
        return ended
    if header.get("alg") == "HS256":
        return (
            "It is signed with HS256, whose key no server publishes: only a server that has it can check it."
        )
    return "None of the keys that this server publishes signed it: its kid is not among them."


def _only_key(header: Mapping[str, Any]) -> Subject:
    # Newer than anything that was ended with others: only what ended the key by name speaks against it.
    kid = header.get("kid")
    return Subject(sys.maxsize, "", None, "", None, kid if isinstance(kid, str) else None)


def _why_no_key(header: Mapping[str, Any], named: KnownKey | None, knowledge: Records | Published) -> str:
    algorithm = header.get("alg")
    if isinstance(algorithm, str) and algorithm.lower() == "none":
        return "It is not signed (alg is none)."
    if named is None:
        return _why_unknown(header, knowledge)
    if algorithm != named.algorithm:
        return f"Its alg is not the one that its key is for, {named.algorithm}."
    if named.closed:
        return f"Its signature cannot be checked here: {named.closed}."
    if header.get("typ") != ACCESS_TYP:
        return f"Its typ is not that of an access token, {ACCESS_TYP}."
    return "Its header names a key of ours, but is not written as that key writes it."
