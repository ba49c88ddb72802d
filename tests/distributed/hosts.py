"""Two hosts on this machine, as far as a training can tell: network namespaces with names and addresses of their own,
joined by a wire that can be pulled out. They share the disk."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_CHECK = "asr-check"


@dataclass(frozen=True)
class Host:
    """A host of the network 198.18.0.0/30, which is for tests of networks."""

    name: str
    address: str

    @property
    def interface(self):
        """Its end of the wire."""
        return f"{self.name}-0"

    def words(self, command):
        """The command line that runs a command there, under the host's name."""
        script = 'hostname "$0" && exec "$@"'
        return ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", script, self.name, *command]

    def unplug(self):
        """Cut the host off."""
        _ip("-n", self.name, "link", "set", self.interface, "down")

    def plug_in(self):
        """Join it again."""
        _ip("-n", self.name, "link", "set", self.interface, "up")


def _ip(*words):
    subprocess.run(["ip", *words], check=True)


def skip_unless_possible():
    """Skip the test where network namespaces cannot be made."""
    if not (shutil.which("ip") and shutil.which("unshare")):
        pytest.skip("needs ip (package iproute2) and unshare")
    if os.geteuid() or subprocess.run(["ip", "netns", "add", _CHECK], capture_output=True).returncode:
        pytest.skip("needs the right to make network namespaces")
    _ip("netns", "del", _CHECK)


@contextlib.contextmanager
def two():
    """Two hosts that hear each other."""
    skip_unless_possible()
    hosts = Host("asr-first", "198.18.0.1"), Host("asr-second", "198.18.0.2")
    names = "127.0.0.1 localhost\n" + "".join(f"{host.address} {host.name}\n" for host in hosts)
    try:
        for host in hosts:
            # What `ip netns exec` shows there as /etc/hosts.
            folder = Path("/etc/netns") / host.name
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(names)
            _ip("netns", "add", host.name)
            _ip("-n", host.name, "link", "set", "lo", "up")
        ends = [word for host in hosts for word in ("name", host.interface, "netns", host.name)]
        _ip("link", "add", *ends[:4], "type", "veth", "peer", *ends[4:])
        for host in hosts:
            _ip("-n", host.name, "address", "add", f"{host.address}/30", "dev", host.interface)
            host.plug_in()
        yield hosts
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True)
            shutil.rmtree(Path("/etc/netns") / host.name, ignore_errors=True)
