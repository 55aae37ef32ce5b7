"""python -m bench.tls: TLS and HTTP/2 beside nginx and HAProxy, with the same certificates, ciphers, groups and tickets."""
