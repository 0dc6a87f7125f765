package tfcoord.bed;

import java.io.IOException;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/** One NameNode, or two of which one is active: a NameNode that comes back is standby, and nobody but us fails over. */
final class NameNodes {
    private final MiniDFSCluster cluster;
    private final boolean highlyAvailable;

    NameNodes(MiniDFSCluster cluster, boolean highlyAvailable) {
        this.cluster = cluster;
        this.highlyAvailable = highlyAvailable;
    }

    /** The number of the active one. */
    int active() throws IOException {
        for (int at = 0; at < cluster.getNumNameNodes(); at++) {
            if (alive(at) && (!highlyAvailable || cluster.getNameNode(at).isActiveState())) {
                return at;
            }
        }
        throw new IOException("no NameNode is active");
    }

    /** The other one becomes active; the one that was, if it lives, standby. */
    int failOver() throws IOException {
        if (!highlyAvailable) {
            throw new IOException("there is one NameNode: start with form=ha");
        }
        int next = alive(0) && !cluster.getNameNode(0).isActiveState() ? 0 : 1;
        if (!alive(next)) {
            throw new IOException("NameNode " + next + " is down");
        }
        if (alive(1 - next)) {
            cluster.transitionToStandby(1 - next);
        }
        cluster.transitionToActive(next);
        return next;
    }

    void kill(int at) {
        cluster.shutdownNameNode(at);
    }

    void restart(int at) throws IOException {
        cluster.restartNameNode(at, false);
        if (!highlyAvailable) {
            cluster.waitActive(at);
        }
    }

    private boolean alive(int at) {
        return cluster.getNameNode(at) != null;
    }
}
