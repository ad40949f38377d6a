"""A rank's beat is read by another process as it was told."""

from pathlib import Path

from trainer.telemetry.beat import FILE_VARIABLE, Beat, Pulse, read


def test_what_is_told_is_read(tmp_path: Path):
    pulse = Pulse({FILE_VARIABLE: str(tmp_path / "beat")})
    pulse.tell(step=7, steps=100, loss=0.25, auroc=0.5, films_per_second=3.0, eta_seconds=9.0)
    pulse.enter("films")
    assert read(tmp_path / "beat") == Beat("films", 7, 100, 0, 0, 0.25, 0.5, 3.0, 9.0)


def test_scoring_moves_it(tmp_path: Path):
    pulse = Pulse({FILE_VARIABLE: str(tmp_path / "beat")})
    for done in range(3):
        pulse.scored(done, 3)
    assert read(tmp_path / "beat").scored == 3


def test_before_a_rank_has_begun_there_is_none(tmp_path: Path):
    assert read(tmp_path / "beat") is None
    (tmp_path / "beat").write_bytes(b"half")
    assert read(tmp_path / "beat") is None


def test_a_rank_that_nobody_watches_keeps_no_file(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Pulse({}).tell(step=1)
    assert list(tmp_path.iterdir()) == []
