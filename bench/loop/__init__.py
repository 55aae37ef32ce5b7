"""How long the control loop of a real `haystack run` is held, with 10,000 containers of an engine: `python -m bench.loop`."""
