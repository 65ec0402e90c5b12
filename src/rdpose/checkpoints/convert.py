"""What a weights file holds, and the same weights as a safetensors file that carries its settings."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rdpose import skeletons
from rdpose.checkpoints import key_maps, native, zoo
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints.infer_config import Asked
from rdpose.checkpoints.load import Reading


def convert(
    old: Path,
    new: Path,
    *,
    variant: str | None = None,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    geometry: str | None = None,
    bgr: bool | None = None,
    allow_missing: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
) -> str:
    """Write the weights of `old` (any origin, see `load.read`) to `new`; returns what was done.

    Args:
        skeleton: coco, crowdpose, mpii or a YAML file; the other arguments are as in `Asked`.

    Raises:
        FileNotFoundError, ValueError: as `load.read`, or `new` does not end in .safetensors.
    """
    if new.suffix != ".safetensors":
        raise ValueError(f"{new} does not end in .safetensors, the one kind of file that is written; rename it")
    asked = Asked(
        variant=variant,
        skeleton=skeletons.get(skeleton) if skeleton else None,
        image_size=image_size,
        geometry=geometry,
        bgr=bgr,
        allow_missing=allow_missing,
        ignore=ignore,
    )
    reading = weight_files.read(old, asked)
    weight_files.refuse_nameless(reading, old)
    native.save_weights(new, reading.tensors, reading.settings, reading.skeleton)
    return "\n".join([str(old), *_rows(reading), f"  written to  {new} ({new.stat().st_size / 1e6:.1f} MB)"])


def info(path: Path) -> str:
    """What a weights file of any origin holds, a line each.

    Raises:
        FileNotFoundError, ValueError: as `load.read`.
    """
    path = zoo.located(path)
    reading = weight_files.read(path)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return "\n".join(
        [str(path), *_rows(reading), f"  size        {path.stat().st_size / 1e6:.1f} MB", f"  sha256      {digest}"]
    )


def _rows(reading: Reading) -> list[str]:
    model, skeleton = reading.settings.model, reading.skeleton
    joints = f"{skeleton.num_joints} of {skeleton.name}: {', '.join(skeleton.joints)}"
    parameters = sum(tensor.numel() for key, tensor in reading.tensors.items() if key_maps.is_learned(key))
    rows = {
        "layout": reading.layout,
        "name": reading.settings.name,
        "backbone": model.backbone,
        "variant": model.variant if skeleton.joints else "",
        "joints": joints if skeleton.joints else "none: a backbone, to start a training from (model.init)",
        "input": f"{model.image_size[0]}x{model.image_size[1]} (width x height)" if skeleton.joints else "",
        "geometry": model.geometry if skeleton.joints else "",
        "parameters": f"{parameters:,}",
        "training": ", ".join(f"{key} {value:.4g}" for key, value in reading.figures.items()),
    }
    shown = [f"  {title:<12}{value}" for title, value in rows.items() if value]
    return shown + [f"  {'note':<12}{note}" for note in reading.notes]
