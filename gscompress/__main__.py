"""``python -m gscompress``."""

from gscompress.cli import main

main()
