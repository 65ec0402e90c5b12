"""Draw a COCO results file over its pictures, with the HRNet family's options.

    python visualization/plot_coco.py --prediction RESULTS.json --save-path DIR

With an annotation file the pictures show the truth beside what was found.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rdpose.visualization.results import plot_results

ANNOTATIONS = Path("data/coco/annotations/person_keypoints_val2017.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prediction", required=True, help="results file in COCO format")
    parser.add_argument("--save-path", default="visualization/coco", help="folder for the drawn pictures (PNG)")
    parser.add_argument("--image-path", default="data/coco/images/val2017", help="folder or zip of the pictures")
    parser.add_argument("--gt-anno", help=f"annotation file; {ANNOTATIONS} if it is there")
    parser.add_argument("--style", default="person", help="person, side, parts; or the family's chunhua, xiaochu")
    parser.add_argument("--num", type=int, help="the first so many pictures")
    parser.add_argument("--min-score", type=float, default=0.3, help="leave out people below this score")
    given = parser.parse_args()
    if not Path(given.prediction).is_file():
        raise SystemExit(f"error: {given.prediction} does not exist; {where_results_lie()}")
    annotations = given.gt_anno or (ANNOTATIONS if ANNOTATIONS.exists() else None)
    files = plot_results(
        given.prediction,
        given.save_path,
        images=given.image_path,
        annotations=annotations,
        style=given.style,
        num=given.num,
        min_score=given.min_score,
    )
    try:
        count = sum(1 for _ in files)
        print(f"{count} pictures in {given.save_path}, with people of a score from {given.min_score:g} (--min-score)")
    except (ValueError, FileNotFoundError) as error:
        taken = f" (truth of {annotations}; --gt-anno names another)" if annotations and not given.gt_anno else ""
        raise SystemExit(f"error: {error}{taken}") from None


def where_results_lie(output: Path = Path("output")) -> str:
    """A sentence that names the newest results file, or where the first would be."""
    written = sorted(output.rglob("results*/keypoints_*_results.json"), key=lambda path: path.stat().st_mtime)
    newest = f": the newest is {written[-1]}" if written else ""
    return f"`rdpose test` writes results to {output}/<dataset>/<backbone>/<name>/results/{newest}"


if __name__ == "__main__":
    main()
