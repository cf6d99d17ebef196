#!/bin/bash
# Each limit is exceeded by a member of a group, and what was measured is printed. What this host has no controller for is said; the same cases run
# with version 2 in cgroup_v2.sh. As root cpu, memory and pids must be there, where containers must run.
source "$(dirname "$0")/../lib.sh"
needs container
[ "$(id -u)" -eq 0 ] || must_run container "limits are tried as root"
case ",${BENCH_MUST_RUN:-}," in
*,container,*) export LIMITS_MUST=quota,weight,memory,pids ;;
esac
status=0
"$BIN/limits_bite" >"$WORK/said" || status=$?
cat "$WORK/said"
[ "$status" -ne 77 ] || must_run container "no limit can be had here"
[ "$status" -eq 0 ] || fail "a limit does not bite, or its group could not be removed"
"$BIN/test_cgroup_hierarchy" --filter 'cgroup_hierarchy/busy*' >"$WORK/shares" 2>&1 || fail "shares: $(cat "$WORK/shares")"
grep MEASURED "$WORK/shares" || true
echo passed
