"""paired_ratios.py RESULT A/B...: the ratio of two drivers' T0 to T6, paired by block: exp(median of the log ratios), with a percentile bootstrap over blocks (95 %),
as the program's own tables have it against their baseline."""

import json
import math
import random
import statistics
import sys

result = json.load(open(sys.argv[1]))
labels = {driver["label"]: index for index, driver in enumerate(result["drivers"])}
ready = {}
for sample in result["samples"]:
    if not sample["warmup"] and sample["status"] == "ok":
        ready[sample["driver"], sample["block"]] = sample["marks"]["ready"]

random.seed(1)
print(f"\n{'ratio':<28}{'median':>8}   95 % CI          blocks")
for pair in sys.argv[2:]:
    a, b = pair.split("/")
    if a not in labels or b not in labels:
        continue
    logs = [math.log(ready[labels[a], block] / value) for (driver, block), value in ready.items()
            if driver == labels[b] and (labels[a], block) in ready]
    if len(logs) < 2:
        print(f"{pair:<28}too few blocks in which both were ready")
        continue
    resampled = sorted(statistics.median(random.choices(logs, k=len(logs))) for _ in range(5000))
    low, high = math.exp(resampled[124]), math.exp(resampled[4874])
    print(f"{pair:<28}{math.exp(statistics.median(logs)):>8.3f}   [{low:.3f}–{high:.3f}]   {len(logs)}")
