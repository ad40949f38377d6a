"""``python -m helm.generate`` writes what is generated in the chart; ``--check`` exits 1 where that was forgotten."""

import sys
from pathlib import Path

from helm.generate.readme import readme
from helm.generate.schema import schema

CHART = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    """What the program exits with."""
    files = {CHART / "values.schema.json": schema(CHART), CHART / "README.md": readme(CHART)}
    stale = [file for file, text in files.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    if arguments == ["--check"]:
        for file in stale:
            sys.stderr.write(f"helm/{file.name} is not what its sources say: run 'make chart'\n")
        return 1 if stale else 0
    for file in stale:
        file.write_text(files[file], encoding="utf-8")
        sys.stdout.write(f"wrote helm/{file.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
