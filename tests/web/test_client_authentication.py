"""How OAuth clients show who they are (RFC 6749 section 2.3), where they ask about tokens."""

from base64 import b64encode
from urllib.parse import quote_plus

import pytest

from gatepost.web.client_checks import parse_basic
from tests.web.asking_clients import INTROSPECT, Asker, asker, basic
from tests.web.house import House
from tests.web.test_oauth import FORM, refused


def test_secret_is_shown_in_the_header_or_in_the_body(house: House) -> None:
    """`client_secret_basic` and `client_secret_post`; the scheme in any case, the name in the body too."""
    held, client = house.holder(), asker(house)
    encoded = client.basic["authorization"].partition(" ")[2]
    body = {"token": held.access}
    posted = {**body, "client_id": client.id, "client_secret": client.secret}
    ways = [
        house.program(authorization=f"Basic {encoded}").post(INTROSPECT, data=body),
        house.program(authorization=f"bAsIc  {encoded}").post(INTROSPECT, data=body),
        house.program(authorization=f"Basic {encoded}").post(
            INTROSPECT, data={**body, "client_id": client.id}
        ),
        house.program(authorization=f"Basic {encoded}").post(INTROSPECT, data={**body, "client_secret": ""}),
        house.program().post(INTROSPECT, data=posted),
        house.program(authorization="Bearer something").post(INTROSPECT, data=posted),
    ]
    assert [way.json().get("active") for way in ways] == [True] * len(ways)


def test_name_and_secret_may_be_form_encoded(house: House) -> None:
    """RFC 6749 section 2.3.1: any character may come as its percent sign."""
    held, client = house.holder(), asker(house)
    name = "".join(f"%{ord(one):02X}" for one in client.id)
    secret = "".join(f"%{ord(one):02x}" for one in client.secret)
    answer = house.program(authorization=basic(name, secret)).post(INTROSPECT, data={"token": held.access})
    assert answer.json()["active"]


def broken_headers(client: Asker) -> dict[str, str]:
    """Authorization headers that show no secret of this client, though some hold every letter of it."""
    whole = b64encode(f"{client.id}:{client.secret}".encode()).decode()
    # One letter as its percent sign makes the length one at which base64 has padding and bits to spare.
    longer = basic(client.id, f"%{ord(client.secret[0]):02X}{client.secret[1:]}")
    assert longer.endswith("=")
    return {
        "another scheme": f"Bearer {whole}",
        "no scheme": whole,
        "nothing encoded": "Basic ",
        "no base64": f"Basic {client.id}:{client.secret}",
        "cut padding": longer.rstrip("="),
        "a second form of the last byte": longer[:-2] + chr(ord(longer[-2]) + 1) + "=",
        "a space within": f"Basic {whole[:20]} {whole[20:]}",
        "no colon": "Basic " + b64encode(client.id.encode()).decode(),
        "no secret": basic(client.id, ""),
        "no name": basic("", client.secret),
        "bytes that are no text": "Basic " + b64encode(client.id.encode() + b":\xff").decode(),
        "encoded bytes that are no text": basic(client.id, "%FF"),
        "an unknown name": basic("A" * 22, client.secret),
        "a wrong secret": basic(client.id, "A" * 43),
        "the first-party client": basic("first-party", client.secret),
    }


@pytest.mark.parametrize(
    ("name", "secret"),
    [("a", "b:c"), ("a", "b%"), ("a", "b%4"), ("a%G0", "b"), ("a", 'b"'), ("a b", "c"), ("a", "é")],
)
def test_what_no_form_writes_is_no_secret(name: str, secret: str) -> None:
    """A colon more, half a percent sign, a blank: two readers would make two secrets of it."""
    assert parse_basic(basic(name, secret)) is None
    encoded = parse_basic(basic(quote_plus(name), quote_plus(secret)))
    assert encoded is not None
    assert (encoded.client_id, encoded.secret.reveal()) == (name, secret)


def test_client_that_is_not_recognised_is_told_the_same_whatever_was_wrong(house: House) -> None:
    """401 `invalid_client` with a challenge, byte for byte; unknown, ended and wrong are not told apart."""
    held, client, ended = house.holder(), asker(house), asker(house)
    house.authority.clients.revoke(ended.id, "test")
    body = {"token": held.access}
    answers = {
        name: house.program(authorization=value).post(INTROSPECT, data=body)
        for name, value in broken_headers(client).items()
    }
    answers |= {
        "an ended client": ended.about(held.access),
        "nobody": house.program().post(INTROSPECT, data=body),
        "a name alone": house.program().post(INTROSPECT, data={**body, "client_id": client.id}),
        "ours alone": house.program().post(INTROSPECT, data={**body, "client_id": "first-party"}),
        "a secret alone": house.program().post(INTROSPECT, data={**body, "client_secret": client.secret}),
        "a wrong one posted": house.program().post(
            INTROSPECT, data={**body, "client_id": client.id, "client_secret": "A" * 43}
        ),
    }
    for name, answer in answers.items():
        assert refused(answer, 401, "invalid_client"), name
        assert answer.headers["www-authenticate"] == 'Basic realm="gatepost"', name
    assert len({answer.content for answer in answers.values()}) == 1


def test_old_secret_opens_nothing_once_there_is_a_new_one(house: House) -> None:
    """At the next request."""
    held, client = house.holder(), asker(house)
    made = house.authority.clients.change_secret(client.id, "test")
    assert refused(client.about(held.access), 401, "invalid_client")
    assert Asker(house, client.id, made.secret.reveal()).finds_active(held.access)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "token=",
        "token=x&token=x",
        "token=x&token_type_hint=access_token&token_type_hint=access_token",
        "token=x&client_secret={secret}",
        "token=x&client_id={id}&client_secret={secret}",
        "token=x&client_id=somebody",
        "token=x&client_id={id}&client_id={id}",
        "token=%FF",
    ],
)
def test_request_that_is_not_clear_is_refused(house: House, body: str) -> None:
    """400 `invalid_request`: a parameter is missing or stands twice, or the client is named in two ways."""
    client = asker(house)
    content = body.format(id=client.id, secret=client.secret)
    answer = house.program(**client.basic).post(INTROSPECT, content=content, headers=FORM)
    assert refused(answer, 400, "invalid_request")


def test_two_authorization_headers_are_refused(house: House) -> None:
    """A proxy may have looked at the other one."""
    client = asker(house)
    headers = [("authorization", client.basic["authorization"])] * 2
    answer = house.program().post(INTROSPECT, data={"token": "x"}, headers=headers)
    assert refused(answer, 400, "invalid_request")
