"""Folders of transformers' `VitPoseForPoseEstimation`: config.json beside model.safetensors.

content = read("vitpose-base-simple")           # as `pickles.read` of a file
write(Path("street"), network.state_dict(), settings, skeleton)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdpose import skeletons
from rdpose.checkpoints import vit_keys
from rdpose.checkpoints.pickles import Content
from rdpose.config.schema import Settings
from rdpose.io import files
from rdpose.models.backbones import vit
from rdpose.skeletons import Skeleton

CONFIG, TENSORS, PROCESSOR = "config.json", "model.safetensors", "preprocessor_config.json"
SKELETON = "rdpose_skeleton"
"""Where config.json keeps the joints of what `write` wrote; transformers takes no notice of it."""
DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_attention_heads": 12,
    "hidden_act": "gelu",
    "patch_size": [16, 16],
    "image_size": [256, 192],
}
"""Of transformers' `VitPoseBackboneConfig`; files leave out what is as usual."""


def is_model(path: str | Path) -> bool:
    """Whether this is a folder of transformers, of whatever network."""
    return (Path(path) / CONFIG).is_file()


def tensors_file(path: Path) -> Path:
    """The file that holds the tensors of weights: that in a folder of transformers, or `path` itself."""
    return path / TENSORS if is_model(path) else path


def read(folder: str | Path) -> Content:
    """Read a network that transformers saved.

    Raises:
        FileNotFoundError: the folder lacks the tensors.
        ValueError: it holds another network than ViTPose, or one that is computed in another way than ours.
    """
    folder = Path(folder)
    config = files.read_json(folder / CONFIG)
    height, width = _checked_config(config, folder)
    skeleton = skeletons.from_dict(config[SKELETON]) if SKELETON in config else None
    if not (folder / TENSORS).is_file():
        raise FileNotFoundError(f"{folder} has no {TENSORS}; save the model there by save_pretrained(...)")
    try:
        return Content(load_file(folder / TENSORS), image_size=(width, height), skeleton=skeleton)
    except SafetensorError as error:
        raise ValueError(f"{folder / TENSORS} is a damaged safetensors file ({error}); fetch it again") from None


def write(folder: Path, tensors: Mapping[str, Tensor], settings: Settings, skeleton: Skeleton) -> None:
    """Write a plain network on ViTPose for `VitPoseForPoseEstimation.from_pretrained(folder)`.

    Raises:
        ValueError: the network is another one, which transformers does not have.
    """
    model = settings.model
    if model.backbone not in vit.VITS or model.variant != "plain" or not skeleton.joints:
        raise ValueError(
            f"a folder is written of a plain pose network on {', '.join(vit.SIZES)}, as transformers has them; this is "
            f"{model.variant} on {model.backbone}: give a name that ends in .safetensors"
        )
    if model.geometry != "udp":
        raise ValueError(
            f"transformers reads ViTPose in the geometry udp, and this network was trained in {model.geometry}: its "
            "joints would be off by up to 3 pixels of the crop; give a name that ends in .safetensors"
        )
    width, height = model.image_size
    theirs = vit_keys.to_transformers(tensors, (height // vit.PATCH, width // vit.PATCH))
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / CONFIG, _config(settings, skeleton))
    files.write_json(folder / PROCESSOR, _processor(settings))
    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in theirs.items()}
    files.write_atomically(folder / TENSORS, lambda place: save_file(plain, place, metadata={"format": "pt"}))


def _checked_config(config: Any, folder: Path) -> tuple[int, int]:
    """(height, width) of the input, where config.json describes a network that is computed as ours.

    Shapes tell the rest, and are checked when the tensors are taken.
    """
    kind = config.get("model_type") if isinstance(config, Mapping) else None
    if kind != "vitpose":
        raise ValueError(f"{folder} holds a {kind} of transformers; rdpose reads VitPoseForPoseEstimation (vitpose)")
    backbone = DEFAULTS | (config.get("backbone_config") or {})
    found = {"scale_factor": config.get("scale_factor", 4)} | backbone
    heads = {size.width: size.heads for size in vit.SIZES.values()}.get(backbone["hidden_size"])
    expected = {"scale_factor": 4, "hidden_act": "gelu", "patch_size": [16, 16]}
    expected |= {"num_attention_heads": heads} if heads else {}
    wrong = [f"{key} is {found[key]}, not {value}" for key, value in expected.items() if found[key] != value]
    if wrong:
        raise ValueError(f"{folder / CONFIG} describes no ViTPose that rdpose computes: {'; '.join(wrong)}")
    height, width = backbone["image_size"]
    return int(height), int(width)


def _config(settings: Settings, skeleton: Skeleton) -> dict[str, Any]:
    name = settings.model.backbone
    size = vit.SIZES[name.removesuffix(vit.SIMPLE)]
    labels = {str(index): joint for index, joint in enumerate(skeleton.joints)}
    return {
        "architectures": ["VitPoseForPoseEstimation"],
        "model_type": "vitpose",
        "use_simple_decoder": name.endswith(vit.SIMPLE),
        "scale_factor": 4,
        "id2label": labels,
        "label2id": {joint: int(index) for index, joint in labels.items()},
        "edges": [list(limb) for limb in skeleton.limbs],
        "backbone_config": {
            "model_type": "vitpose_backbone",
            "image_size": list(settings.model.image_size[::-1]),
            "hidden_size": size.width,
            "num_hidden_layers": size.depth,
            "num_attention_heads": size.heads,
            "layer_norm_eps": 1e-6,
            "out_indices": [size.depth],
        },
        SKELETON: skeletons.to_dict(skeleton),
    }


def _processor(settings: Settings) -> dict[str, Any]:
    width, height = settings.model.image_size
    return {"image_processor_type": "VitPoseImageProcessor", "size": {"height": height, "width": width}}
