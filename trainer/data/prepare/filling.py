"""Shards while they are filled: films come in order, a shard is closed and recorded at its end."""

from trainer.data.prepare.decoding import ArchiveEnd, DecodedFilm, Done, ShardEnd
from trainer.data.prepare.parts import ArchivePart, Part, Parts
from trainer.data.prepare.tasks import ShardKey
from trainer.data.shard.people import count_people
from trainer.data.shard.shards import ShardWriter, shard_name
from trainer.data.source.sources import KEY
from trainer.data.store.store import Store
from trainer.demographics import Demographics
from trainer.errors import DataError


class Filling:
    """The shards that a worker is at.

    Args:
        destination: that holds the sets.
        parts: the records in it.
        skip_bad: whether bad films are left out; else they stop the work.
    """

    def __init__(self, destination: Store, parts: Parts, *, skip_bad: bool) -> None:
        self._destination, self.parts, self._skip_bad = destination, parts, skip_bad
        self._open: dict[ShardKey, _OpenShard] = {}
        self.stored = 0
        """Films so far."""
        self.shards = 0
        """Recorded so far."""

    def take(self, done: Done) -> None:
        """Does the next step. Raises DataError if a film is bad and may not be left out."""
        if isinstance(done, DecodedFilm):
            self._add(done)
        elif isinstance(done, ShardEnd):
            self.parts.write(done.key, self._open.pop(done.key).close())
            self.shards += 1
        else:
            self._end_archive(done)

    def abandon(self) -> None:
        """Lets go of the shards that are not closed; the closed ones stay."""
        for shard in self._open.values():
            shard.abandon()
        self._open.clear()

    def _add(self, film: DecodedFilm) -> None:
        if film.fault and not self._skip_bad:
            raise DataError(KEY, film.film, film.fault, "replace the file, or set prepare.on_bad_film=skip")
        if film.key not in self._open:
            self._open[film.key] = _OpenShard(self._destination.under(film.key.split), shard_name(film.key.number))
        self._open[film.key].add(film)
        self.stored += film.framed is not None

    def _end_archive(self, end: ArchiveEnd) -> None:
        self.parts.write_archive(end.archive, ArchivePart(films=end.films, files_unlisted=end.files_unlisted))


class _OpenShard:
    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._writer: ShardWriter | None = None
        self._films: list[str] = []
        self._people: list[Demographics] = []
        self._bad: dict[str, str] = {}
        self._skipped: dict[str, str] = {}

    def add(self, film: DecodedFilm) -> None:
        if film.framed is None:
            (self._bad if film.fault else self._skipped)[film.film] = film.fault or film.rule
            return
        if self._writer is None:
            self._writer = ShardWriter(self._store, self._name)
        self._writer.append(film.framed)
        self._films.append(film.film)
        self._people.append(film.demographics)

    def close(self) -> Part:
        shard = self._writer.close() if self._writer else None
        people = count_people(self._people)
        return Part(shard=shard, films=tuple(self._films), bad=self._bad, skipped=self._skipped, people=people)

    def abandon(self) -> None:
        if self._writer:
            self._writer.abandon()
