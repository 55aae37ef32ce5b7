"""The HTTP/2 codec around nghttp2: field sections, and how much of what a peer may send. It knows no socket."""
