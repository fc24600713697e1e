"""The libraries for Node: fetched into a folder of this run, raced there by `race.mjs`, times as they come back.

Where there is no Node 20 or npm, or nothing can be fetched, that is an answer too: `Missing` says why.
"""

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from benchmarks.issuers import Issuer
from benchmarks.measuring import Pace

PINS: Final[Mapping[str, str]] = {"jose": "6.2.17", "fast-jwt": "6.3.6"}
CACHED: Final = "fast-jwt with its cache (Node)"
MEASURED: Final = ("node:crypto verify", "jose (Node)", "fast-jwt (Node)", CACHED)
_SCRIPT: Final = Path(__file__).with_name("race.mjs")
_LEAST: Final = 20
_PATIENCE: Final = 180.0


@dataclass(frozen=True, slots=True)
class Missing:
    """Why nothing was measured in Node."""

    reason: str


@dataclass(frozen=True, slots=True)
class NodeTimes:
    """Microseconds of one call, round by round, of everybody in `MEASURED`, by algorithm."""

    node: str
    rounds: Mapping[str, Mapping[str, list[float]]]


def node_times(issuers: Sequence[Issuer], pace: Pace) -> NodeTimes | Missing:
    """Race them over the tokens of these issuers."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return Missing("node or npm was not found")
    said = _ran([node, "--version"])
    if said is None or int(said.lstrip("v").partition(".")[0]) < _LEAST:
        return Missing(f"Node {_LEAST} or newer is needed")
    with TemporaryDirectory(prefix="gatepost-bench-") as folder:
        pins = {"private": True, "type": "module", "dependencies": dict(PINS)}
        Path(folder, "package.json").write_text(json.dumps(pins))
        shutil.copy(_SCRIPT, folder)
        # No script of a package runs: both are plain JavaScript.
        fetch = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if _ran(fetch, folder) is None:
            return Missing(
                f"npm could not fetch {' and '.join(f'{name} {pin}' for name, pin in PINS.items())}"
            )
        raced = _ran([node, _SCRIPT.name], folder, json.dumps(_given(issuers, pace)))
    try:
        rounds = msgspec.json.decode(raced or "", type=dict[str, dict[str, list[float]]])
    except msgspec.MsgspecError:
        return Missing("the race in Node failed")
    return NodeTimes(said.strip(), rounds)


def _given(issuers: Sequence[Issuer], pace: Pace) -> dict[str, object]:
    keys = {
        one.algorithm: {
            "key": b64encode(one.pem).decode(),
            "secret": one.secret is not None,
            "tokens": one.tokens,
        }
        for one in issuers
    }
    return {
        "issuer": issuers[0].name,
        "rounds": pace.rounds,
        "seconds": pace.seconds,
        "names": MEASURED,
        "keys": keys,
    }


def _ran(command: Sequence[str], folder: str | None = None, given: str = "") -> str | None:
    try:
        done = subprocess.run(
            command, cwd=folder, input=given, capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
