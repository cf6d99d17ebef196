"""virsh_domain.py STATUS TEMPLATE FOLDER NAME CONTROL: descriptions for `virsh create`, from what libvirt keeps of a running machine of the driver's.

FOLDER/domain.xml: that very machine under another name, its console nowhere, without QEMU's trace. With TEMPLATE (virt-install.xml) in place of "-": what is
in capitals there, filled in from it. FOLDER holds kernel and initrd; CONTROL is the socket of the control stream."""

import os
import sys
import xml.etree.ElementTree as xml
from xml.sax.saxutils import escape

status, template, folder, name, control = sys.argv[1:]
QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
xml.register_namespace("qemu", QEMU[1:-1])
domain = xml.parse(status).getroot().find("domain")
kernel, initrd = (os.path.join(folder, file) for file in ("kernel", "initrd"))

if template != "-":
    text = open(template).read()
    words = {"TYPE": domain.get("type"), "MEMORY": domain.find("memory").text, "KERNEL": kernel, "INITRD": initrd, "CONTROL": control,
             "CMDLINE": domain.find("os/cmdline").text, "DISK": os.path.join(folder, "disk")}
    for word, value in words.items():
        text = text.replace(word, escape(value))
    open(os.path.join(folder, "domain.xml"), "w").write(text)
    sys.exit()

domain.attrib.pop("id")
domain.remove(domain.find("uuid"))
domain.find("name").text = name
domain.find("os/kernel").text, domain.find("os/initrd").text = kernel, initrd
devices = domain.find("devices")
for console in devices.findall("console"):  # libvirt's second name of the first serial port
    devices.remove(console)
first, second = devices.findall("serial")
first.find("source").set("path", control)
second.set("type", "null")
second.remove(second.find("source"))
for arguments in domain.findall(QEMU + "commandline"):
    domain.remove(arguments)
xml.ElementTree(domain).write(os.path.join(folder, "domain.xml"))
