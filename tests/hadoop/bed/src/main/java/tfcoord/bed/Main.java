package tfcoord.bed;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Starts HDFS, writes the clients' configuration, prints {@code READY} and a line of JSON, then carries out commands from the
 * standard input and answers each with a line: {@code OK} and a result, or {@code ERROR} and why. It ends with {@code stop}, or
 * when its input ends; then whoever started it is gone, and the folder is removed.
 */
public final class Main {
    private Main() {
    }

    public static void main(String[] arguments) {
        PrintStream answers = System.out;
        System.setOut(System.err);
        int status = 1;
        try {
            status = run(new Options(arguments), answers);
        } catch (Throwable failure) {
            failure.printStackTrace();
            answers.println("FAILED " + line(failure));
        }
        answers.flush();
        // Threads of the cluster outlive it; nothing of it is worth an orderly end.
        Runtime.getRuntime().halt(status);
    }

    private static int run(Options options, PrintStream answers) throws IOException {
        Bed bed = new Bed(options);
        ClientFiles.write(options, bed);
        answers.println("READY " + ready(options, bed));
        if (!serve(new Commands(bed), answers)) {
            bed.stop();
            remove(options.file(""));
        }
        return 0;
    }

    /** Whether it was told to stop. */
    private static boolean serve(Commands commands, PrintStream answers) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.equals("stop")) {
                return true;
            }
            try {
                answers.println(("OK " + commands.run(line)).trim());
            } catch (Exception failure) {
                failure.printStackTrace();
                answers.println("ERROR " + line(failure));
            }
        }
        return false;
    }

    private static String ready(Options options, Bed bed) {
        int nameNodes = options.highlyAvailable() ? 2 : 1;
        String names = IntStream.range(0, nameNodes)
                .mapToObj(at -> "{\"rpc\":" + bed.rpcPort(at) + ",\"http\":" + bed.httpPort(at) + "}")
                .collect(Collectors.joining(","));
        String data = Stream.of(bed.dataNodes.addresses()).map(address -> "\"" + address + "\"").collect(Collectors.joining(","));
        return "{\"namenodes\":[" + names + "],\"datanodes\":[" + data + "]}";
    }

    private static String line(Throwable failure) {
        return failure.toString().replaceAll("\\s+", " ");
    }

    private static void remove(File folder) throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(folder.toPath())) {
            paths = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : paths) {
            Files.deleteIfExists(path);
        }
    }
}
