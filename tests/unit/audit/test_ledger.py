"""A rank's ledger: what a store that is down did not take goes with the next part, and nothing is pickled."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from tests.s3 import new_server
from tests.unit.audit.test_record import FACTS
from trainer.audit.ledger import Ledger, open_ledger
from trainer.audit.record import Part, Place, part_from_bytes, place_of
from trainer.config import CheckpointConfig, Config
from trainer.data.evidence import Evidence
from trainer.data.plan import Slots
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import StoreDown


class Outage(FolderStore):
    """A folder whose writes fail while it is down, before or after the bytes have arrived."""

    down = after_arrival = False

    def write(self, name: str, content: bytes) -> None:
        if not self.down or self.after_arrival:
            super().write(name, content)
        if self.down:
            raise StoreDown(self.key, self.where, "does not answer", "try again")


@pytest.fixture
def store(tmp_path: Path) -> Outage:
    return Outage(tmp_path / "audit", "checkpoint.directory")


@pytest.fixture
def ledger(store: Outage) -> Ledger:
    return Ledger(FACTS, store, store)


def use(ledger: Ledger, step: int, epoch: int = 0) -> None:
    number = np.arange(8, dtype=np.int64)
    films = Slots(number, number + step, np.ones(8, dtype=np.float32))
    ledger.delivered(Evidence(films, number.astype(np.uint32)))
    ledger.used(step=step, epoch=epoch, batch=step - 1)


def parts(store: Store) -> dict[Place, Part]:
    names = [each.name for each in store.entries()]
    return {place: part_from_bytes(store.read(name), name) for name in names if (place := place_of(name))}


def steps(store: Store) -> list[int]:
    return [step for part in parts(store).values() for step in part.step.tolist()]


def test_steps_are_on_record_once_they_are_written(ledger: Ledger, store: Outage) -> None:
    use(ledger, 1)
    assert steps(store) == []
    assert ledger.write()
    assert steps(store) == [1]


def test_a_part_holds_one_epoch(ledger: Ledger, store: Outage) -> None:
    use(ledger, 1)
    use(ledger, 2, epoch=1)
    ledger.write()
    assert {place: part.step.tolist() for place, part in parts(store).items()} == {
        Place(2, 0, 1, 1): [1],
        Place(2, 1, 1, 2): [2],
    }


def test_nothing_new_writes_nothing(ledger: Ledger, store: Outage) -> None:
    assert ledger.write()
    assert parts(store) == {}


@pytest.mark.parametrize("after_arrival", [False, True])
def test_what_a_store_did_not_take_goes_with_the_next(ledger: Ledger, store: Outage, after_arrival: bool) -> None:
    store.after_arrival = after_arrival
    use(ledger, 1)
    store.down = True
    assert not ledger.write()
    use(ledger, 2)
    assert not ledger.write(patient=True)
    store.down = False
    use(ledger, 3)
    assert ledger.write()
    assert steps(store) == [1, 2, 3]


def test_an_outage_of_the_bucket_loses_nothing_of_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = new_server(tmp_path)
    try:
        bucket = server.bucket()
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        settings = bucket.config.model_copy(update={"retry_seconds": 0.5})
        ledger = open_ledger(Config(store=settings, checkpoint=CheckpointConfig(directory=f"{bucket.url}/run")), FACTS)
        use(ledger, 1)
        assert ledger.write()
        server.stop()
        use(ledger, 2)
        assert not ledger.write()
        server.start()
        use(ledger, 3)
        assert ledger.write()
        assert steps(open_store(f"{bucket.url}/run/audit", settings, "checkpoint.directory")) == [1, 2, 3]
    finally:
        server.stop()


def test_a_long_time_without_a_checkpoint_does_not_fill_the_memory(
    ledger: Ledger, store: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.audit.ledger._FILMS_IN_MEMORY", 16)
    ledger = Ledger(FACTS, store, store)
    for step in (1, 2, 3):
        use(ledger, step)
    assert steps(store) == [1, 2]


def test_a_step_without_a_delivered_batch_is_a_mistake_of_the_loop(ledger: Ledger) -> None:
    use(ledger, 1)
    with pytest.raises(RuntimeError, match="no reader delivered"):
        ledger.used(step=2, epoch=0, batch=1)


def test_the_record_is_in_the_runs_folder_without_pickles_names_or_patients(tmp_path: Path) -> None:
    config = Config.model_validate({"checkpoint": {"directory": str(tmp_path / "run")}})
    ledger = open_ledger(config, FACTS)
    use(ledger, 1)
    assert ledger.write()
    file = tmp_path / "run" / "audit" / Place(2, 0, 1, 1).name
    with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as found:
        assert set(found) == {"facts", "step", "batch", "shard", "record", "weight", "pixels"}
        assert set(json.loads(found["facts"].tobytes())) == {"format_version", "epoch", *vars(FACTS)}
