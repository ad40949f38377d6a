"""Lines for people about what is wrong with an epoch, with the names of the first films of each kind."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from trainer.audit.films import StoredFilms
from trainer.audit.tally import FIRST, EpochCount, Integers, Layout, Use


class Naming(NamedTuple):
    """What finds names and places of the films that are told of; nothing is read where nothing is wrong."""

    stored: StoredFilms
    layout: Layout
    uses: Callable[[Sequence[int]], list[Use]]

    def film(self, number: int) -> str:
        """As the catalog names it, and where it lies."""
        shard, record = self.layout.place(number)
        return f"film {self.stored.name(shard, record)} (shard {shard}, record {record})"

    def slot(self, number: int) -> str:
        """Batch and slot."""
        batch, slot = divmod(number, self.layout.global_batch_size)
        return f"batch {batch} slot {slot}"


def offences(count: EpochCount, naming: Naming) -> list[str]:
    """One line for each of the first films of a kind, one for all slots of a kind; none if it is only unfinished."""
    lines = [*_films_with_uses(count, naming), *_films_missing(count, naming), *_slots(count, naming)]
    lines += [f"{use} holds {_strange(use)}" for use in count.odd]
    return [f"epoch {count.epoch + 1}: {line}" for line in lines]


def _films_with_uses(count: EpochCount, naming: Naming) -> Iterator[str]:
    told = {"was seen twice": count.twice, "was read with pixels that differ from another time's": count.other_pixels}
    for what, films in told.items():
        if not len(films):
            continue
        used = naming.uses(films[:FIRST].tolist())
        for film in films[:FIRST].tolist():
            places = "; ".join(str(use) for use in used if use.film == film)
            yield f"{naming.film(film)} {what}: {places}"
        yield from _more(films)


def _films_missing(count: EpochCount, naming: Naming) -> Iterator[str]:
    """Of an epoch of which slots are not on record, nobody knows which film is missing and which is not on record."""
    if len(count.missing) > len(count.unfilled):
        yield from (f"{naming.film(film)} was never seen" for film in count.missing[:FIRST].tolist())
        yield from _more(count.missing)


def _slots(count: EpochCount, naming: Naming) -> Iterator[str]:
    cure = "was data.audit off, or is a part of the record lost?"
    told = {f"not on record; {cure}": count.unfilled, "filled more than once": count.overfilled}
    for what, slots in told.items():
        if len(slots):
            yield f"{len(slots)} slots, the first is {naming.slot(int(slots[0]))}, are {what}"


def _more(offenders: Integers) -> Iterator[str]:
    if len(offenders) > FIRST:
        yield f"... and {len(offenders) - FIRST} more"


def _strange(use: Use) -> str:
    if use.film < 0:
        return "a film that the set does not have"
    return (
        "a weight that is neither 0 nor 1"
        if use.weight not in (0.0, 1.0)
        else "a film of another step, or beyond the batch"
    )
