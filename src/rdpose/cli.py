"""The command line: parses, calls one function each, prints.

Errors that a person can mend are one sentence on standard error and exit status 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="rdpose",
    help="Top-down human pose estimation for crowded pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[Path, typer.Argument(help="Settings file, ours or the HRNet family's.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, or KEY value as in the HRNet family.")]
FREE = {"ignore_unknown_options": True}
INTERRUPTED = 130


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the data, the training and the pictures.")] = Path("demo"),
    seed: int = 0,
) -> None:
    """Render crowds, train on them, test, and draw what was found: no data and no weights needed."""
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
    from rdpose import distributed, training

    settings, _ = _request(config, overrides)
    weights = training.train(settings, resume=resume)
    if distributed.is_main():
        print(f"weights: {weights}")


@app.command(context_settings=FREE)
def test(
    config: Config,
    overrides: Overrides = None,
    weights: Annotated[Path | None, typer.Option(help="Weights to test; by default the run's best.")] = None,
    boxes: Annotated[Path | None, typer.Option(help="Detected boxes to look at (COCO results).")] = None,
) -> None:
    """Test a network: a results file and the table of its figures."""
    from rdpose import testing

    settings, named = _request(config, [*(overrides or []), *(_boxes(boxes) if boxes else [])])
    scores = testing.test_weights(settings, weights or named or None)
    if scores:
        print(scores)


@app.command(name="eval")
def evaluate(
    results: Annotated[Path, typer.Argument(help="Results file in COCO format.")],
    annotations: Annotated[Path, typer.Option(help="Annotation file to measure against.")],
    metric: Annotated[str, typer.Option(help="coco, crowdpose, ochuman, mpii or pck.")] = "coco",
) -> None:
    """The figures of a results file, without a network."""
    from rdpose import evaluation

    print(evaluation.evaluate(results, annotations, metric=metric))


@app.command(context_settings=FREE)
def show(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Picture to write.")] = Path("show.png"),
    num: Annotated[int, typer.Option(help="People to show.")] = 8,
) -> None:
    """Draw training crops with their joints, neighbours and targets, to look at before one trains."""
    from rdpose import showing

    print(showing.show(_request(config, overrides)[0], out, num=num))


def _request(config: Path, overrides: Sequence[str] | None):
    """Settings and weights that a file and its overrides ask for; what has no meaning here is said."""
    from rdpose.legacy import settings as legacy

    request = legacy.read(config, list(overrides or []))
    for note in request.notes:
        print(note, file=sys.stderr)
    return request.settings, Path(request.weights) if request.weights else None


def _boxes(path: Path) -> list[str]:
    return [f"data.test.boxes={path.resolve()}", "test.boxes=detected"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line (`sys.argv` by default); exits with its status."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except (ValueError, OSError) as error:
        print(f"rdpose: {sentence(error)}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer has turned the KeyboardInterrupt into this status
            print("rdpose: interrupted; a training goes on with --resume", file=sys.stderr)
        raise


def sentence(error: Exception) -> str:
    """An error's own words; a loader's worker wraps them in its traceback."""
    wrapped = re.search(r"Original Traceback.*\n\w*(?:Error|Exception)\w*: (.*)", str(error), re.DOTALL)
    return wrapped.group(1).strip() if wrapped else str(error)


if __name__ == "__main__":
    main()
