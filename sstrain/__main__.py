"""``python -m sstrain``."""

import sys

from sstrain.cli import main

if __name__ == "__main__":
    sys.exit(main())
