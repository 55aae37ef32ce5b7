"""`python -m bench.micro [NAME...]`: what each part of the data plane costs alone; each module of this folder is one of them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Run the benchmarks named, or all."""
    there = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    for name in sys.argv[1:] or there:
        if name not in there:
            sys.exit(f"no benchmark {name}; there are {', '.join(there)}")
    wanted, sys.argv[1:] = sys.argv[1:] or there, []
    for name in wanted:
        print(f"\n## {name}\n", flush=True)
        importlib.import_module(f"bench.micro.{name}").main()


if __name__ == "__main__":
    main()
