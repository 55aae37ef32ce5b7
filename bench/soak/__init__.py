"""Long mixed work: no body may be wrong, and nothing may grow."""
