# Endpoints that accept and never answer.
