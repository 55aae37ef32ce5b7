"""Parts of the data plane alone: what one of them costs, in nanoseconds."""
