"""The start: what to run where nobody said, mistakes that only this machine can tell, and the wait for the first lists."""
