"""`rdpose`, whose last process is killed once a checkpoint is there: `dies_once.py CHECKPOINT ARGUMENTS`.

The last thing that the second life prints is the names of the threads that are left when Python begins to end.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from pathlib import Path

from many import print_threads
from rdpose import cli


def die_after(checkpoint: Path) -> None:
    while not checkpoint.exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    is_last = os.environ["RANK"] == str(int(os.environ["WORLD_SIZE"]) - 1)
    if os.environ["TORCHELASTIC_RESTART_COUNT"] != "0":
        atexit.register(print_threads)
    elif is_last:
        threading.Thread(target=die_after, args=(Path(sys.argv[1]),), daemon=True).start()
    cli.main(sys.argv[2:])
