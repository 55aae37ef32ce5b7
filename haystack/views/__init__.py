"""What can be seen of Haystack: one handle on its state, and the shapes that the web side, the shell and Prometheus are given."""
