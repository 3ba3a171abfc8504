"""Packets are dropped, in a network namespace of our own with nftables: a tenth of them, all for a while, all of one way, and RST for all.

libshunt's publishers and consumers (rig.py) go on by themselves, and what they saw is judged. Skipped where a namespace may not be made.
"""
import os
import random
import shutil
import subprocess
import sys
import time
import unittest

import rig
from rig import harness, wire

ROUNDS = int(os.environ.get("SHUNT_NET_DROPS", "8"))
SEED = int(os.environ.get("SHUNT_SEED", "1"))
INSIDE = "SHUNT_INSIDE_NAMESPACE"


def nft(rules):
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, timeout=20)


def filter_packets(*rules):
    """On what comes in through the loopback device; without rules everything passes."""
    lines = "\n".join(rules)
    nft(f"table inet storm\ndelete table inet storm\ntable inet storm {{\nchain arriving {{\ntype filter hook input priority 0;\n{lines}\n}}\n}}\n")


class Drops(unittest.TestCase):
    def test_a_storm_while_packets_are_dropped(self):
        random_ = random.Random(SEED)
        server = self.enterContext(harness.Server())
        port = rig.address(server)[1]
        faults = {
            "a tenth": [f"tcp dport {port} numgen random mod 10 == 0 drop", f"tcp sport {port} numgen random mod 10 == 0 drop"],
            "all": [f"tcp dport {port} drop", f"tcp sport {port} drop"],
            "requests": [f"tcp dport {port} drop"],
            "answers": [f"tcp sport {port} drop"],
            "reset": [f"tcp dport {port} reject with tcp reset"],
        }
        traffic = rig.LostConnections()
        traffic.begin(server, rig.Through(server, server))
        self.addCleanup(traffic.storm.close)
        for number in range(ROUNDS):
            kind = list(faults)[number % len(faults)]
            traffic.moved(random_.randrange(50, 300), random_.randrange(20, 150))
            filter_packets(*faults[kind])
            if kind == "a tenth":
                traffic.moved(30, 10)
            else:
                time.sleep(random_.uniform(0.05, 0.8))
            filter_packets()
        traffic.moved(100, 50)
        found, faults_found = traffic.finish()
        print({"rounds": ROUNDS, "published": len(found.published), "delivered": len(found.deliveries),
               "answers unknown": sum(row.answer == "unknown" for row in found.answers)})
        self.assertEqual(faults_found, [])
        self.assertGreater(len(found.published), 50 * ROUNDS)

    def test_the_filter_drops(self):
        """The negative control."""
        server = self.enterContext(harness.Server())
        client = wire.connect(server, timeout=1.0)
        client.ping()
        filter_packets(f"tcp dport {rig.address(server)[1]} drop")
        with self.assertRaises(TimeoutError):
            client.ping()
        filter_packets()
        client.close()


def main():
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        harness.main()
        return
    for tool, package in (("nft", "nftables"), ("unshare", "util-linux"), ("ip", "iproute2")):
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            print(f"{tool} is not there (Debian package {package})")
            sys.exit(harness.SKIPPED)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    tried = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "nft", "add", "table", "inet", "tried"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        print("no network namespace may be made here: " + (tried.stderr.strip().splitlines() or ["no reason given"])[-1])
        sys.exit(harness.SKIPPED)
    os.environ[INSIDE] = "1"
    sys.exit(subprocess.run(["unshare", "--user", "--map-root-user", "--net", "--", sys.executable, *sys.argv], check=False).returncode)


if __name__ == "__main__":
    main()
