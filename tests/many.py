"""Several processes: started by torchrun, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def torchrun(processes: int, *arguments: str | Path, options: tuple[str, ...] = ()) -> str:
    """What the processes print; all of them have to end well."""
    return torchrun_and_told(processes, *arguments, options=options)[0]


def torchrun_and_told(processes: int, *arguments: str | Path, options: tuple[str, ...] = ()) -> tuple[str, str]:
    """The same, and what they say on standard error."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), *options)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def print_threads() -> None:
    """The names of this process's threads; at exit, of those that are left when Python begins to end."""
    print("threads:", *(path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")))


def assert_no_thread_of_the_group(out: str) -> None:
    """Of two processes that print their threads at exit; a thread of gloo's would abort its process now and then."""
    assert out.count("threads:") == 2, out
    assert "gloo" not in out, out
