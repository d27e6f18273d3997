package speedlayer.spark;

import java.io.File;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.SparkFiles;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * The options of the source. Most are flags of speedlayer, under their names without dashes.
 *
 * @param flags of the worker, with their values
 * @param binary of speedlayer: a path on each machine, or the name of a file given with --files,
 *     or of a program in PATH
 * @param perTrigger offsets of a micro-batch at most; 0 has no limit
 */
record Settings(ArrayList<String> flags, String binary, long perTrigger) implements Serializable {
  /** Option to flag of <code>speedlayer spark-worker</code>. */
  private static final Map<String, String> FLAGS = new LinkedHashMap<>();

  static {
    FLAGS.put("kafka", "--kafka");
    FLAGS.put("store", "--store");
    FLAGS.put("tls", "--tls");
    FLAGS.put("tlsCa", "--tls-ca");
    FLAGS.put("sasl", "--sasl");
    FLAGS.put("saslUser", "--sasl-user");
    FLAGS.put("saslPasswordFile", "--sasl-password-file");
    FLAGS.put("snapshotEvery", "--snapshot-every");
    FLAGS.put("logLevel", "--log-level");
  }

  static Settings of(CaseInsensitiveStringMap options) {
    Map<String, String> left = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    left.putAll(options.asCaseSensitiveMap());
    ArrayList<String> flags = new ArrayList<>();
    for (Map.Entry<String, String> f : FLAGS.entrySet()) {
      String value = left.remove(f.getKey());
      if (value != null) {
        flags.add(f.getValue() + "=" + value);
      } else if (f.getKey().equals("kafka") || f.getKey().equals("store")) {
        throw new IllegalArgumentException("speedlayer: the option " + f.getKey() + " is missing: kafka is HOST:PORT,..., store is the URL that --store takes");
      }
    }
    String binary = left.remove("binary");
    String max = left.remove("maxOffsetsPerTrigger");
    if (!left.isEmpty()) {
      throw new IllegalArgumentException("speedlayer: the option " + left.keySet().iterator().next() + " is not known: allowed are "
          + String.join(", ", FLAGS.keySet()) + ", binary, maxOffsetsPerTrigger");
    }
    return new Settings(flags, binary == null ? "speedlayer" : binary, max == null ? 0 : positive("maxOffsetsPerTrigger", max));
  }

  private static long positive(String option, String text) {
    if (!text.matches("[1-9][0-9]{0,17}")) {
      throw new IllegalArgumentException(String.format(Locale.ROOT, "speedlayer: the option %s is %s: allowed is a number from 1 on", option, text));
    }
    return Long.parseLong(text);
  }

  /** The command of the worker on this machine. */
  List<String> command() {
    String program = binary;
    if (!program.contains("/")) {
      File sent = new File(SparkFiles.getRootDirectory(), program);
      if (sent.isFile()) {
        program = sent.getPath();
      }
    }
    List<String> command = new ArrayList<>(List.of(program, "spark-worker"));
    command.addAll(flags);
    return command;
  }
}
