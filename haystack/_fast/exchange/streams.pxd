# Walks over all streams of a worker, for what happens seldom.
