"""`python -m cijob_gateway.archiver`: run the archiver."""

import sys

from cijob_gateway.archiver.main import main

sys.exit(main())
