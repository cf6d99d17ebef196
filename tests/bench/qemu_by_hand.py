"""qemu_by_hand.py FOLDER QEMU: from FOLDER/words, the command line of a running QEMU of libvirt's, makes FOLDER/start, a script that starts the same machine
by hand: serial port 0 is its standard streams, what libvirt needs to rule it is left out. Kernel and initramfs are copied into the folder. Status 1: the run's
files are gone, or were not there yet."""

import os
import shlex
import shutil
import sys

folder, qemu = sys.argv[1:]
words = open(os.path.join(folder, "words")).read().rstrip("\n").split("\n")[1:]

# Options with one argument that rule QEMU and do not shape the machine.
RULING = {"-name", "-uuid", "-mon", "-trace", "-D", "-sandbox", "-msg"}
out, at = [qemu], 0
while at < len(words):
    word, value = words[at], words[at + 1] if at + 1 < len(words) else ""
    at += 2
    if word in ("-S", "-no-user-config", "-nodefaults", "-no-shutdown", "-no-reboot", "-no-hpet", "-no-acpi"):
        at -= 1
        if word != "-S" and word != "-no-shutdown":
            out.append(word)
        continue
    if word in RULING or (word == "-object" and '"secret"' in value) or (word == "-chardev" and "charmonitor" in value):
        continue
    if word in ("-kernel", "-initrd"):
        copy = os.path.join(folder, word[1:])
        try:
            shutil.copyfile(value, copy)
        except OSError:
            sys.exit(1)
        value = copy
    if word == "-chardev" and "id=charserial0" in value:
        value = "stdio,id=charserial0,signal=off"
    elif word == "-chardev" and "id=charserial1" in value:
        value = "null,id=charserial1"
    out += [word, value]
# libvirt ends a machine whose guest resets.
if "-no-reboot" not in out:
    out.append("-no-reboot")
if "-kernel" not in out or "-initrd" not in out:
    sys.exit(1)
start = os.path.join(folder, "start")
with open(start, "w") as script:
    script.write("#!/bin/sh\nexec " + shlex.join(out) + "\n")
os.chmod(start, 0o755)
