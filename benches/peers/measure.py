"""measure.py --case NAME --round N --results FILE --log FILE [--limit S] [--quiet S] -- COMMAND...

Runs a command, watches the memory and the processor time of all its processes, those that leave its tree too, and appends one JSON
line to FILE: wall time, peak of the summed resident memory, cores that the rest of the machine used meanwhile, load, marks. Ends what
the command leaves behind.

A process belongs to the command if TFCOORD_BENCH_ID in its environment says so, or if its parent belongs to it. The command finds a
temporary folder in TFCOORD_BENCH_DIR, which goes when all of its processes have ended."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def stat(pid):
    """(parent, processor time in ticks, start): the start tells a process from a later one with its id."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return fields[1], int(fields[11]) + int(fields[12]), fields[19]


def busy_s():
    """Processor time of the whole machine: user, nice, system, irq, softirq, steal."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:]]
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6] + fields[7]) / TICKS


class Watch(threading.Thread):
    """Looks at the command's processes ten times a second."""

    def __init__(self, tag):
        super().__init__(daemon=True)
        self.tag, self.stop = tag.encode(), threading.Event()
        self.starts, self.foreign, self.ticks = {}, {}, {}
        self.peak_bytes = self.peak_processes = 0

    def run(self):
        while not self.stop.wait(0.1):
            self.look()

    def look(self):
        resident = [self.resident(pid) for pid in os.listdir("/proc") if pid.isdigit()]
        living = [size for size in resident if size]
        self.peak_bytes = max(self.peak_bytes, sum(living))
        self.peak_processes = max(self.peak_processes, len(living))

    def resident(self, pid):
        """Resident bytes of a process of the command; 0 of another one."""
        try:
            parent, ticks, start = stat(pid)
            if not self.ours(pid, parent, start):
                return 0
            self.ticks[pid, start] = ticks
            with open(f"/proc/{pid}/statm") as file:
                return int(file.read().split()[1]) * PAGE
        except (OSError, IndexError, ValueError):
            return 0

    def ours(self, pid, parent, start):
        if self.starts.get(pid) == start:
            return True
        if self.foreign.get(pid) == start:
            return False
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
        # The command itself has our own environment between fork and exec, or none.
        ours = self.tag in environment or parent == str(os.getpid()) or self.known(parent)
        if ours or environment:
            (self.starts if ours else self.foreign)[pid] = start
        return ours

    def known(self, pid):
        """Whether it belongs to the command, and is not a later process with the id of one that did."""
        return pid in self.starts and stat(pid)[2] == self.starts[pid]

    def cpu_s(self):
        """Processor time of all of them, as last seen."""
        return sum(self.ticks.values()) / TICKS

    def end_all(self):
        """Ends what is left of the command; a child may be born meanwhile, so until nothing is left."""
        deadline = time.time() + 10
        while time.time() < deadline:
            self.look()
            left = [pid for pid, start in self.starts.items() if self.lives(pid, start)]
            if not left:
                return
            for pid in left:
                try:
                    os.kill(int(pid), 9)
                except OSError:
                    pass
            time.sleep(0.05)

    @staticmethod
    def lives(pid, start):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return fields[19] == start and fields[0] != "Z"
        except (OSError, IndexError):
            return False


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


def wait_for_quiet(limit_s):
    """Waits, but not for ever, for 2 s in which others use less than 0.3 cores."""
    deadline = time.time() + limit_s
    while time.time() < deadline:
        before = busy_s()
        time.sleep(2)
        if busy_s() - before < 0.6:
            return


def measured(args, folder):
    wait_for_quiet(args.quiet)
    marks = os.path.join(folder, "marks.jsonl")
    identity = uuid.uuid4().hex
    watch = Watch(f"TFCOORD_BENCH_ID={identity}")
    busy, load, begun = busy_s(), os.getloadavg()[0], time.time()
    environment = dict(
        os.environ,
        TFCOORD_BENCH_ID=identity,
        TFCOORD_BENCH_BEGUN=repr(begun),
        TFCOORD_BENCH_MARKS=marks,
        TFCOORD_BENCH_DIR=folder,
    )
    watch.start()
    with open(args.log, "ab") as log:
        try:
            code = subprocess.run(args.command, env=environment, stdout=log, stderr=log, timeout=args.limit).returncode
        except subprocess.TimeoutExpired:
            code = 124
    wall, busy = time.time() - begun, busy_s() - busy
    own = time.process_time()
    watch.stop.set()
    watch.join()
    watch.look()
    cpu = watch.cpu_s()
    watch.end_all()
    return {
        "case": args.case,
        "round": args.round,
        "code": code,
        "wall_s": round(wall, 2),
        "peak_memory_mb": round(watch.peak_bytes / 1e6),
        "processes": watch.peak_processes,
        "cpu_s": round(cpu, 1),
        "other_cores": round(max(0.0, busy - cpu - own) / wall, 2),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "marks": read_lines(marks),
    }


parser = argparse.ArgumentParser()
parser.add_argument("--case", required=True)
parser.add_argument("--round", type=int, required=True)
parser.add_argument("--results", required=True)
parser.add_argument("--log", required=True)
parser.add_argument("--limit", type=float, default=900)
parser.add_argument("--quiet", type=float, default=30)
parser.add_argument("command", nargs="+")
args = parser.parse_args()
with tempfile.TemporaryDirectory(prefix="tfcoord-peers-", ignore_cleanup_errors=True) as folder:
    result = measured(args, folder)
with open(args.results, "a") as results:
    results.write(json.dumps(result) + "\n")
figures = {key: value for key, value in result.items() if key != "marks"}
figures.update({mark["mark"]: mark.get("accuracy", mark["t"]) for mark in result["marks"] if mark["mark"] in ("first_step", "done")})
print(json.dumps(figures), flush=True)
sys.exit(0 if result["code"] == 0 else 1)
