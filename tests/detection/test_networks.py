"""Detectors that are networks: tiny random ones of transformers, and an ONNX one that answers what it was told."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from rdpose import detection
from rdpose.detection import onnx_detector
from rdpose.detection.named import NamedDetector
from rdpose.io import images
from tiny_detectors import PERSON, d_fine, rt_detr, save

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (60, 90, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path):
    """Writes a randomly initialised detector as `save_pretrained` does."""
    pytest.importorskip("transformers")
    return lambda make, labels=PERSON: save(make, str(tmp_path), labels)


@pytest.mark.parametrize("make", [rt_detr, d_fine])
def test_transformers(folder, make) -> None:
    detector = detection.load(folder(make), min_score=0.0, device="cpu")
    boxes, scores = detector(PICTURE)
    assert len(boxes) == len(scores) == 12
    assert boxes.dtype == scores.dtype == np.float32
    assert (boxes >= 0).all()
    assert (boxes <= (90, 60, 90, 60)).all()
    assert (np.diff(scores) <= 0).all()
    middle = float(np.median(scores))
    surer = detection.load(folder(make), min_score=middle, device="cpu")(PICTURE)
    assert surer.scores.tolist() == pytest.approx(scores[scores >= middle].tolist(), abs=1e-5)


def test_only_people_are_found(folder) -> None:
    """The labels of one network named in two ways share its boxes between them."""
    both = [
        detection.load(folder(rt_detr, labels), min_score=0.0, device="cpu")(PICTURE)
        for labels in ({0: "person", 1: "dog"}, {0: "dog", 1: "person"})
    ]
    assert sum(len(found.scores) for found in both) == 12


def test_detectors_of_other_things_are_refused(folder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="knows no label `person`; it has cat, dog"):
        detection.load(folder(rt_detr, {0: "cat", 1: "dog"}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no detector '.*empty': .*; give dfine, rtdetr"):
        detection.load(str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("d-fine", r"^no detector is called 'd-fine': give dfine, rtdetr, whole, .*; did you mean dfine\?$"),
        ("RTDETR", "did you mean rtdetr"),
        ("all", r"^no detector is called 'all': .* or an \.onnx file$"),
        ("./gone/folder", r"^\./gone/folder does not exist: a detector is a folder"),
        ("/gone/folder", r"^/gone/folder does not exist"),
        ("gone.onnx", r"^gone\.onnx does not exist"),
    ],
)
def test_a_name_that_is_no_detectors_is_refused_at_once(name: str, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        detection.load(name)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        NamedDetector(name)


def test_a_hub_is_asked_once_and_the_true_reason_told(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"^no detector 'me/gone': http://127.* cannot be reached: .*refused; give"):
        detection.load("me/gone")
    assert time.monotonic() - started < 60
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE forbids"):
        detection.load("me/gone")


def test_a_hub_that_has_no_such_detector_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    asked: list[str] = []

    class Empty(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(ValueError, match=r"'me/gone': http://127.* has no public network of this name; give"):
            detection.load("me/gone")
        server.shutdown()
    assert asked == ["/me/gone/resolve/main/config.json"]


def write_onnx(path: Path, outputs: dict[str, np.ndarray], *, half: bool = False, **about: object) -> Path:
    """A network whose outputs are constants plus nothing of its input (in `half` precision), and its description."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [helper.make_node("ReduceSum", ["image"], ["sum"], keepdims=0)]
    nodes += [helper.make_node("Mul", ["sum", "zero"], ["nothing"])]
    nodes += [helper.make_node("Add", [f"{name}_value", "nothing"], [name]) for name in outputs]
    kind, dtype = (kinds.FLOAT16, np.float16) if half else (kinds.FLOAT, np.float32)
    values = {f"{name}_value": value.astype(dtype) for name, value in outputs.items()}
    values["zero"] = np.zeros((), dtype)
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("image", kind, [1, 3, 32, 64])],
        [helper.make_tensor_value_info(name, kind, value.shape) for name, value in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    path.with_suffix(".yaml").write_text(yaml.safe_dump({"size": [64, 32], **about}))
    return path


XYXY = np.array([[[8, 4, 40, 28], [9, 4, 40, 28], [0, 0, 6, 6.0]]])
CENTERS = np.array([[[24, 16, 32, 24], [24.5, 16, 31, 24], [3, 3, 6, 6.0]]])
SCORES = np.array([[0.9, 0.8, 0.7]])
CLASSES = np.stack([1 - SCORES, SCORES], axis=-1)


@pytest.mark.parametrize(
    ("outputs", "about", "expected"),
    [
        ({"b": XYXY, "s": SCORES}, {"boxes": "b", "scores": "s"}, [0, 2]),
        ({"b": XYXY, "s": SCORES}, {"boxes": "b", "scores": "s", "nms": 1.0}, [0, 1, 2]),
        ({"b": CENTERS, "s": CLASSES}, {"boxes": "b", "scores": "s", "form": "cxcywh", "person": 1}, [0, 2]),
        ({"b": XYXY / [64, 32, 64, 32], "s": SCORES}, {"boxes": "b", "scores": "s", "unit": "share"}, [0, 2]),
        (
            {"b": XYXY, "s": SCORES, "l": np.array([[5.0, 0.0, 0.0]])},
            {"boxes": "b", "scores": "s", "labels": "l"},
            [1, 2],
        ),
        ({"b": XYXY, "s": np.log(SCORES / (1 - SCORES))}, {"boxes": "b", "scores": "s", "sigmoid": True}, [0, 2]),
        (
            {"o": np.concatenate([CENTERS, CLASSES], axis=-1).transpose(0, 2, 1)},
            {"boxes": "o[0:4]", "scores": "o[4:]", "transposed": True, "form": "cxcywh", "person": 1},
            [0, 2],
        ),
    ],
)
@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_onnx_outputs_of_many_forms(tmp_path: Path, outputs, about, expected, resize: str) -> None:
    """The picture of 128 x 96 is stretched to 64 x 32 by a half and a third, or shrunk by a third into its corner."""
    path = write_onnx(tmp_path / "detector.onnx", outputs, resize=resize, **about)
    boxes, scores = detection.load(str(path), min_score=0.5)(np.zeros((96, 128, 3), np.uint8))
    factor = np.array([2, 3, 2, 3] if resize == "stretch" else [3, 3, 3, 3])
    clipped = np.minimum(XYXY[0, expected] * factor, [128, 96, 128, 96])
    assert np.allclose(boxes, clipped, atol=1e-3)
    assert np.allclose(scores, SCORES[0, expected], atol=1e-5)


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_onnx_input_is_as_described(tmp_path: Path, color: str) -> None:
    about = {"boxes": "b", "scores": "s", "color": color, "resize": "letterbox", "mean": [10, 20, 30], "std": [2, 4, 5]}
    path = write_onnx(tmp_path / "detector.onnx", {"b": XYXY, "s": SCORES}, **about)
    picture = np.zeros((64, 64, 3), np.uint8) + np.array([50, 100, 200], np.uint8)
    tensor, _ = detection.load(str(path))._fit(picture)  # pyrefly: ignore
    expected = (50, 100, 200) if color == "rgb" else (200, 100, 50)
    assert tensor.shape == (1, 3, 32, 64)
    assert np.allclose(tensor[0, :, 0, 0], (np.array(expected) - (10, 20, 30)) / (2, 4, 5))
    assert np.allclose(tensor[0, :, 0, -1], (np.array([114] * 3) - (10, 20, 30)) / (2, 4, 5))


def test_onnx_of_half_precision(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "detector.onnx", {"b": XYXY, "s": SCORES}, half=True, boxes="b", scores="s")
    assert detection.load(str(path))(np.zeros((32, 64, 3), np.uint8)).scores.tolist() == pytest.approx(
        [0.9, 0.7], abs=1e-3
    )


def write_free_batch(
    path: Path, *, lies: bool = False, pixels: bool = False, free_sides: bool = False, **about: object
) -> Path:
    """A network (batch, 3, 32, 64) that finds one box, whose score is the mean of the picture.

    lies: it says that any batch will do, and takes one. pixels: of uint8. free_sides: of any height and width.
    """
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=kinds.FLOAT),
        helper.make_node("Reshape", ["floats", "flat"], ["row"]),
        helper.make_node("ReduceMean", ["row"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Div", ["mean", "most"], ["s"]),
        helper.make_node("Mul", ["s", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "last"], ["wide"]),
        helper.make_node("Add", ["wide", "box"], ["b"]),
    ]
    arrays = {
        "flat": np.array([1 if lies else -1, 3 * 32 * 64] if not free_sides else [0, -1]),
        "most": np.array(255 if pixels else 1, np.float32),
        "zero": np.zeros((), np.float32),
        "last": np.array([2]),
        "box": XYXY[:, :1].astype(np.float32),
    }
    sides = ["height", "width"] if free_sides else [32, 64]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("image", kinds.UINT8 if pixels else kinds.FLOAT, ["batch", 3, *sides])],
        [helper.make_tensor_value_info("b", kinds.FLOAT, None), helper.make_tensor_value_info("s", kinds.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    path.with_suffix(".yaml").write_text(yaml.safe_dump({"size": [64, 32], "boxes": "b", "scores": "s", **about}))
    return path


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("lies", [False, True])
def test_several_pictures_are_looked_at_together_and_each_as_if_alone(tmp_path: Path, lies: bool, pixels: bool) -> None:
    detector = detection.load(str(write_free_batch(tmp_path / "detector.onnx", lies=lies, pixels=pixels)))
    pictures = [np.full((32 * n, 64 * n, 3), 60 * n, np.uint8) for n in (1, 2, 3)]
    found = detection.find_all(detector, pictures, ["", "", ""])
    assert [len(one.scores) for one in found] == [0, 1, 1]
    assert np.allclose([one.scores[0] for one in found[1:]], [120 / 255, 180 / 255])
    assert [one.boxes_xyxy.tolist() for one in found[1:]] == [(XYXY[0, :1] * n).tolist() for n in (2, 3)]
    for picture, together in zip(pictures, found, strict=True):
        alone = detector(picture)
        assert np.array_equal(alone.boxes_xyxy, together.boxes_xyxy)
        assert np.array_equal(alone.scores, together.scores)
    assert detector._takes_batches != lies  # pyrefly: ignore


def test_an_input_keeps_its_area_and_follows_the_shape_of_the_picture(tmp_path: Path) -> None:
    shapes = [(640, 480), (480, 640), (1000, 1000), (1920, 1080), (5000, 500), (1, 4000)]
    sizes = [onnx_detector.area_size((416, 416), shape) for shape in shapes]
    assert sizes == [(480, 352), (352, 480), (416, 416), (544, 320), (736, 256), (256, 736)]
    path = write_free_batch(tmp_path / "detector.onnx", pixels=True, free_sides=True, resize="area")
    seen: list[tuple[int, ...]] = []
    detector = detection.load(str(path), min_score=0)
    run = detector._run  # pyrefly: ignore
    detector._run = lambda tensor: seen.append(tensor.shape) or run(tensor)  # pyrefly: ignore
    pictures = [np.full(shape, value, np.uint8) for shape, value in (((50, 100, 3), 51), ((90, 45, 3), 102))]
    found = detection.find_all(detector, [*pictures, pictures[0]], [""] * 3)
    assert np.allclose([one.scores[0] for one in found], [0.2, 0.4, 0.2])
    assert np.allclose(found[0].boxes_xyxy, [[12.5, 6.25, 62.5, 43.75]])
    assert np.allclose(found[1].boxes_xyxy, [[11.25, 5.625, 45, 39.375]])
    assert sorted(seen[1:]) == [(1, 3, 64, 32), (2, 3, 32, 64)]


def test_an_input_of_fixed_sides_cannot_follow_the_picture(tmp_path: Path) -> None:
    path = write_free_batch(tmp_path / "detector.onnx", resize="area")
    with pytest.raises(
        ValueError, match=r"detector\.onnx: `resize: area` needs an input of free height and width, .*\(32, 64\)"
    ):
        detection.load(str(path))


def test_a_network_of_pixels_needs_no_mean(tmp_path: Path) -> None:
    path = write_free_batch(tmp_path / "detector.onnx", pixels=True, mean=[0, 0, 0])
    with pytest.raises(ValueError, match=r"detector\.onnx: the input image takes pixels of 0 to 255; leave out `mean`"):
        detection.load(str(path))


def test_detectors_that_take_one_picture_are_called_for_each() -> None:
    def own(picture: np.ndarray, name: str = "") -> detection.Detections:
        return detection.Detections(np.array([[0, 0, len(name), len(picture)]], np.float32), np.ones(1, np.float32))

    found = detection.find_all(own, [PICTURE, PICTURE[:9]], ["a", "bcd"])
    assert [one.boxes_xyxy.tolist() for one in found] == [[[0, 0, 1, 60]], [[0, 0, 3, 9]]]


def test_the_whole_picture_has_to_be_asked_for() -> None:
    boxes, scores = detection.load("whole")(PICTURE)
    assert (boxes.tolist(), scores.tolist()) == ([[0, 0, 90, 60]], [1])


def test_the_bundled_detector_finds_nobody_in_an_empty_picture_and_needs_no_name() -> None:
    detector = detection.load(threads=1)
    pictures = [np.full((100, 300, 3), 128, np.uint8), PICTURE]
    assert [len(one.scores) for one in detection.find_all(detector, pictures, ["", ""])] == [0, 0]


def test_the_bundled_detector_finds_people_in_any_batch(shared_data: Path) -> None:
    pictures = [images.read(path) for path in sorted(shared_data.glob("samples/coco/*.jpg"))]
    detector = detection.load(min_score=0.1, threads=1)
    together = detection.find_all(detector, pictures, [""] * len(pictures))
    assert all(len(found.scores) and found.scores[0] > 0.5 for found in together)
    for picture, found in zip(pictures, together, strict=True):
        alone = detector(picture)
        assert np.allclose(alone.boxes_xyxy, found.boxes_xyxy, atol=1e-2)
        assert np.allclose(alone.scores, found.scores, atol=1e-4)


def test_a_package_without_a_detector_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "BUNDLED", "weights/none.onnx")
    with pytest.raises(FileNotFoundError, match=r"no detector of its own .*none\.onnx.: name one, or give boxes"):
        detection.load()


MANY = np.zeros((1, 12, 6))
BOX_AND_SCORE = {"boxes": "b", "scores": "s"}
COLUMNS = {"boxes": "o[0:4]", "scores": "o[4:]"}


@pytest.mark.parametrize(
    ("outputs", "about", "message"),
    [
        (
            {"b": XYXY, "s": SCORES},
            BOX_AND_SCORE | {"size": [32, 32]},
            r"image is \(1, 3, 32, 64\), and `size: \[32, 32\]`",
        ),
        (
            {"b": XYXY, "s": CLASSES},
            BOX_AND_SCORE | {"person": 7},
            r"`scores: s` has 2 columns, `person: 7` is none of",
        ),
        ({"b": XYXY, "s": CLASSES}, BOX_AND_SCORE | {"person": -1}, r"`person: -1` is none of"),
        (
            {"o": MANY},
            {"boxes": "o[0:4]", "scores": "o[6:]"},
            r"`scores: o\[6:\]` has 12 rows of 0, .*o is \(1, 12, 6\)$",
        ),
        ({"o": MANY}, {"boxes": "o[0:3]", "scores": "o[4:]"}, r"`boxes: o\[0:3\]` has 3 columns, and a box has 4"),
        ({"o": MANY.transpose(0, 2, 1)}, COLUMNS, r"has 8 columns of only 6 boxes; write `transposed:` true, or false"),
        (
            {"b": MANY[..., :4].transpose(0, 2, 1), "s": MANY[..., 0]},
            BOX_AND_SCORE,
            r"\(1, 4, 12\): is `transposed` right\?",
        ),
        ({"o": MANY}, COLUMNS | {"transposed": True}, r"\(1, 12, 6\): is `transposed` right\?"),
        ({"b": XYXY, "s": SCORES[:, :2]}, BOX_AND_SCORE, r"`scores: s` has 2 rows of 1, `boxes` has 3 of 4"),
        ({"b": XYXY, "s": SCORES, "l": SCORES[:, :2]}, BOX_AND_SCORE | {"labels": "l"}, "gives 2 labels for 3 boxes"),
        ({"o": MANY[0]}, COLUMNS, r"`boxes: o\[0:4\]` is not \(1, n, columns\); the output o is \(12, 6\)"),
    ],
)
def test_outputs_that_are_not_as_described_are_told_at_once(tmp_path: Path, outputs, about, message: str) -> None:
    path = write_onnx(tmp_path / "detector.onnx", outputs, **about)
    with pytest.raises(ValueError, match=rf"^\S*detector\.onnx: .*{message}"):
        detection.load(str(path))


def test_networks_that_cannot_be_run_on_a_picture_are_told(tmp_path: Path) -> None:
    """One that takes any size until it is run, and one that wants more than the picture."""
    onnx = pytest.importorskip("onnx")
    path = write_onnx(tmp_path / "detector.onnx", {"b": XYXY, "s": SCORES}, **BOX_AND_SCORE | {"size": [32, 32]})
    model = onnx.load(path)
    for place in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = f"side{place}"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([3 * 32 * 64]), "flat"))
    model.graph.node[0].input[0] = "pixels"
    model.graph.node.insert(0, onnx.helper.make_node("Reshape", ["image", "flat"], ["pixels"]))
    onnx.save(model, path)
    with pytest.raises(ValueError, match=r"detector\.onnx does not run with `size: \[32, 32\]` \(.*; write the size"):
        detection.load(str(path))
    model.graph.input.append(onnx.helper.make_tensor_value_info("orig_size", onnx.TensorProto.INT64, [1, 2]))
    onnx.save(model, path)
    with pytest.raises(ValueError, match=r"detector\.onnx takes 2 inputs \(image, orig_size\); export it with"):
        detection.load(str(path))


def test_many_labels_of_few_boxes_are_taken_where_the_description_says_so(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "detector.onnx", {"o": MANY.transpose(0, 2, 1)}, **COLUMNS, transposed=False)
    assert not len(detection.load(str(path))(PICTURE).scores)


def test_a_broken_network_is_named(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "detector.onnx", {"b": XYXY, "s": SCORES}, **BOX_AND_SCORE)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"detector\.onnx is damaged or no network \(.*; fetch or export it again"):
        detection.load(str(path))


def test_wrong_descriptions_are_told(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "detector.onnx", {"b": XYXY, "s": SCORES}, boxes="b", scores="points")
    with pytest.raises(ValueError, match="has no output points; it has b, s"):
        detection.load(str(path))
    path.with_suffix(".yaml").write_text("size: [64, 32]\nboxes: b\nscores: s\nform: corners")
    with pytest.raises(ValueError, match=r"detector\.yaml does not describe a detector: form: .*xyxy"):
        detection.load(str(path))
    path.with_suffix(".yaml").unlink()
    with pytest.raises(FileNotFoundError, match=r"detector\.yaml does not exist"):
        detection.load(str(path))
