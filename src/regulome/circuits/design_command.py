"""The command ``regulome design``: checks first, then the work with a progress bar, then the files."""

import os
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from regulome.circuits import design_files
from regulome.circuits.design import DesignSettings, design
from regulome.circuits.design_bench import bench
from regulome.circuits.task_file import read_task
from regulome.errors import UserError
from regulome.progress import duration


class Bar:
    """One progress bar a stage on a terminal; nothing elsewhere."""

    def __init__(self):
        self.bar, self.what = None, ""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` updates of a stage are made."""
        if not sys.stderr.isatty():
            return
        if what != self.what:
            self.close()
            self.bar, self.what = tqdm(total=total, desc=what, unit=" updates", leave=True), what
        self.bar.update(max(0, done - self.bar.n))

    def close(self) -> None:
        """End the line of the last stage."""
        if self.bar is not None:
            self.bar.close()


def run(task_file: Path, out: Path, settings: dict, threads: int | None, force: bool) -> bool:
    """Design a circuit for the task of a file and write it; whether it is validated.

    Raises
    ------
    UserError
        If the file, an option or the folder is no good: then nothing has been written.
    """
    task = read_task(task_file)
    chosen = DesignSettings(**settings)
    if threads is not None and threads < 1:
        raise UserError(f"--threads is {threads}, expected at least 1")
    bench(task, chosen.seed)  # refuses a task without a function before anything is trained
    design_files.check(out, force)
    torch.set_num_threads(threads or os.cpu_count() or 1)
    began, bar = time.monotonic(), Bar()
    try:
        result = design(task, chosen, bar)
    finally:
        bar.close()
    design_files.write(result, task_file, out)
    print(design_files.verdict(result))
    print(f"{result.candidates[result.candidates['chosen']].iloc[0].in_words}")
    print(f"{out / 'summary.md'} (in {duration(time.monotonic() - began)})")
    return result.validated
