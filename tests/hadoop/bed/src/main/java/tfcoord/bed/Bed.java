package tfcoord.bed;

import java.io.IOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSNNTopology;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.security.UserGroupInformation;

/** The servers of one HDFS. */
final class Bed {
    final MiniDFSCluster cluster;
    final NameNodes nameNodes;
    final DataNodes dataNodes;

    Bed(Options options) throws IOException {
        Configuration configuration = Settings.servers(options);
        UserGroupInformation.setConfiguration(configuration);
        MiniDFSCluster.Builder builder = new MiniDFSCluster.Builder(configuration, options.file("data"))
                .numDataNodes((int) options.number("datanodes"));
        if (options.highlyAvailable()) {
            builder.nnTopology(MiniDFSNNTopology.simpleHATopology(2));
        }
        String[] hosts = options.list("hosts");
        if (hosts.length > 0) {
            builder.hosts(hosts);
        }
        cluster = builder.build();
        nameNodes = new NameNodes(cluster, options.highlyAvailable());
        if (options.highlyAvailable()) {
            cluster.transitionToActive(0);
        }
        cluster.waitActive();
        dataNodes = new DataNodes(cluster);
        plant(options.list("users"));
    }

    /** As the superuser. */
    DistributedFileSystem fileSystem() throws IOException {
        return cluster.getFileSystem(nameNodes.active());
    }

    NameNode activeNameNode() throws IOException {
        return cluster.getNameNode(nameNodes.active());
    }

    int rpcPort(int at) {
        return cluster.getNameNodePort(at);
    }

    int httpPort(int at) {
        return cluster.getNameNode(at).getHttpAddress().getPort();
    }

    /** A home for everybody, closed to all others, and /tmp for all. */
    private void plant(String[] users) throws IOException {
        DistributedFileSystem files = fileSystem();
        for (String user : users) {
            Path home = new Path("/user", user);
            files.mkdirs(home);
            files.setOwner(home, user, user);
            files.setPermission(home, new FsPermission("750"));
        }
        Path tmp = new Path("/tmp");
        files.mkdirs(tmp);
        files.setPermission(tmp, new FsPermission("1777"));
    }

    void stop() {
        cluster.shutdown();
    }
}
