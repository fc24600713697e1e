"""How the pages look on this installation: style sheet, brand, logo, icon and scripts, as files by name.

Owns what lies under `/static/` and what the brand changes of it. A picture that an operator names is served as a
picture and nothing else: it is never put into a page, where an SVG could run. `rendering.py` links to what is here.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.responses import Response

from gatepost.errors import NotFound
from gatepost.settings.brand import Brand
from gatepost.web.api import Asked
from gatepost.web.colours import DARK, LIGHT, accent_for

_STYLE, _ICON, _LOGO = "gatepost.css", "gatepost.svg", "logo"
_SVG: Final = "image/svg+xml"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NUMBER: Final = r"\s*(\d+(?:\.\d+)?)"
_VIEW_BOX: Final = re.compile(rf"""viewBox\s*=\s*["'][\s\d.,-]*?[\s,]{_NUMBER}[\s,]+{_NUMBER}\s*["']""")
_LOGO_HEIGHT: Final = 32
_WIDEST_LOGO: Final = 192
_CONNECTING: Final = frozenset({"admin.js"})


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent. `tag` changes with its content."""

    content: bytes
    kind: str
    tag: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The operator's logo: its address under `/static/`, and its size, so that nothing moves when it comes."""

    address: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Appearance:
    """What the pages link to, and the files behind it. `initial` stands where a logo would, None where ours does."""

    files: Mapping[str, StaticFile]
    style: str
    icon: str
    logo: Picture | None
    initial: str | None


@dataclass(frozen=True, slots=True)
class Script:
    """A script as it stands in a page, and what the page's policy must say so that this text runs and no other."""

    text: str
    policy: str


@lru_cache(maxsize=16)
def appearance_of(brand: Brand) -> Appearance:
    """Everything that a brand changes. The logo is read once for each process, at the first call."""
    own_name = brand.name == Brand().name
    initial = None if own_name else brand.name[0].upper()
    found = {
        _STYLE: _file(_styled(brand.colour), "text/css; charset=utf-8"),
        _ICON: _file(_icon(brand.colour, initial), _SVG),
    }
    logo = None
    if brand.logo is not None:
        found[_LOGO] = _picture(brand.logo)
        logo = Picture(_address(_LOGO, found), *_shown_size(found[_LOGO]))
    icon = _address(_LOGO if logo else _ICON, found)
    return Appearance(found, _address(_STYLE, found), icon, logo, initial)


@lru_cache(maxsize=16)
def script_named(name: str) -> Script:
    """A script of ours out of `static/`."""
    text = files("gatepost.web").joinpath("static", name).read_text()
    digest = b64encode(sha256(text.encode()).digest()).decode()
    more = "; connect-src 'self'" if name in _CONNECTING else ""
    return Script(text, f"script-src 'sha256-{digest}'{more}")


async def static(asking: Asked, name: str) -> Response:
    """A style sheet or picture of ours. Looked up by name, so that no path can leave the folder."""
    found = appearance_of(asking.authority.settings.brand).files.get(name)
    if found is None:
        raise NotFound
    known = asking.request.query_params.get("v") == found.tag
    lasting = "max-age=31536000, immutable" if known else "max-age=3600"
    headers = {"Cache-Control": f"public, {lasting}", "ETag": f'"{found.tag}"'}
    if asking.header("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.kind, headers=headers)


def _styled(colour: str) -> bytes:
    light, dark = accent_for(colour, LIGHT), accent_for(colour, DARK)
    brand = (
        f":root{{--accent:{light};--on-accent:{LIGHT.ink}}}"
        f"@media (prefers-color-scheme:dark){{:root{{--accent:{dark};--on-accent:{DARK.ink}}}}}\n"
    )
    return _squeezed(_content(_STYLE)) + brand.encode()


def _squeezed(style: bytes) -> bytes:
    """A style sheet without what only its authors read: comments, line ends and indentation. No string in it may
    hold a brace, a comma, a semicolon or the beginning of a comment."""
    plain = re.sub(rb"/\*.*?\*/", b"", style, flags=re.DOTALL)
    return re.sub(rb"\s*([{};,])\s*", rb"\1", plain).strip()


def _icon(colour: str, initial: str | None) -> bytes:
    ours = _content(_ICON).replace(b"#0f6b5c", accent_for(colour, LIGHT).encode())
    if initial is None:
        return ours
    letter = (
        '<text x="16" y="22.5" text-anchor="middle" font-family="system-ui,sans-serif" font-size="18" '
        f'font-weight="700" fill="#fff">{escape(initial)}</text>'
    )
    return re.sub(rb"<path[^>]*/>", letter.encode(), ours)


def _picture(path: Path) -> StaticFile:
    content = path.read_bytes()
    return _file(content, "image/png" if content.startswith(_PNG) else _SVG)


def _shown_size(picture: StaticFile) -> tuple[int, int]:
    wide, high = _own_size(picture)
    shown = min(_WIDEST_LOGO, max(1, round(wide * _LOGO_HEIGHT / high)))
    return shown, max(1, round(shown * high / wide))


def _own_size(picture: StaticFile) -> tuple[float, float]:
    if picture.kind == _SVG:
        box = _VIEW_BOX.search(picture.content.decode("utf-8", "replace"))
        sides = [float(side) for side in box.groups()] if box else []
    else:
        # Width and height stand first in the first chunk (PNG, third edition, section 11.2.1).
        sides = [float(int.from_bytes(picture.content[at : at + 4])) for at in (16, 20)]
    return (sides[0], sides[1]) if sides and all(sides) else (1.0, 1.0)


def _file(content: bytes, kind: str) -> StaticFile:
    return StaticFile(content, kind, sha256(content).hexdigest()[:16])


def _address(name: str, found: Mapping[str, StaticFile]) -> str:
    return f"{name}?v={found[name].tag}"


def _content(name: str) -> bytes:
    return files("gatepost.web").joinpath("static", name).read_bytes()
