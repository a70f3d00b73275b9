"""How long properties are looked for: `CIJOB_HYPOTHESIS=quick`, as in `make unit`, or fully.

One example may take as long as it takes: on a busy machine any of them can.
"""

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=10, deadline=None)
settings.register_profile("full", deadline=None)
settings.load_profile(os.environ.get("CIJOB_HYPOTHESIS", "full"))
