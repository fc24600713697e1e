"""Opening the port: one for all addresses of a name, and a sentence for each way in which it fails."""

import socket

import pytest

from gatepost.cli.listening import listen
from gatepost.errors import SettingsError


def test_port_zero_becomes_a_real_port() -> None:
    """The socket listens already, so that nobody else can take the port."""
    [opened] = listen("127.0.0.1", 0)
    with opened:
        port = opened.getsockname()[1]
        assert port > 0
        with socket.create_connection(("127.0.0.1", port)):
            pass


def test_a_name_opens_all_its_addresses_on_one_port() -> None:
    """Whatever `localhost` resolves to here, each address has the same port."""
    opened = listen("localhost", 0)
    try:
        assert len({one.getsockname()[1] for one in opened}) == 1
        assert len({one.getsockname()[0] for one in opened}) == len(opened)
    finally:
        for one in opened:
            one.close()


def test_a_port_that_somebody_has_is_named() -> None:
    """The sentence says which and how to choose another."""
    [opened] = listen("127.0.0.1", 0)
    with opened:
        port = opened.getsockname()[1]
        with pytest.raises(SettingsError) as refused:
            listen("127.0.0.1", port)
    assert refused.value.message == f"Port {port} is in use: choose another with --port."


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    """An address for documentation and a name that cannot exist."""
    with pytest.raises(SettingsError, match="is not an address of this machine"):
        listen(host, 0)
