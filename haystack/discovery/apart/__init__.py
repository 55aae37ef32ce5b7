"""Discovery in a process of its own, the only one that touches engines: what it runs, what it says, and who hears it."""
