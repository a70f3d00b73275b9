"""`python -m cijob_agent`: the agent with the environment and the paths of its Pod."""

import os
import sys

from cijob_agent.settings import Paths
from cijob_agent.stages import run

if __name__ == "__main__":
    sys.exit(run(os.environ, Paths()))
