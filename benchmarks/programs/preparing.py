"""``prepare`` of a folder of PNG files into shards, each time from nothing.

Settings: cores, config (nested).
"""

import shutil

from benchmarks.channel import Parent, serve, settings


def main() -> None:
    """Prepares at each request; the seconds are prepare's own, start of its processes included."""
    given, parent = settings(), Parent()
    # Here, because its processes import this file again.
    from trainer.data.prepare.run import prepare
    from trainer.labels import NIH15
    from trainer.settings import validate

    config = validate(given["config"])

    def measure() -> dict[str, float]:
        shutil.rmtree(config.prepare.destination, ignore_errors=True)
        result = prepare(config.prepare, config.store, NIH15, lambda *_: None)
        return {"films": result.films_decoded, "seconds": result.seconds}

    serve(parent, measure)


if __name__ == "__main__":
    main()
