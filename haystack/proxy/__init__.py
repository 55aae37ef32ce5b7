"""The data plane's outside: the supervisor, its worker processes, their channel and the routing table."""
