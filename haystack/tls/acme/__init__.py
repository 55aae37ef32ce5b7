"""Certificates of a certificate authority by ACME (RFC 8555): a client, and who decides what to ask for and when."""
