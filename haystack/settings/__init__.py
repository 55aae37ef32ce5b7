"""Settings: their names, values and defaults, and what is wrong with those that were given."""
