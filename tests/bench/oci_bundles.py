"""Writes the bundles of container-start.sh: WORK/{crun,crun-seccomp,gvisor}/config.json, from the one that `crun spec` wrote.

The seccomp list is read from runtime/filter.c, so that crun installs what the built-in runtime installs."""

import copy
import errno
import json
import platform
import re
import socket
import sys

ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}
NAMESPACE_FLAGS = 0x7E020000


def allowed_names(source):
    """All words of the lists `static const char NAME[] = "…" "…";`."""
    names = []
    for text in re.findall(r"static const char \w+\[\] =\s*((?:\"[^\"]*\"\s*)+);", open(source).read()):
        names += "".join(re.findall(r'"([^"]*)"', text)).split()
    assert len(names) > 200, "the lists of filter.c were not found"
    return names


def when(index, value, operator, second=0):
    return [{"index": index, "value": value, "valueTwo": second, "op": operator}]


def seccomp(source):
    allow = "SCMP_ACT_ALLOW"
    rules = [{"names": allowed_names(source), "action": allow}]
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        rules.append({"names": ["socket"], "action": allow, "args": when(0, int(family), "SCMP_CMP_EQ")})
    for value in (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF):
        rules.append({"names": ["personality"], "action": allow, "args": when(0, value, "SCMP_CMP_EQ")})
    for name in ("clone", "unshare"):
        rules.append({"names": [name], "action": allow, "args": when(0, NAMESPACE_FLAGS, "SCMP_CMP_MASKED_EQ")})
    rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ARCHITECTURES.get(platform.machine(), []),
        "syscalls": rules,
    }


def main(work, source):
    config = json.load(open(f"{work}/crun/config.json"))
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/agent"]
    config["process"].pop("rlimits", None)
    config["root"] = {"path": f"{work}/root", "readonly": True}
    config["linux"]["resources"] = {
        "memory": {"limit": 256 << 20},
        "pids": {"limit": 512},
        "cpu": {"quota": 100000, "period": 100000},
    }
    filtered, gvisor = copy.deepcopy(config), copy.deepcopy(config)
    filtered["linux"]["seccomp"] = seccomp(source)
    gvisor["linux"].pop("resources")
    for folder, content in (("crun", config), ("crun-seccomp", filtered), ("gvisor", gvisor)):
        with open(f"{work}/{folder}/config.json", "w") as file:
            json.dump(content, file, indent=1)


main(*sys.argv[1:])
