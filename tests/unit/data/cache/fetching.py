"""A process that begins to fetch a shard, says so, and goes on when it is told to: to be killed meanwhile."""

import sys
from pathlib import Path

from trainer.data.cache.folder import CacheFolder

folder, name, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
cache = CacheFolder(folder, 2**40, lambda *_: None)
file = cache.begin(name, size, None)
assert file is not None
sys.stdout.write("begun\n")
sys.stdout.flush()
content = sys.stdin.buffer.read(size)
file.write(content)
file.flush()
cache.commit(file, name)
sys.stdout.write("committed\n")
sys.stdout.flush()
sys.stdin.buffer.read()
