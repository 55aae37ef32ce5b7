"""Sockets: the worker's epoll, splicing, and rights by address."""
