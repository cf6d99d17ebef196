#!/bin/sh
# Every attack is named in docs/security.md, and every attack named in the last column of its tables exists.
set -eu
cd "$(dirname "$0")"
page=../../docs/security.md
status=0
for name in $(grep -o '^\s*ATTACK([a-z0-9_]*' attack_list.h | sed 's/.*(//'); do
	if [ "$name" != nothing ] && ! grep -q "| \`$name\` |\$" "$page"; then
		echo "docs/security.md does not name the attack $name"
		status=1
	fi
done
for name in $(sed -n 's/^|.*| `\([a-z0-9_]*\)` |$/\1/p' "$page"); do
	if ! grep -q "ATTACK($name," attack_list.h; then
		echo "docs/security.md names $name, which is no attack"
		status=1
	fi
done
exit $status
