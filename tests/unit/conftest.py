"""How long properties are looked for: `CIJOB_HYPOTHESIS=quick`, as in `make unit`, or fully."""

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=10)
settings.register_profile("full")
settings.load_profile(os.environ.get("CIJOB_HYPOTHESIS", "full"))
