"""What discovery finds and everything else reads: frozen records, names and ports. Imports nothing of Haystack but itself."""
