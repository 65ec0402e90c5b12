"""The command line: parses, calls one function each, prints.

Errors that a person can mend are one sentence on standard error and exit status 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from rdpose.config.defaults import MIN_SCORE
from rdpose.utils import malloc
from rdpose.utils.command_line import (
    Backbone,
    Config,
    DetectorName,
    KeepDuplicates,
    MinScore,
    Overrides,
    Sources,
    refuse_options,
    sentence,
    show_messages,
)

app = typer.Typer(name="rdpose", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

FREE = {"ignore_unknown_options": True}
INTERRUPTED = 130


def _version(asked: bool) -> None:
    if asked:
        print(f"rdpose {metadata.version('rdpose')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Top-down human pose estimation for crowded pictures."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for data, training, pictures.")] = Path("demo"),
    seed: int = 0,
) -> None:
    """Find people in a photograph; then render crowds, train on them, test, and draw: no data, no weights needed."""
    from rdpose.demo import run

    for line in run(out, seed=seed):
        print(line)


@app.command(context_settings=FREE)
def train(
    config: Config,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's checkpoint.")] = False,
) -> None:
    """Train a network; under `torchrun -m rdpose train ...` on several processes."""
    from rdpose.engine import trainer
    from rdpose.utils import distributed

    weights = trainer.train(_request("train", config, overrides).settings, resume=resume)
    if distributed.is_main():
        print(f"weights: {weights}")


@app.command(context_settings=FREE)
def test(
    config: Config,
    overrides: Overrides = None,
    weights: Annotated[Path | None, typer.Option("--weights", "-w", help="By default the run's best.")] = None,
    boxes: Annotated[Path | None, typer.Option(help="Detected boxes to look at (COCO results).")] = None,
    backbone: Backbone = None,
) -> None:
    """Test a network: a results file and the table of its figures."""
    from rdpose.config import loading
    from rdpose.engine import tester

    request = _request("test", config, [*(overrides or []), *([f"model.backbone={backbone}"] if backbone else [])])
    settings = request.settings
    if boxes:
        settings = loading.replaced(settings, {"data.test.boxes": str(boxes.resolve()), "test.boxes": "detected"})
    named = Path(request.weights) if request.weights else None
    scores = tester.test_weights(settings, weights or named, bgr=request.bgr)
    if scores:
        print(scores)


@app.command(name="eval")
def evaluate(
    results: Annotated[Path, typer.Argument(help="Results file in COCO format.")],
    annotations: Annotated[Path, typer.Option(help="Annotation file to measure against.")],
    metric: Annotated[str, typer.Option(help="coco, crowdpose, crowdpose-published, ochuman, mpii or pck.")] = "coco",
    skeleton: Annotated[str | None, typer.Option(help="coco, crowdpose, mpii or a YAML file.")] = None,
) -> None:
    """The figures of a results file, without a network."""
    from rdpose import evaluation, skeletons
    from rdpose.io.parsed import ParsedFile

    joints = skeletons.get(skeleton) if skeleton else None
    found, truth = ParsedFile(results), ParsedFile(annotations)
    print(evaluation.evaluate(found, truth, metric=metric, skeleton=joints))
    if left_out := evaluation.left_out(found, truth):
        print(left_out, file=sys.stderr)


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="One results file, or two to be set side by side.")],
    annotations: Annotated[Path, typer.Option(help="Annotation file to measure against.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Page to write.")] = Path("report.html"),
    skeleton: Annotated[str | None, typer.Option(help="coco, crowdpose, mpii or a YAML file.")] = None,
    names: Annotated[str | None, typer.Option(help="How the page calls the results: ours,theirs.")] = None,
) -> None:
    """One page that tells where the errors are: tables, curves, error kinds, worst and typical people."""
    from rdpose import report as reports
    from rdpose import skeletons

    joints = skeletons.get(skeleton) if skeleton else None
    called = [name.strip() for name in names.split(",")] if names else None
    print(reports.write(results, annotations, images, out, skeleton=joints, names=called))


@app.command()
def predict(
    sources: Sources,
    weights: Annotated[Path | None, typer.Option("--weights", "-w", help="By default the bundled network.")] = None,
    backbone: Backbone = None,
    boxes: Annotated[Path | None, typer.Option(help="File of boxes: COCO detections or annotations.")] = None,
    detector: DetectorName = None,
    min_score: MinScore = MIN_SCORE,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for results.")] = Path("predictions"),
    pictures: Annotated[bool, typer.Option(help="Write drawn pictures and videos.")] = True,
    heatmaps: Annotated[bool, typer.Option("--heatmaps", help="Write heatmaps of each person too.")] = False,
    conf: Annotated[float, typer.Option(help="Draw keypoints from this confidence on.")] = 0.3,
    style: Annotated[str, typer.Option(help="Colours: person, side, parts, chunhua or xiaochu.")] = "person",
    show: Annotated[bool, typer.Option("--show", help="Show videos and cameras in a window; q ends it.")] = False,
    keep_duplicates: KeepDuplicates = False,
    flip: Annotated[bool | None, typer.Option(help="Average with the mirrored crop; by default as trained.")] = None,
    zoom: Annotated[bool, typer.Option(help="Look again at what the weights say; without it half the time.")] = True,
    batch_size: Annotated[int, typer.Option(help="People that go through the network at once.")] = 32,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that --out already holds.")] = False,
) -> None:
    """Find people in pictures and videos; exits with 1 if a picture could not be read, 130 if interrupted."""
    from rdpose.predict import job, run

    find = partial(run.predict, sources, out=out, overwrite=overwrite, draw=pictures, heatmaps=heatmaps)
    summary = find(
        weights=weights,
        backbone=backbone,
        boxes=boxes,
        detector=detector,
        min_score=min_score,
        look=job.Look(conf, style, show),
        keep_duplicates=keep_duplicates,
        flip=flip,
        zoom=None if zoom else (),
        batch_size=batch_size,
        device=device,
    )
    raise typer.Exit(summary.tell())


@app.command(context_settings=FREE)
def show(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Picture to write.")] = Path("show.png"),
    num: Annotated[int, typer.Option(help="People to show.")] = 8,
) -> None:
    """Draw training crops with their joints, neighbours and targets, to look at before one trains."""
    from rdpose.engine import preview

    print(preview.show(_request("show", config, overrides).settings, out, num=num))


@app.command()
def convert(
    old: Annotated[Path, typer.Argument(help="Weights of HRNet, SimpleBaseline, ViTPose, RDPose, mmpose or ours.")],
    new: Annotated[Path, typer.Argument(help="File to write, .safetensors; or a folder, for transformers.")],
    variant: Annotated[str | None, typer.Option(help="What decouples, where the file does not say.")] = None,
    skeleton: Annotated[str | None, typer.Option(help="coco, crowdpose, mpii or a YAML file.")] = None,
    image_size: Annotated[tuple[int, int] | None, typer.Option(help="Width and height of the crop.")] = None,
    geometry: Annotated[str | None, typer.Option(help="hrnet, udp or darkpose, where the file does not say.")] = None,
    bgr: Annotated[bool | None, typer.Option("--bgr/--rgb", help="Order of colours that it was trained on.")] = None,
    allow_missing: Annotated[list[str] | None, typer.Option(help="Keys that may be missing.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Keys that may be left over.")] = None,
) -> None:
    """Convert other projects' weights into a file that carries its settings."""
    from rdpose.checkpoints import convert as converting

    print(
        converting.convert(
            old,
            new,
            variant=variant,
            skeleton=skeleton,
            image_size=image_size,
            geometry=geometry,
            bgr=bgr,
            allow_missing=tuple(allow_missing or ()),
            ignore=tuple(ignore or ()),
        )
    )


