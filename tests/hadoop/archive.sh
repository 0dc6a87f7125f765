#!/usr/bin/env bash
# Writes an archive of the classes that HDFS loads into the folder of its jars: with it, HDFS is up in two thirds of the time.
# It holds for this JVM and these very jars.  archive.sh FOLDER
set -euo pipefail

hadoop=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Those that the harness starts it with (crates/testkit/src/hadoop/jvm.rs): the collector and the class path must be the same.
java=(java -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Djava.io.tmpdir=$folder")
log=$folder/log
echo stop | "${java[@]}" "-XX:ArchiveClassesAtExit=$folder/bed.jsa" -Xlog:disable -cp "$hadoop/bed.jar:$hadoop/lib/*" \
    tfcoord.bed.Main "folder=$folder/bed" >/dev/null 2>"$log" || { tail -20 "$log" >&2; exit 1; }
mv -f "$folder/bed.jsa" "$hadoop/bed.jsa"
