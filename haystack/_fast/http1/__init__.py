"""The HTTP/1 codec: heads, bodies, and how they are written. It knows no socket."""
