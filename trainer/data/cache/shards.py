"""The films of a set by (shard, record): from shards within reach, and until they are, each by itself."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from trainer.data.cache.ahead import Ahead, Needs
from trainer.data.cache.keeper import Keeper
from trainer.data.shard.index import ShardIndex
from trainer.data.shard.manifest import ANEW
from trainer.data.shard.shard import Film, Shard
from trainer.data.shard.tfrecord import is_sound
from trainer.errors import DataError

log = logging.getLogger("cxr_train")

_PATIENCE = 4
"""A shard on its way is waited for so many times as long as its films took to read by themselves the last time."""

_REQUESTS = 16
"""Shards of which films are read side by side."""

_INDEXES = 256
"""Kept, of the shards that are not within reach."""

_TRIES = 2


class Shards:
    """Reads films; safe to share between threads. The first ones do not wait for whole shards.

    A film that is read by itself is checked by its record's checksum, a shard by its SHA-256.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper, self._ahead = keeper, Ahead(keeper)
        self._requests = ThreadPoolExecutor(_REQUESTS, thread_name_prefix="films")
        self._direct_seconds = 0.0
        self.index = lru_cache(_INDEXES)(keeper.index)

    def expect(self, needs: Needs) -> None:
        """Brings what will be needed, in that order."""
        self._ahead.expect(needs)

    def passed(self, batch: int) -> None:
        """All batches up to this one have been read."""
        self._ahead.passed(batch)

    def rest(self) -> None:
        """No batch will be read for a while."""
        self._ahead.rest()

    def settle(self) -> None:
        """Until all that there is room for is within reach."""
        self._ahead.settle()

    def close(self) -> None:
        """Gives up what is on its way."""
        self._keeper.abandoned.set()
        self._ahead.rest()

    def films(self, shards: Sequence[int], records: Sequence[int]) -> list[Film]:
        """The films, in the order asked. Raises DataError, StoreDown."""
        at_hand = {each: self._ahead.at_hand(each) for each in dict.fromkeys(shards)}
        read: dict[tuple[int, int], Film] = {}
        if missing := [each for each, shard in at_hand.items() if shard is None]:
            began = time.perf_counter()
            at_hand |= self._waited(missing)
            read = self._read([place for place in zip(shards, records, strict=True) if at_hand[place[0]] is None])
            self._keeper.tell("wait_seconds", time.perf_counter() - began)
        return [
            shard.films[record] if (shard := at_hand[number]) else read[number, record]
            for number, record in zip(shards, records, strict=True)
        ]

    def _waited(self, missing: Sequence[int]) -> dict[int, Shard | None]:
        if not self._ahead.planned:
            for each in missing:
                self._ahead.ask(each)
        self._ahead.wait(missing, _PATIENCE * self._direct_seconds)
        return {each: self._ahead.at_hand(each) for each in missing}

    def _read(self, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Film]:
        """Films by themselves."""
        records: dict[int, list[int]] = {}
        for shard, record in dict.fromkeys(places):
            records.setdefault(shard, []).append(record)
        began = time.perf_counter()
        found = list(self._requests.map(self._read_from, records, records.values()))
        if found:
            self._direct_seconds = time.perf_counter() - began
        return {place: film for each in found for place, film in each.items()}

    def _read_from(self, shard: int, records: Sequence[int]) -> dict[tuple[int, int], Film]:
        index = self.index(shard)
        images = index.images(records)
        starts = [each.start for each in index.records(records)]
        contents = self._sound_records(shard, index, records)
        return {
            (shard, record): Film(
                np.frombuffer(content, np.uint8, image.bytes, image.start - start), bytes(index.labels[record])
            )
            for record, content, image, start in zip(records, contents, images, starts, strict=True)
        }

    def _sound_records(self, shard: int, index: ShardIndex, records: Sequence[int]) -> list[bytes]:
        """Records as they are stored. Raises DataError if one is damaged even the second time."""
        ranges = index.records(records)
        for tries in range(_TRIES):
            contents = self._keeper.records(shard, ranges, again=bool(tries))
            damaged = [record for record, content in zip(records, contents, strict=True) if not is_sound(content)]
            if not damaged:
                return contents
            self._keeper.tell("corrupt", len(damaged))
            log.warning(
                "%s: record %d is not what its checksum says; read again", self._keeper.where(shard), damaged[0]
            )
        raise DataError(self._keeper.where(shard), f"record {damaged[0]}", "is not what its checksum says", ANEW)
