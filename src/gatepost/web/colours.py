"""The brand's colour as the pages can use it: dark enough on light grounds, light enough on dark ones.

Owns contrast (WCAG 2.2, 1.4.3) and the one way in which a colour is changed to reach it. Knows no page; the grounds are
those of gatepost.css, and a test compares them. `appearance.py` calls it.
"""

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from typing import Final

Rgb = tuple[int, int, int]
ENOUGH: Final = 4.5
"""The contrast that text of any size has (WCAG 2.2, success criterion 1.4.3)."""
_STEPS: Final = 200
TINT: Final = 10
"""How many hundredths of the accent are in the tinted ground of gatepost.css."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The grounds of one colour scheme on which the accent is text, and what is written on the accent itself.

    `least` is the contrast asked for. Bright colours glow on a dark ground, so there they are calmed and lifted more.
    """

    grounds: tuple[str, ...]
    ink: str
    end: float
    least: float
    calmed: float


LIGHT: Final = Scheme(("#ffffff", "#f6f5f1", "#eeece6"), "#ffffff", end=0.0, least=ENOUGH, calmed=1.0)
DARK: Final = Scheme(("#1c2321", "#131817", "#262e2c"), "#0b1412", end=1.0, least=6.0, calmed=0.6)


def accent_for(colour: str, scheme: Scheme) -> str:
    """The colour itself if it can be read on every ground of the scheme, else the nearest of its hue that can.

    There always is one: black on light grounds and white on dark ones have more than enough.
    """
    wanted = _rgb(colour)
    if _can_be_read(wanted, scheme):
        return colour
    hue, lightness, saturation = rgb_to_hls(*(part / 255 for part in wanted))
    saturation = min(saturation, scheme.calmed)
    steps = (lightness + (scheme.end - lightness) * step / _STEPS for step in range(_STEPS + 1))
    shades = (_scaled(hls_to_rgb(hue, one, saturation)) for one in steps)
    return _hex(next(shade for shade in shades if _can_be_read(shade, scheme)))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    return _contrast(_rgb(one), _rgb(other))


def _can_be_read(colour: Rgb, scheme: Scheme) -> bool:
    grounds = [_rgb(ground) for ground in scheme.grounds]
    tinted = _mix(grounds[0], colour, TINT)
    return all(_contrast(colour, one) >= scheme.least for one in (*grounds, tinted, _rgb(scheme.ink)))


def _contrast(one: Rgb, other: Rgb) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _mix(colour: Rgb, other: Rgb, hundredths: int) -> Rgb:
    red, green, blue = (
        round(one + (two - one) * hundredths / 100) for one, two in zip(colour, other, strict=True)
    )
    return red, green, blue


def _scaled(parts: tuple[float, float, float]) -> Rgb:
    red, green, blue = (round(part * 255) for part in parts)
    return red, green, blue


def _rgb(colour: str) -> Rgb:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _hex(colour: Rgb) -> str:
    return f"#{bytes(colour).hex()}"
