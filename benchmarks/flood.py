"""Wrong sign-ins at a steady rate, in a process of their own: `python -m benchmarks.flood PORT FIRST`.

They come from forty addresses of this machine, each at another account, so that no limit but that of an address slows
them. It begins at once, says so in a line, ends with its input, and says then which statuses it was given. Started by
`guessing.py`, at a server of the benchmarks on loopback only.
"""

import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from typing import Final

PER_SECOND: Final = 100
# More hands than the server hashes at once: one that waits for its answer must not slow the others.
HANDS: Final = 40
DEADLINE: Final = 30.0


def main(port: int, first: int) -> None:
    """Pour until the input ends. `first` is the number of the first account that nobody has."""
    over, statuses, numbers = threading.Event(), set[int](), count(first)
    hands = [
        threading.Thread(target=_pour, args=(port, hand, over, statuses, numbers)) for hand in range(HANDS)
    ]
    for hand in hands:
        hand.start()
    print("begun", flush=True)
    sys.stdin.read()
    over.set()
    for hand in hands:
        hand.join(DEADLINE)
    print(json.dumps(sorted(statuses)))


def _pour(port: int, hand: int, over: threading.Event, statuses: set[int], numbers: Iterator[int]) -> None:
    source = (f"127.0.4.{hand + 1}", 0)
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE, source_address=source)
    with closing(line):
        # All of them spread over the first turn, then each at its share of the rate.
        due = time.monotonic() + hand / PER_SECOND
        while not over.wait(max(0.0, due - time.monotonic())):
            statuses.add(_guess(line, port, next(numbers)))
            due += HANDS / PER_SECOND


def _guess(line: http.client.HTTPConnection, port: int, number: int) -> int:
    body = json.dumps({"email": f"nobody{number}@example.com", "password": "wrong wrong words"})
    headers = {
        "Host": f"localhost:{port}",
        "Origin": f"http://localhost:{port}",
        "Content-Type": "application/json",
    }
    line.request("POST", "/api/sign-in", body, headers)
    answer = line.getresponse()
    answer.read()
    return answer.status


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
