"""Which names and addresses can only be this machine.

Owns that one judgement, for settings that may speak plain http and for whoever is about to send a secret. Looks no
name up.
"""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, brackets allowed) can only be this machine.

    Names under `.localhost` are not counted: not every resolver keeps them on the machine.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
