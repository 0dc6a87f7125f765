package tfcoord.bed;

import java.io.File;
import java.util.HashMap;
import java.util.Map;

/** What was asked for on the command line, as {@code name=value}. */
final class Options {
    private static final Map<String, String> DEFAULTS = Map.ofEntries(
            Map.entry("folder", ""),
            Map.entry("security", "simple"),
            Map.entry("realm", ""),
            Map.entry("cipher", "none"),
            Map.entry("form", "one"),
            Map.entry("datanodes", "3"),
            Map.entry("hosts", ""),
            Map.entry("replication", "2"),
            Map.entry("block-size", String.valueOf(128L << 20)),
            Map.entry("renew-interval-ms", String.valueOf(86_400_000L)),
            Map.entry("max-lifetime-ms", String.valueOf(7 * 86_400_000L)),
            Map.entry("users", "alice,bob"));

    private final Map<String, String> values = new HashMap<>(DEFAULTS);

    /** Reads the arguments; an unknown name or an empty folder is refused. */
    Options(String[] arguments) {
        for (String argument : arguments) {
            String[] sides = argument.split("=", 2);
            if (sides.length != 2 || !DEFAULTS.containsKey(sides[0])) {
                throw new IllegalArgumentException(argument + ": known are " + DEFAULTS.keySet());
            }
            values.put(sides[0], sides[1]);
        }
        if (text("folder").isEmpty()) {
            throw new IllegalArgumentException("folder=DIR is missing");
        }
    }

    String text(String name) {
        return values.get(name);
    }

    long number(String name) {
        return Long.parseLong(text(name));
    }

    /** The parts of a list with commas; none if it is empty. */
    String[] list(String name) {
        return text(name).isEmpty() ? new String[0] : text(name).split(",");
    }

    boolean secure() {
        return !text("security").equals("simple");
    }

    boolean highlyAvailable() {
        return text("form").equals("ha");
    }

    /** A file in the folder of this bed. */
    File file(String name) {
        return new File(text("folder"), name).getAbsoluteFile();
    }

    String keytab(String name) {
        return file("keytabs/" + name + ".keytab").getPath();
    }

    String principal(String name) {
        return name + "@" + text("realm");
    }
}
