"""``python -m bench``: see `bench.side_by_side`."""

import sys

from bench.side_by_side import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted before anything was measured")
