"""``make fuzz`` tries many more examples than the tests do."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fuzz", max_examples=5000, print_blob=True)
