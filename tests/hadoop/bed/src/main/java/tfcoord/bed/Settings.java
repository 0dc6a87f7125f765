package tfcoord.bed;

import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;

/** Keys of Hadoop's configuration: those that clients must know, and those of the servers alone. */
final class Settings {
    static final String SERVICE = "hdfs/localhost";
    static final String WEB = "HTTP/localhost";

    private Settings() {
    }

    /** What stands in core-site.xml of a client, without addresses. */
    static Map<String, String> core(Options options) {
        Map<String, String> keys = new LinkedHashMap<>();
        if (options.secure()) {
            keys.put("hadoop.security.authentication", "kerberos");
            keys.put("hadoop.security.authorization", "true");
            keys.put("hadoop.rpc.protection", options.text("security"));
        }
        return keys;
    }

    /** What stands in hdfs-site.xml of a client, without addresses. */
    static Map<String, String> hdfs(Options options) {
        Map<String, String> keys = new LinkedHashMap<>();
        keys.put("dfs.replication", options.text("replication"));
        keys.put("dfs.blocksize", options.text("block-size"));
        if (options.secure()) {
            keys.put("dfs.namenode.kerberos.principal", options.principal(SERVICE));
            keys.put("dfs.datanode.kerberos.principal", options.principal(SERVICE));
            keys.put("dfs.block.access.token.enable", "true");
            keys.put("dfs.data.transfer.protection", options.text("security"));
            if (!options.text("cipher").equals("none")) {
                keys.put("dfs.encrypt.data.transfer.cipher.suites", options.text("cipher"));
            }
        }
        return keys;
    }

    /** What the servers run with. */
    static Configuration servers(Options options) {
        Configuration configuration = new Configuration();
        core(options).forEach(configuration::set);
        hdfs(options).forEach(configuration::set);
        configuration.set("dfs.namenode.fs-limits.min-block-size", "1");
        configuration.set("dfs.heartbeat.interval", "1");
        configuration.set("dfs.ha.tail-edits.period", "1");
        configuration.set("dfs.ha.tail-edits.period.backoff-max", "0");
        configuration.set("dfs.namenode.safemode.extension", "0");
        configuration.set("dfs.namenode.delegation.token.renew-interval", options.text("renew-interval-ms"));
        configuration.set("dfs.namenode.delegation.token.max-lifetime", options.text("max-lifetime-ms"));
        configuration.set("hadoop.proxyuser.tfcoord.hosts", "*");
        configuration.set("hadoop.proxyuser.tfcoord.groups", "*");
        configuration.set("hadoop.user.group.static.mapping.overrides", groups(options));
        if (options.list("hosts").length == 0) {
            configuration.set("dfs.datanode.hostname", "localhost");
        }
        if (options.secure()) {
            secure(options, configuration);
        }
        return configuration;
    }

    private static void secure(Options options, Configuration configuration) {
        for (String server : new String[] {"namenode", "datanode"}) {
            configuration.set("dfs." + server + ".keytab.file", options.keytab("hdfs"));
        }
        // Tickets may live for a minute only.
        configuration.set("hadoop.kerberos.min.seconds.before.relogin", "5");
        configuration.set("hadoop.security.crypto.codec.classes.aes.ctr.nopadding", "org.apache.hadoop.crypto.JceAesCtrCryptoCodec");
        configuration.set("ignore.secure.ports.for.testing", "true");
        configuration.set("dfs.http.policy", "HTTP_ONLY");
        configuration.set("dfs.web.authentication.kerberos.principal", options.principal(WEB));
        configuration.set("dfs.web.authentication.kerberos.keytab", options.keytab("hdfs"));
        // WebHDFS answers 403 unless all four are set.
        configuration.set("hadoop.http.authentication.type", "kerberos");
        configuration.set("hadoop.http.authentication.kerberos.principal", options.principal(WEB));
        configuration.set("hadoop.http.authentication.kerberos.keytab", options.keytab("hdfs"));
        configuration.set("hadoop.http.authentication.simple.anonymous.allowed", "false");
    }

    /** Everybody is in a group of the own name; the system is not asked for users it does not have. */
    private static String groups(Options options) {
        StringBuilder groups = new StringBuilder("hdfs=supergroup;tfcoord=tfcoord;dr.who=");
        for (String user : options.list("users")) {
            groups.append(';').append(user).append('=').append(user);
        }
        return groups.toString();
    }
}
