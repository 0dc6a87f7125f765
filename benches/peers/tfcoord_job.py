"""tfcoord: a cold coordinator, `tfcoord submit` to its end.  tfcoord_job.py PROGRAM JOB_FILE"""
import json
import os
import subprocess
import sys

from marks import mark

program, job_file = sys.argv[1:]
environment = {name: value for name, value in os.environ.items() if name not in ("TFCOORD_COORDINATOR", "TFCOORD_TOKEN_FILE")}
environment["TFCOORD_STATE_DIR"] = os.path.join(environment["TFCOORD_BENCH_DIR"], "state")
command = [program, "submit", job_file, "-o", "jsonl", "--interval", "0.05"]
submit = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
stepped = False
for line in submit.stdout:
    event = json.loads(line)
    if not stepped and event.get("progress", {}).get("step", 0) >= 1:
        stepped = True
        mark("first_step")
    if event["event"] == "evaluated":
        mark("epoch")
    if event["event"] == "ended" and event["job"]["evaluations"]:
        mark("done", accuracy=event["job"]["evaluations"][-1]["accuracy"])
# The embedded coordinator stays for a while, waiting for another job: measure.py ends it.
sys.exit(submit.wait())
