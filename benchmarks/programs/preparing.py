"""``prepare`` of a folder of PNG files into shards, each time from nothing.

Settings: cores, config (nested).
"""

import resource
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
        before = _cpu_seconds()
        result = prepare(config.prepare, config.store, NIH15, lambda *_: None)
        own, others = (after - earlier for after, earlier in zip(_cpu_seconds(), before, strict=True))
        return {"films": result.films_decoded, "seconds": result.seconds, "own_cpu": own, "all_cpu": own + others}

    serve(parent, measure)


def _cpu_seconds() -> tuple[float, float]:
    """Of this process, and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own, children = (each.ru_utime + each.ru_stime for each in used)
    return own, children


if __name__ == "__main__":
    main()
