package tfcoord.bed;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Map;
import java.util.stream.Collectors;

/** core-site.xml and hdfs-site.xml as an administrator would hand them to clients. */
final class ClientFiles {
    /** The nameservice of the form with two NameNodes. */
    static final String SERVICE = "bed";

    private ClientFiles() {
    }

    static void write(Options options, Bed bed) throws IOException {
        File folder = options.file("conf");
        Files.createDirectories(folder.toPath());
        Map<String, String> core = Settings.core(options);
        Map<String, String> hdfs = Settings.hdfs(options);
        if (options.highlyAvailable()) {
            core.put("fs.defaultFS", "hdfs://" + SERVICE);
            hdfs.put("dfs.nameservices", SERVICE);
            hdfs.put("dfs.ha.namenodes." + SERVICE, "nn0,nn1");
            hdfs.put("dfs.client.failover.proxy.provider." + SERVICE,
                    "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider");
            for (int at = 0; at < 2; at++) {
                hdfs.put("dfs.namenode.rpc-address." + SERVICE + ".nn" + at, "localhost:" + bed.rpcPort(at));
                hdfs.put("dfs.namenode.http-address." + SERVICE + ".nn" + at, "localhost:" + bed.httpPort(at));
            }
        } else {
            core.put("fs.defaultFS", "hdfs://localhost:" + bed.rpcPort(0));
            hdfs.put("dfs.namenode.rpc-address", "localhost:" + bed.rpcPort(0));
            hdfs.put("dfs.namenode.http-address", "localhost:" + bed.httpPort(0));
        }
        xml(new File(folder, "core-site.xml"), core);
        xml(new File(folder, "hdfs-site.xml"), hdfs);
    }

    private static void xml(File file, Map<String, String> keys) throws IOException {
        String properties = keys.entrySet().stream()
                .map(key -> "  <property><name>" + key.getKey() + "</name><value>" + key.getValue() + "</value></property>\n")
                .collect(Collectors.joining());
        Files.writeString(file.toPath(), "<?xml version=\"1.0\"?>\n<configuration>\n" + properties + "</configuration>\n");
    }
}
