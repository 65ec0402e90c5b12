"""What people look like: skin, hair, and clothes as fabrics with patterns; drawn so that teams may share them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

Colour = tuple[float, float, float]
HAIR_STYLES = (*("short",) * 6, *("long",) * 3, "bun", "tail", "tail", "afro", "bald")
PATTERNS = ("plain", "hoops", "stripes", "checks", "dots", "block")

SKINS: tuple[Colour, ...] = (
    *((255, 224, 196), (245, 206, 174), (234, 188, 150), (218, 168, 128), (196, 142, 104)),
    *((172, 118, 82), (141, 91, 60), (110, 70, 46), (82, 52, 36)),
)
HAIRS: tuple[Colour, ...] = (
    *((28, 24, 22), (44, 32, 26), (72, 48, 32), (104, 70, 42), (150, 108, 62), (206, 170, 110), (228, 204, 150)),
    *((150, 70, 34), (150, 148, 146), (214, 212, 208)),
)
NEUTRALS: tuple[Colour, ...] = (
    *((32, 32, 36), (240, 240, 238), (122, 124, 128), (34, 44, 78), (62, 86, 128), (196, 178, 146)),
    *((86, 76, 62), (70, 74, 80), (104, 126, 160), (206, 206, 204)),
)


@dataclass(frozen=True)
class Fabric:
    colour: Colour
    pattern: str = "plain"
    second: Colour = (0, 0, 0)
    step: float = 0.04
    """The pattern repeats after this share of the standing height."""


@dataclass(frozen=True)
class Outfit:
    """`sleeve` and `leg` count limb segments covered: 0 none, 1 to the elbow or knee, 2 to the wrist or ankle."""

    top: Fabric
    bottom: Fabric
    sleeve: float = 0.6
    leg: float = 2.0
    skirt: float = 0.0
    loose: float = 1.1
    opened: Fabric | None = None
    shoes: Fabric = Fabric((40, 40, 44))
    skin: Fabric = Fabric(SKINS[2])
    hair: Fabric = Fabric(HAIRS[1])
    hair_style: str = "short"
    hat: Fabric | None = None
    bag: Fabric | None = None
    glasses: bool = False


def sample_colour(rng: np.random.Generator, neutral: float = 0.4) -> Colour:
    """RGB 0..255: one of the colours that most clothes have, with probability `neutral`, or any hue."""
    kind, hue, saturation, value = rng.random(4).tolist()
    if kind < neutral:
        shift = 20 * (value - 0.5)
        return _colour([c + shift for c in NEUTRALS[int(hue * len(NEUTRALS))]])
    return _colour([255 * c for c in colorsys.hsv_to_rgb(hue, 0.25 + 0.65 * saturation, 0.3 + 0.66 * value)])


def sample_fabric(rng: np.random.Generator, plain: float = 0.5, neutral: float = 0.4) -> Fabric:
    pattern = "plain" if rng.random() < plain else PATTERNS[rng.integers(1, len(PATTERNS))]
    return Fabric(sample_colour(rng, neutral), pattern, sample_colour(rng, 0.5), float(rng.uniform(0.025, 0.07)))


def sample_outfit(rng: np.random.Generator, team: Outfit | None = None) -> Outfit:
    """A whole person; clothes are the team's where there is one, skin and hair are one's own."""
    clothes = team or sample_clothes(rng)
    style = HAIR_STYLES[rng.integers(len(HAIR_STYLES))]
    return replace(
        clothes,
        skin=Fabric(_jitter(rng, SKINS[rng.integers(len(SKINS))], 5)),
        hair=Fabric(_jitter(rng, HAIRS[rng.integers(len(HAIRS))], 7)),
        hair_style=style,
        hat=sample_fabric(rng, 0.9) if rng.random() < 0.14 else None,
        bag=sample_fabric(rng, 0.9) if team is None and rng.random() < 0.12 else None,
        glasses=bool(rng.random() < 0.12),
        loose=float(rng.uniform(1.02, 1.28)),
    )


def sample_clothes(rng: np.random.Generator) -> Outfit:
    """Top, bottom and shoes: shirts of any sleeve, open jackets, trousers, shorts, skirts, dresses."""
    top = sample_fabric(rng)
    kind, length = rng.random(), rng.random()
    sleeve = (0.0 if length < 0.12 else 0.55 if length < 0.56 else 1.9) + float(rng.uniform(-0.1, 0.1))
    bottom, leg, skirt = sample_fabric(rng, 0.85, 0.7), float(rng.uniform(1.9, 2.0)), 0.0
    if kind < 0.26:
        leg = float(rng.uniform(0.5, 1.15))
    elif kind < 0.42:
        leg, skirt = 0.0, float(rng.uniform(0.5, 1.5))
        bottom = top if rng.random() < 0.5 else bottom
    return Outfit(
        top=top,
        bottom=bottom,
        sleeve=max(0.0, sleeve),
        leg=leg,
        skirt=skirt,
        opened=sample_fabric(rng, 0.7) if sleeve > 1.5 and rng.random() < 0.35 else None,
        shoes=Fabric(sample_colour(rng, 0.75)),
    )


def tinted(fabric: Fabric, factor: float) -> Fabric:
    """The same, plain and darker; red fades least, as in skin."""
    red, green, blue = fabric.colour
    return Fabric((red * (0.5 + 0.5 * factor), green * factor, blue * factor))


def _jitter(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    return _colour((np.array(colour) + rng.normal(0, spread, 3)).tolist())


def _colour(values: list[float]) -> Colour:
    red, green, blue = (min(max(value, 0.0), 255.0) for value in values)
    return red, green, blue
