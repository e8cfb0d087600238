"""The command ``holdall``, which is `main` with its neighbours on the import path.

Installed, they are all in this package (`pyproject.toml`); in a checkout they are beside this file.
"""

import sys
from pathlib import Path


def main() -> int:
    """Run the command line; returns the exit status."""
    sys.path.insert(0, str(Path(__file__).parent))
    from main import main

    return main()
