"""A database under which the process dies, or its disk fills, at a chosen transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from practice import Practice
from sqlalchemy import Connection

from service.storage.database import Database


class Killed(BaseException):
    """The process is dead; nothing of ours may catch this."""


class DyingDatabase(Database):
    """The same database; dies right before or right after its n-th commit, and does nothing any more from then on.

    `on_begin` is called before each transaction with the number of commits so far; `kill` is what dying means.
    """

    def __init__(
        self,
        database: Database,
        *,
        before: int | None = None,
        after: int | None = None,
        on_begin: Callable[[int], None] | None = None,
        kill: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(database._engine)
        self.before, self.after, self.on_begin = before, after, on_begin
        self._kill = kill
        self.commits = 0
        self.is_dead = False

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        self._check_alive()
        if self.on_begin:
            self.on_begin(self.commits)
        with super().begin() as connection:
            yield connection
            self.commits += 1
            if self.commits == self.before:
                self._die()
        if self.commits == self.after:
            self._die()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._check_alive()
        with super().read() as connection:
            yield connection

    def _die(self) -> None:
        if self._kill:
            self._kill()
        self.is_dead = True
        raise Killed

    def _check_alive(self) -> None:
        if self.is_dead:
            raise Killed


def lend_dying(
    practice: Practice,
    *,
    before: int | None = None,
    after: int | None = None,
    on_begin: Callable[[int], None] | None = None,
) -> DyingDatabase:
    """Give the practice's present process a database under which it dies; a restart gives it a sound one."""
    dying = DyingDatabase(practice.rt.database, before=before, after=after, on_begin=on_begin)
    practice.rt = replace(practice.rt, database=dying)
    return dying
