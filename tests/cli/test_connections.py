"""Connections that never become a request: the time they get for it."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from uvicorn import Config
from uvicorn.server import ServerState

from gatepost.cli.connections import BoundedProtocol


class Hasty(BoundedProtocol):
    """Gives a request's headers next to no time."""

    seconds_for_headers = 0.05


async def answer_to(sent: bytes) -> bytes:
    """What a server says to these bytes until it closes the connection."""
    config = Config(
        PlainTextResponse("answered"), http=Hasty, ws="none", log_config=None, timeout_keep_alive=1
    )
    config.load()
    loop, state = asyncio.get_running_loop(), ServerState()
    server = await loop.create_server(lambda: Hasty(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        said = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        await writer.wait_closed()
    return said


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_headers_that_do_not_come_in_time_end_the_connection(sent: bytes) -> None:
    """Neither silence nor half a request holds a connection open."""
    assert asyncio.run(answer_to(sent)) == b""


def test_a_request_in_time_is_answered() -> None:
    """The clock stops with the headers, and starts again with the next request on the same connection."""
    whole = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    said = asyncio.run(answer_to(whole + whole + b"GET / HTTP/1.1\r\nX-Slow: "))
    assert said.count(b"answered") == 2
