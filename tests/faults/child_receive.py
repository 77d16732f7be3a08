"""A process of its own that takes a file in and is killed, for good, at a chosen byte or commit.

Arguments: the file, `byte`, `before` or `after`, the number of the byte or commit. Settings come from the environment.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from dying import DyingDatabase

from service.domain.people import Actor
from service.runtime import build_runtime
from service.settings import load_settings
from service.workflows.receive import Upload, receive


def kill() -> None:
    """Die; nothing after it is ever run, no `finally` either."""
    os.kill(os.getpid(), signal.SIGKILL)


class DeadlyStream:
    """A file that kills whoever reads its n-th byte."""

    def __init__(self, stream: BinaryIO, n: int | None) -> None:
        self._stream, self._left = stream, n

    def read(self, size: int, /) -> bytes:
        if self._left is not None:
            if self._left == 0:
                kill()
            size = min(size, self._left)
        piece = self._stream.read(size)
        if self._left is not None:
            self._left -= len(piece)
        return piece


def main(path: Path, when: str, n: int) -> None:
    """Receive the file."""
    rt = build_runtime(load_settings({k: v for k, v in os.environ.items() if k.startswith("ROLLCALL_")}))
    moment: dict[str, Any] = {} if when == "byte" else {when: n}
    database = DyingDatabase(rt.database, **moment, kill=kill)
    with path.open("rb") as stream:
        deadly = DeadlyStream(stream, n if when == "byte" else None)
        receive(replace(rt, database=database), "lakeside", "ehr", deadly, Upload(), Actor.operator())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
