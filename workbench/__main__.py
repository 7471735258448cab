"""``python -m workbench``."""

from workbench.entry import main

if __name__ == "__main__":
    main()
