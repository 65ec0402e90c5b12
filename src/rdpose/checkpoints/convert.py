"""What a weights file holds, and the same weights as a safetensors file that carries its settings."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rdpose import skeletons
from rdpose.checkpoints import folders, key_maps, native, zoo
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

    A `new` that ends in .safetensors carries its settings; one without an ending is a folder for transformers, which a
    plain ViTPose can be written to.

    Args:
        skeleton: coco, crowdpose, mpii or a YAML file; the other arguments are as in `Asked`.

    Raises:
        FileNotFoundError, ValueError: as `load.read`, or as `folders.write`, or `new` has another ending.
    """
    if new.suffix not in (".safetensors", ""):
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
    write = native.save_weights if new.suffix else folders.write
    write(new, reading.tensors, reading.settings, reading.skeleton)
    size = folders.tensors_file(new).stat().st_size
    return "\n".join([str(old), *_rows(reading), f"  written to  {new} ({size / 1e6:.1f} MB)"])


def info(path: Path) -> str:
    """What a weights file of any origin holds, a line each.

    Raises:
        FileNotFoundError, ValueError: as `load.read`.
    """
    path = zoo.located(path)
    reading = weight_files.read(path)
    file = folders.tensors_file(path)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return "\n".join(
        [str(path), *_rows(reading), f"  size        {file.stat().st_size / 1e6:.1f} MB", f"  sha256      {digest}"]
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
