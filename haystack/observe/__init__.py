"""What can be seen of Haystack: log, traces, figures."""
