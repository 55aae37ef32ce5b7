"""From one running Haystack to the next: the sockets change hands, so that nobody who waits in their queues is lost."""
