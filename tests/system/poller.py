"""A small verifier in a process of its own: `python poller.py URL ID SECRET QUERY` follows the log until it is ended.

It applies what it is told and goes on from there, each time on a connection of its own, so that any worker answers.
Writes one line for each position that it has applied. Knows nothing of Gatepost but what `docs/feed.md` says.
"""

import json
import sys
import time
from base64 import b64encode
from http.client import HTTPConnection
from urllib.parse import urlsplit


def follow(url: str, client_id: str, secret: str, query: str) -> None:
    """Ask, apply, say so by asking again."""
    place, header = "", {"Authorization": f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}"}
    while True:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
        try:
            connection.request("GET", f"/feed?wait=0.3&{query}{place}", headers=header)
            answer = connection.getresponse()
            body = answer.read()
        except OSError:
            # The server starts again, perhaps.
            time.sleep(0.05)
            continue
        finally:
            connection.close()
        if answer.status != 200:
            time.sleep(0.05)
            continue
        told = json.loads(body)
        if place != f"&after={told['pos']}":
            sys.stdout.write(f"{told['pos']}\n")
            sys.stdout.flush()
        place = f"&after={told['pos']}"


if __name__ == "__main__":
    follow(*sys.argv[1:])
