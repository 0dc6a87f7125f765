package tfcoord.bed;

import java.io.IOException;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.hdfs.server.namenode.NameNodeAdapter;
import org.apache.hadoop.security.token.delegation.TokenExpiry;

/** What can be done to a running bed: a line each. */
final class Commands {
    private final Bed bed;

    Commands(Bed bed) {
        this.bed = bed;
    }

    /** Carries one out; what it answers behind OK. */
    String run(String line) throws Exception {
        String[] words = line.trim().split("\\s+");
        switch (words[0]) {
            case "kill-datanode" -> bed.dataNodes.kill(number(words, 1));
            case "restart-datanode" -> bed.dataNodes.restart(number(words, 1));
            case "kill-namenode" -> bed.nameNodes.kill(number(words, 1));
            case "restart-namenode" -> bed.nameNodes.restart(number(words, 1));
            case "fail-over" -> {
                return String.valueOf(bed.nameNodes.failOver());
            }
            case "active" -> {
                return String.valueOf(bed.nameNodes.active());
            }
            case "safemode" -> safeMode(word(words, 1));
            case "set-quota" -> setQuota(new Path(word(words, 1)), Long.parseLong(word(words, 2)));
            case "expire-tokens" -> {
                return String.valueOf(TokenExpiry.expireAll(NameNodeAdapter.getDtSecretManager(bed.activeNameNode().getNamesystem())));
            }
            default -> throw new IOException("unknown command " + words[0]);
        }
        return "";
    }

    private void safeMode(String what) throws IOException {
        NameNode nameNode = bed.activeNameNode();
        switch (what) {
            case "enter" -> NameNodeAdapter.enterSafeMode(nameNode, false);
            case "leave" -> NameNodeAdapter.leaveSafeMode(nameNode);
            default -> throw new IOException("safemode enter, or safemode leave");
        }
    }

    /** Bytes on disk, all replicas counted; -1 takes the quota away. */
    private void setQuota(Path path, long bytes) throws IOException {
        DistributedFileSystem files = bed.fileSystem();
        files.setQuota(path, HdfsConstants.QUOTA_DONT_SET, bytes < 0 ? HdfsConstants.QUOTA_RESET : bytes);
    }

    private static String word(String[] words, int at) throws IOException {
        if (at >= words.length) {
            throw new IOException(words[0] + ": an argument is missing");
        }
        return words[at];
    }

    private static int number(String[] words, int at) throws IOException {
        return Integer.parseInt(word(words, at));
    }
}
