"""The command line of mbu-ops; the commands live one to a module."""
