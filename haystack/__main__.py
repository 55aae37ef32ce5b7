"""`python -m haystack` is `haystack`."""

import sys

from haystack.cli import main

sys.exit(main())
