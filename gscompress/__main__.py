"""``python -m gscompress``."""

from gscompress.cli import main

if __name__ == "__main__":
    main()
