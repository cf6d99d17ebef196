#!/bin/sh
# Every attack is named in docs/security.md, and every test named there exists.
set -eu
cd "$(dirname "$0")"
status=0
for name in $(sed -n 's/^\tATTACK(\([a-z0-9_]*\),.*/\1/p' attack_list.h); do
	[ "$name" = nothing ] || grep -q "\`$name\`" ../../docs/security.md || { echo "docs/security.md does not name the attack $name"; status=1; }
done
for name in $(grep -o '^|.*|$' ../../docs/security.md | grep -o '`[a-z0-9_]*` *|$' | grep -o '[a-z0-9_]*[a-z]'); do
	grep -q "ATTACK($name," attack_list.h || { echo "docs/security.md names $name, which is no attack"; status=1; }
done
exit $status
