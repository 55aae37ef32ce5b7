"""DNS beside Knot, dnsmasq and unbound, and while Haystack does other things: `python -m bench.dns`, as `make bench-dns` runs it."""
