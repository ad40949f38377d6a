"""What a run of prepare came to, for a person."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from trainer.data.shard.manifest import Manifest, Split


@dataclass(frozen=True)
class PrepareResult:
    """What there is now: the manifest of each set, none while other workers are at it; and what this run did for it."""

    manifests: Mapping[Split, Manifest]
    files_unlisted: int
    already_complete: bool
    worker: str
    shards_made: int
    films_decoded: int
    seconds: float

    @property
    def films_per_second(self) -> float:
        """Films this run decoded and stored in a second."""
        return self.films_decoded / self.seconds

    @property
    def films_bad(self) -> int:
        """Films left out because they could not be decoded."""
        return sum(each.made.films_bad for each in self.manifests.values())

    @property
    def films_missing(self) -> int:
        """Rows of the table without a film in the sources."""
        return sum(each.made.films_missing for each in self.manifests.values())

    @property
    def films_skipped(self) -> Mapping[str, int]:
        """Films left out by rule, by the rule."""
        return sum((Counter(each.made.films_skipped) for each in self.manifests.values()), Counter[str]())

    @property
    def films_unread(self) -> Mapping[str, int]:
        """Films of which a trait was told, but made no sense, by the trait."""
        counted = (Counter(each.people.unread) for each in self.manifests.values() if each.people)
        return +sum(counted, Counter[str]())

    def summary(self) -> str:
        """One line for a person."""
        did = f"{self.films_decoded} films, {self.films_per_second:.0f} films/s"
        if not self.manifests:
            return f"{self.worker} made its {self.shards_made} shards ({did}); the last worker to end makes the sets"
        sets = ", ".join(f"{split} {each.films} films" for split, each in self.manifests.items())
        if self.already_complete:
            return f"already complete: {sets} ({self._left_out()})"
        return f"prepared {sets} ({self._left_out()}), {self.films_per_second:.0f} films/s"

    def _left_out(self) -> str:
        counts = {"bad": self.films_bad, "missing": self.films_missing} | {
            f"left out by {rule}": count for rule, count in sorted(self.films_skipped.items())
        }
        named = ", ".join(f"{count} {what}" for what, count in counts.items())
        unread = "".join(f", {count} with a senseless {trait}" for trait, count in self.films_unread.items())
        return f"{named}{unread}, {self.files_unlisted} files not in the table"
