"""Whose pages these are: a name, a colour that can always be read, a logo that is only ever a picture."""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatepost.errors import SettingsError, WeakPassword
from gatepost.settings.brand import LARGEST_LOGO, Brand
from gatepost.web.appearance import appearance_of
from gatepost.web.colours import DARK, ENOUGH, LIGHT, TINT, Scheme, accent_for, contrast
from tests.web.house import Build, House, settings_in

STYLE = Path(__file__).resolve().parents[2] / "src/gatepost/web/static/gatepost.css"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><script>alert(1)</script></svg>'
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 300, 100) + b"\x08\x06\0\0\0"

both_schemes = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def mixed(one: str, other: str, hundredths: int) -> str:
    """A colour with so many hundredths of another, as `color-mix` in gatepost.css."""
    pairs = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * hundredths / 100) for a, b in pairs).hex()


@both_schemes
@settings(max_examples=200)
@given(colour=colours)
@example("#f9171b")
def test_every_colour_becomes_one_that_can_be_read(scheme: Scheme, colour: str) -> None:
    """4.5:1 at least on every ground of the scheme and on its own tint, and as a ground for what stands on a button."""
    accent = accent_for(colour, scheme)
    tint = mixed(scheme.grounds[0], accent, TINT)
    for ground in (*scheme.grounds, tint, scheme.ink):
        assert contrast(accent, ground) >= ENOUGH, ground
    assert accent_for(accent, scheme) == accent


def test_colour_that_can_be_read_stays_itself() -> None:
    """Gatepost's own in the light; contrast is that of WCAG."""
    assert accent_for("#0f6b5c", LIGHT) == "#0f6b5c"
    assert accent_for("#ffcc00", DARK) == "#ffcc00"
    assert accent_for("#ffcc00", LIGHT) != "#ffcc00"
    assert (contrast("#ffffff", "#000000"), contrast("#777777", "#777777")) == (21.0, 1.0)
    assert 4.47 < contrast("#777777", "#ffffff") < 4.48


def test_grounds_are_those_of_the_style_sheet() -> None:
    """What the colour is measured on is what the pages show; so is the share of the accent in the tint."""
    light, dark = STYLE.read_text().split("@media (prefers-color-scheme: dark)", 1)
    for text, scheme in ((light, LIGHT), (dark, DARK)):
        named = dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6});", text))
        assert (named["surface"], named["ground"], named["sunken"]) == scheme.grounds
        assert named["on-accent"] == scheme.ink
    assert f"var(--surface) {100 - TINT}%, var(--accent)" in light


@both_schemes
def test_fixed_colours_can_be_read(scheme: Scheme) -> None:
    """Ink, muted, good, bad and warning text on each ground they stand on; the edge of a control 3:1."""
    light, dark = STYLE.read_text().split("@media (prefers-color-scheme: dark)", 1)
    named = dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6});", light if scheme is LIGHT else dark))
    for ground in scheme.grounds:
        for text in ("ink", "muted", "bad"):
            assert contrast(named[text], named.get(ground, ground)) >= ENOUGH, (text, ground)
        assert contrast(named["edge"], ground) >= 3, ground
    for kind in ("good", "bad", "warn"):
        assert contrast(named[kind], named[f"{kind}-ground"]) >= ENOUGH, kind
        assert contrast(named["ink"], named[f"{kind}-ground"]) >= ENOUGH, kind
    assert contrast(named["on-bad"], named["bad"]) >= ENOUGH


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "brand.name must be a name"),
        ({"name": "x" * 41}, "brand.name must be a name"),
        ({"name": " x"}, "brand.name must be a name"),
        ({"name": "Acme\u202e"}, "brand.name must be a name"),
        ({"name": "Acme\u00a0Bank"}, "brand.name must be a name"),
        ({"colour": "teal"}, "brand.colour must be a colour"),
        ({"colour": "#fff"}, "brand.colour must be a colour"),
        ({"colour": "#0f6b5c;}"}, "brand.colour must be a colour"),
        ({"logo": "missing.svg"}, "brand.logo must name a file that can be read"),
        ({"color": "#0f6b5c"}, "did you mean brand.colour?"),
    ],
)
def test_unusable_brand_stops_the_start(tmp_path: Path, given: dict[str, str], said: str) -> None:
    """With one sentence that names the key."""
    with pytest.raises(SettingsError, match=re.escape(said)):
        settings_in(tmp_path, {"brand": given})


