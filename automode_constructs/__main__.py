"""``python -m automode_constructs`` is the ``automode`` command."""

import sys

from automode_constructs.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
