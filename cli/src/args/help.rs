//! What stands below the options in `--help`.

pub const TOP: &str = "`tfcoord --help` shows examples, exit codes and the environment; `tfcoord VERB --help` more of a verb.";

pub const TOP_LONG: &str = "\
Examples:
  tfcoord submit job.json         train, watch, show the result
  tfcoord list --all              every job there was
  tfcoord logs fashion-mnist-7    what its tasks printed

Exit codes:
  0    done; for a job: succeeded
  1    the job failed or was cancelled, or there is no such job, file or directory
  2    the job file, the data it names, or the command line is wrong
  3    the job can never run
  4    the coordinator does not accept the token, or HDFS the user
  5    the coordinator or its engine failed or could not be started
  6    no coordinator answers, or no HDFS
  124  --wait-timeout is over, the job goes on
  130  left by Ctrl-C, the job goes on; of `data put`: nothing was put

Environment:
  TFCOORD_STATE_DIR    where the embedded coordinator keeps its state
                       [default: $XDG_STATE_HOME/tfcoord, ~/.local/state/tfcoord]
  TFCOORD_COORDINATOR  a standing coordinator instead: unix:/PATH or HOST:PORT
  TFCOORD_TOKEN_FILE   the file that holds its token
  TFCOORD_BIN_DIR      where the other programs are [default: beside this one]
  HADOOP_CONF_DIR      for HDFS: the folder with core-site.xml and hdfs-site.xml
                       [default: $HADOOP_HOME/etc/hadoop, /etc/hadoop/conf]
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

pub const DATA: &str = "\
Examples:
  tfcoord data put train.csv eval.csv hdfs:///data/prices
  tfcoord data ls hdfs:///data/prices";

pub const DATA_PUT: &str = "\
Examples:
  tfcoord data put train.csv eval.csv hdfs:///data/prices
  tfcoord data put pictures/ hdfs://nameservice/data/pictures
  tfcoord data put pictures.tgz hdfs:///data/pictures --unpacked-max 20G
  tfcoord data put pictures.tgz hdfs:///data/pictures --replace
  tfcoord data put pictures.tgz /srv/data/pictures -o json | jq .bytes

A data set is a directory. Files go into it by their own names; of a directory what is in it, and of an archive
(.tar, .tgz, .tar.gz) what it holds, unpacked on the way. It appears as a whole, once every file was read back and
compared, or not at all: until then it lies beside its place, under a name that begins with a dot.

Archives are refused that name anything outside of the data set, a name twice, links or devices; that have more than
100,000 entries; or that unpack to more than --unpacked-max, or to more than 100 times their size.

--replace moves what is there aside, gives the new one the name, and removes the old one. For a moment in between the
name is free; who is killed in that moment leaves the old one to the next put, which gives it its name back.

HDFS is reached as HADOOP_CONF_DIR, the ticket cache (kinit) or HADOOP_TOKEN_FILE_LOCATION say.
Exit code 2: what is to be put is wrong, or the name is taken; 4: the user may not; 6: HDFS does not answer.";

pub const DATA_LS: &str = "\
Examples:
  tfcoord data ls hdfs:///data
  tfcoord data ls hdfs:///data/pictures --recursive
  tfcoord data ls hdfs:///data/pictures -o json | jq .bytes

Times are in UTC. Exit code 1: it is not there; 4: the user may not; 6: HDFS does not answer.";

pub const DOCTOR: &str = "\
Examples:
  tfcoord doctor hdfs";

pub const DOCTOR_HDFS: &str = "\
Examples:
  tfcoord doctor hdfs
  tfcoord doctor hdfs hdfs://nameservice/data/pictures
  tfcoord doctor hdfs --calls webhdfs
  tfcoord doctor hdfs -o json | jq '.findings[] | select(.status == \"fail\")'

Looks at the configuration, the token file, Kerberos' libraries, krb5.conf, the KDC, the clock, the ticket, the
NameNodes, what they protect, and whether a directory can be read, a file written, read back and removed, and a
delegation token got. Without a location that is the root, and for writing the user's home. What fails comes with what
helps; what needs something that fails is not looked at.

Exit code 0: nothing fails; 1: something does.";
