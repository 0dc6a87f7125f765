//! What stands below the options in `--help`.

pub const TOP: &str = "`tfcoord --help` shows examples, exit codes and the environment; `tfcoord VERB --help` more of a verb.";

pub const TOP_LONG: &str = "\
Examples:
  tfcoord submit job.json         train, watch, show the result
  tfcoord list --all              every job there was
  tfcoord logs fashion-mnist-7    what its tasks printed

Exit codes:
  0    done; for a job: succeeded
  1    the job failed or was cancelled, or there is no such job
  2    the job file, the data it names, or the command line is wrong
  3    the job can never run
  4    the coordinator does not accept the token
  5    the coordinator or its engine failed or could not be started
  6    no coordinator answers
  124  --wait-timeout is over, the job goes on
  130  left by Ctrl-C, the job goes on

Environment:
  TFCOORD_STATE_DIR    where the embedded coordinator keeps its state
                       [default: $XDG_STATE_HOME/tfcoord, ~/.local/state/tfcoord]
  TFCOORD_COORDINATOR  a standing coordinator instead: unix:/PATH or HOST:PORT
  TFCOORD_TOKEN_FILE   the file that holds its token
  TFCOORD_BIN_DIR      where the other programs are [default: beside this one]
  NO_COLOR             no colours";

pub const SUBMIT: &str = "\
Examples:
  tfcoord submit job.json
  tfcoord submit job.json --detach                # prints the job's id
  tfcoord submit job.json --resume                # from the newest checkpoint of that name
  tfcoord submit job.json --wait-timeout 600      # exit code 124 after 10 minutes
  tfcoord submit job.json -o jsonl | jq .event
  tfcoord submit job.json --chaos kill=worker/10s,seed=7
  tfcoord submit job.json --chaos kill=any/5s,stop=worker/20s,for=2m

--chaos, with an embedded coordinator: about so often a process of this role (worker, ps, coordinator, any), drawn
from the seed, is killed, or stopped for one and a half leases. The result has the same bits.

Ctrl-C asks whether to cancel the job or to leave it to itself; where nobody can be asked, it leaves.
Exit code 0: the job succeeded; 1: it did not; 2: the job file is wrong.";

pub const STATUS: &str = "\
Examples:
  tfcoord status fashion-mnist-7
  tfcoord status fashion-mnist-7 -o json | jq .progress";

pub const LIST: &str = "\
Examples:
  tfcoord list
  tfcoord list --all -o json | jq -r '.jobs[].id'";

pub const LOGS: &str = "\
Examples:
  tfcoord logs fashion-mnist-7
  tfcoord logs fashion-mnist-7 --task worker-0 --follow";

pub const CANCEL: &str = "\
Examples:
  tfcoord cancel fashion-mnist-7
  tfcoord cancel fashion-mnist-7 --reason 'wrong data'";

pub const VALIDATE: &str = "\
Examples:
  tfcoord validate job.json

Shows all problems of the file itself, each with its line and column; the data are not looked at.
Exit code 0: the file is fine; 2: it is not.";

pub const VERSION: &str = "\
Examples:
  tfcoord version";
