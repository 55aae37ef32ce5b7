"""Names that are not ours: which nameservers are asked, how, for whom, and what is kept of their answers."""