@app.command()
def export(
    weights: Annotated[Path, typer.Option("--weights", "-w", help="Weights of any layout.")],
    backbone: Backbone = None,
    format: Annotated[str, typer.Option(help="onnx or openvino.")] = "onnx",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="By default beside the weights.")] = None,
    decode: Annotated[bool, typer.Option("--decode", help="Give joints and confidence too.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Compute in 8 bits; needs --calibrate.")] = False,
    calibrate: Annotated[Path | None, typer.Option(help="Folder of pictures for ranges and check.")] = None,
    annotations: Annotated[Path | None, typer.Option(help="COCO file of the people in them; else whole.")] = None,
) -> None:
    """Write a network for ONNX Runtime or OpenVINO, checked against torch."""
    from rdpose import export as exporting

    print(
        exporting.export(
            weights,
            out,
            backbone=backbone,
            format=format,
            decode=decode,
            int8=int8,
            calibrate=calibrate,
            annotations=annotations,
        )
    )


@app.command()
def info(file: Annotated[Path, typer.Argument(help="Weights of any layout.")]) -> None:
    """What a weights file holds."""
    from rdpose.checkpoints import convert as converting

    print(converting.info(file))


@app.command()
def weights(
    name: Annotated[str | None, typer.Argument(help="Which to fetch; none lists them.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to fetch into.")] = Path("models/pytorch"),
) -> None:
    """List known public weights, or fetch one."""
    from rdpose.checkpoints import zoo

    print(zoo.fetch(name, out) if name else zoo.table())


def _request(command: str, config: Path, overrides: Sequence[str] | None):
    """Settings and weights that a file and its overrides ask for; what has no meaning here is said."""
    from rdpose.compat import settings as legacy
    from rdpose.utils import distributed

    refuse_options(command, overrides or (), typer.main.get_command(app).commands[command])  # pyrefly: ignore
    request = legacy.read(config, list(overrides or []))
    for note in request.notes if distributed.is_main() else ():
        print(note, file=sys.stderr)
    return request


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line (`sys.argv` by default); exits with its status."""
    malloc.keep_freed()
    show_messages()
    try:
        app(args=list(arguments) if arguments is not None else None)
    except (ValueError, OSError, ImportError) as error:
        print(f"rdpose: {sentence(error)}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer has turned the KeyboardInterrupt into this status
            given = arguments if arguments is not None else sys.argv[1:]
            trains = [*given[:1]] == ["train"]  # a folder may be called so, too
            print("rdpose: interrupted" + ("; `rdpose train` goes on with --resume" if trains else ""), file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
