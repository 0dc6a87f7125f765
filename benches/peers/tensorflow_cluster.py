"""Starts one server and two workers, then runs TensorFlow's own coordinator ("chief") here; ends the others when it ends.
tensorflow_cluster.py mlp|cnn EPOCHS"""
import json
import os
import socket
import subprocess
import sys

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tensorflow_task.py")


def address():
    # TF_CONFIG wants all ports before any process is there: looked up and let go, there is no other way.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


cluster = {"chief": [address()], "ps": [address()], "worker": [address(), address()]}


def start(role, index):
    config = json.dumps({"cluster": cluster, "task": {"type": role, "index": index}})
    environment = dict(os.environ, TF_CONFIG=config, GRPC_FAIL_FAST="use_caller")
    return subprocess.Popen([sys.executable, SCRIPT, *sys.argv[1:]], env=environment)


others = [start("ps", 0), start("worker", 0), start("worker", 1)]
code = start("chief", 0).wait()
for other in others:
    other.kill()
    other.wait()
sys.exit(code)
