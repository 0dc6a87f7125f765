package tfcoord.bed;

import java.io.IOException;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSCluster.DataNodeProperties;
import org.apache.hadoop.hdfs.server.datanode.DataNode;

/**
 * DataNodes by the number each began with: the cluster forgets one that is stopped, and numbers the others anew. The NameNode is
 * not told of a death; it finds out as it does at a site, after minutes.
 */
final class DataNodes {
    private static final int START_MS = 60_000;

    private final MiniDFSCluster cluster;
    private final String[] addresses;
    private final DataNodeProperties[] stopped;

    DataNodes(MiniDFSCluster cluster) {
        this.cluster = cluster;
        addresses = cluster.getDataNodes().stream().map(DataNodes::address).toArray(String[]::new);
        stopped = new DataNodeProperties[addresses.length];
    }

    /** Where each takes blocks, as host:port. */
    String[] addresses() {
        return addresses;
    }

    void kill(int number) throws IOException {
        for (int at = 0; at < cluster.getDataNodes().size(); at++) {
            if (address(cluster.getDataNodes().get(at)).equals(addresses[number])) {
                stopped[number] = cluster.stopDataNode(at);
                return;
            }
        }
        throw new IOException("DataNode " + number + " is down");
    }

    /** Comes back on its old port with its old blocks. */
    void restart(int number) throws Exception {
        if (stopped[number] == null) {
            throw new IOException("DataNode " + number + " is running");
        }
        cluster.restartDataNode(stopped[number], true);
        stopped[number] = null;
        for (DataNode node : cluster.getDataNodes()) {
            cluster.waitDatanodeFullyStarted(node, START_MS);
        }
    }

    private static String address(DataNode node) {
        return node.getXferAddress().getAddress().getHostAddress() + ":" + node.getXferAddress().getPort();
    }
}
