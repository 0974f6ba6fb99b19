"""The commands, a file each: what they are told, and what they say; the work is the library's."""
