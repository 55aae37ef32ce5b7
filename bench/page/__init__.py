"""The page in a real Chromium: screenshots for the docs, and what it costs."""
