"""all_ready.py RESULT LABEL: succeeds when every sample of that driver was ready; for trials of container-start.sh."""

import json
import sys

result = json.load(open(sys.argv[1]))
labels = [driver["label"] for driver in result["drivers"]]
samples = [s for s in result["samples"] if labels[s["driver"]] == sys.argv[2]] if sys.argv[2] in labels else []
sys.exit(0 if samples and all(s["status"] == "ok" for s in samples) else 1)
