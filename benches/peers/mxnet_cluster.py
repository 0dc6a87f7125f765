"""Starts MXNet's scheduler, one server and two workers; its wheel has no launcher.  mxnet_cluster.py mlp|cnn EPOCHS"""
import os
import socket
import subprocess
import sys

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mxnet_task.py")

# All processes want the scheduler's port before it is there: looked up and let go, there is no other way.
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]

environment = dict(
    os.environ,
    DMLC_PS_ROOT_URI="127.0.0.1",
    DMLC_PS_ROOT_PORT=str(port),
    DMLC_NUM_SERVER="1",
    DMLC_NUM_WORKER="2",
    DMLC_NODE_HOST="127.0.0.1",
    OMP_NUM_THREADS="1",
    MXNET_CPU_WORKER_NTHREADS="1",
)
roles = ("scheduler", "server", "worker", "worker")
command = [sys.executable, SCRIPT, *sys.argv[1:]]
processes = [subprocess.Popen(command, env=dict(environment, DMLC_ROLE=role)) for role in roles]
code = max(process.wait() for process in processes[2:])
for process in processes[:2]:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
sys.exit(code)
