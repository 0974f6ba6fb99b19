"""``python -m mbu_ops_cli`` is ``mbu-ops``."""

from mbu_ops_cli.app import main

if __name__ == "__main__":
    main()
