"""Print a generated document: `python -m cijob_api crd cijobs|schema CIJob|reasons`.

Called by hack/generate, which writes the files. JSON is YAML, too: it is turned into the latter
there.
"""

import json
import sys

from cijob_api import crds, reasons

if __name__ == "__main__":
    kind, name = [*sys.argv[1:], ""][:2]
    if kind == "crd":
        print(json.dumps(crds.documents()[name]))
    elif kind == "schema":
        print(json.dumps(crds.editor_schemas()[name], indent=2))
    elif kind == "reasons":
        print(reasons.reasons_markdown(), end="")
    else:
        sys.exit("usage: python -m cijob_api crd PLURAL | schema KIND | reasons")