@pytest.mark.parametrize(
    ("content", "good"),
    [
        (SVG, True),
        (PNG, True),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a - b -->\n' + SVG, True),
        (SVG + b" " * (LARGEST_LOGO - len(SVG)), True),
        (SVG + b" " * (LARGEST_LOGO - len(SVG) + 1), False),
        (b"<!DOCTYPE svg [<!ENTITY a 'b'>]>" + SVG, False),
        (b"<html><svg>", False),
        (b"GIF89a", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"", False),
    ],
)
def test_logo_is_a_picture_of_a_bearable_size(tmp_path: Path, content: bytes, good: bool) -> None:
    """SVG without a document type, or PNG, at most 64 KiB: both sides of the limit."""
    (tmp_path / "logo").write_bytes(content)
    if good:
        assert settings_in(tmp_path, {"brand": {"logo": "logo"}}).brand.logo == tmp_path / "logo"
        return
    with pytest.raises(SettingsError, match="SVG or PNG of at most 64 KiB"):
        settings_in(tmp_path, {"brand": {"logo": "logo"}})


@pytest.mark.parametrize(
    ("content", "kind", "size"), [(SVG, "image/svg+xml", (96, 32)), (PNG, "image/png", (96, 32))]
)
def test_logo_is_served_as_a_picture_and_never_stands_in_a_page(
    building: Build, tmp_path: Path, content: bytes, kind: str, size: tuple[int, int]
) -> None:
    """From our own origin, where its script may do nothing, with its size said, so that nothing moves."""
    (tmp_path / "logo").write_bytes(content)
    client = building({"brand": {"logo": str(tmp_path / "logo")}}).browser()
    page = client.get("/").text
    (source,) = re.findall(r'<img class="mark" src="(/static/logo\?v=[0-9a-f]{16})"', page)
    assert f'width="{size[0]}" height="{size[1]}" alt=""' in page
    assert "alert" not in page
    assert f'<link rel="icon" href="{source}">' in page
    answer = client.get(source)
    assert (answer.content, answer.headers["content-type"]) == (content, kind)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_without_a_logo_there_is_none(house: House) -> None:
    """404, as for any other name."""
    assert house.browser().get("/static/logo").status_code == 404
    assert house.browser().get("/static/guide.js").status_code == 404


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ('viewBox="0 0 32 32"', (32, 32)),
        ("viewBox='0,0,16,32'", (16, 32)),
        ('viewBox="0 0 3200 32"', (192, 2)),
        ('viewBox="0 0 0 32"', (32, 32)),
        ("", (32, 32)),
    ],
)
def test_size_of_a_picture_is_read_from_it(tmp_path: Path, box: str, size: tuple[int, int]) -> None:
    """32 pixels high and 192 wide at most; a square where it does not say."""
    (tmp_path / "logo.svg").write_text(f"<svg {box}></svg>")
    logo = appearance_of(Brand(logo=tmp_path / "logo.svg")).logo
    assert logo is not None
    assert (logo.width, logo.height) == size


def test_name_stands_where_ours_would(building: Build) -> None:
    """In the header, in titles and as a letter in the icon, escaped; and nobody's password may consist of it."""
    house = building({"brand": {"name": "Ärzte & <Co>", "colour": "#ffcc00"}})
    client = house.browser()
    page = client.get("/sign-in").text
    assert "· Ärzte &amp; &lt;Co&gt;</title>" in page
    assert '<text class="mark-letter" x="16" y="22.5">Ä</text>' in page
    assert ">Ä</text>" in client.get("/static/gatepost.svg").text
    assert "Gatepost" not in page
    assert ">&lt;</text>" in building({"brand": {"name": "<Co>"}}).browser().get("/static/gatepost.svg").text
    plain = building({"brand": {"name": "Lindenhof"}})
    with pytest.raises(WeakPassword):
        plain.authority.accounts.create("a@example.com", "lindenhoflindenhof1", ("member",), "test")


def test_style_sheet_holds_the_brand_and_is_kept_until_it_changes(building: Build) -> None:
    """By the address with its own tag for a year, by the bare one for an hour; unchanged it is 304."""
    sheets = []
    for colour in ("#0f6b5c", "#8a0f3c"):
        client = building({"brand": {"colour": colour}}).browser()
        (address,) = re.findall(r'<link rel="stylesheet" href="(/static/[^"]+)"', client.get("/").text)
        answer = client.get(address)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert client.get("/static/gatepost.css").headers["cache-control"] == "public, max-age=3600"
        assert client.get("/static/gatepost.css?v=0").headers["cache-control"] == "public, max-age=3600"
        again = client.get(address, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert f"--accent:{accent_for(colour, LIGHT)}" in answer.text
        sheets.append((address, answer.text))
    assert sheets[0] != sheets[1]
    assert len(sheets[0][1]) < 24_000
