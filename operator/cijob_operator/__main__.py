"""`python -m cijob_operator`: run the operator."""

import sys

from cijob_operator.main import main

sys.exit(main())
