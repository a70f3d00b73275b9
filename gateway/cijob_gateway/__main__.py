"""`python -m cijob_gateway`: run the gateway."""

import sys

from cijob_gateway.main import main

sys.exit(main())
