"""Memory of `rdpose predict` on a long video: resident memory while it runs, in one run.

    python benchmarks/video_memory.py --frames 100000           # the whole claim
    python benchmarks/video_memory.py --frames 2000             # a minute

A tiny untrained network looks at two boxes in each frame of a synthetic video; frames are drawn, encoded, followed
and written as always. Prints resident memory at tenths of the run after the first, and the drift: the last tenth's
median over the second tenth's.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from rdpose import skeletons
from rdpose.checkpoints import native
from rdpose.config.schema import ModelSettings, Settings
from rdpose.io.video import VideoWriter
from rdpose.models import builders
from rdpose.predict.run import predict

SIZE_WH = (160, 120)


def write_video(path: Path, num_frames: int) -> None:
    """A bright bar that wanders over noise."""
    noise = np.random.default_rng(0).integers(0, 120, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    with VideoWriter(path, fps=25) as writer:
        for index in range(num_frames):
            frame = noise.copy()
            x = index % (SIZE_WH[0] - 20)
            frame[20:100, x : x + 20] = 220
            writer.write(frame, index / 25)


def write_boxes(path: Path, num_frames: int) -> None:
    """Two people in each frame, one of whom walks with the bar."""
    rows = [
        {"image_id": index, "bbox": box, "score": 0.9}
        for index in range(num_frames)
        for box in ([index % (SIZE_WH[0] - 20), 20, 20, 80], [60, 10, 50, 100])
    ]
    path.write_text(json.dumps(rows))


def write_weights(path: Path) -> None:
    torch.manual_seed(0)
    settings = Settings(model=ModelSettings(backbone="resnet18", variant="plain", image_size=(32, 32)))
    network = builders.build("resnet18", "plain", num_joints=17)
    native.save_weights(path, network.state_dict(), settings, skeletons.COCO_17)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def watch(lines: Path, samples: list[tuple[int, float]], done: threading.Event) -> None:
    """Result lines written so far (by the file's size) and memory, 50 times a second: 60 frames take a third of one."""
    while not done.wait(0.02):
        try:
            samples.append((lines.stat().st_size, resident_mb()))
        except FileNotFoundError:  # not begun, or closed: the lines have become a list
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder / "long.mp4", options.frames)
        write_boxes(folder / "boxes.json", options.frames)
        write_weights(folder / "tiny.safetensors")
        samples: list[tuple[int, float]] = []
        done = threading.Event()
        watcher = threading.Thread(target=watch, args=(folder / "out/long.jsonl", samples, done))
        watcher.start()
        started = time.monotonic()
        predict(
            [str(folder / "long.mp4")],
            weights=folder / "tiny.safetensors",
            boxes=folder / "boxes.json",
            out=folder / "out",
            flip=False,
            device="cpu",
        )
        done.set()
        watcher.join()
        seconds = time.monotonic() - started
    end = samples[-1][0]
    tenths = [[mb for size, mb in samples if k <= 10 * size / end < k + 1 + (k == 9)] for k in range(1, 10)]
    figures = [median(tenth) for tenth in tenths if tenth]
    print(f"{options.frames} frames in {seconds:.0f} s ({options.frames / seconds:.0f} a second)")
    print("MB:", " ".join(f"{figure:.1f}" for figure in figures))
    print(f"drift: {100 * (figures[-1] / figures[0] - 1):+.2f} %")


if __name__ == "__main__":
    main()
