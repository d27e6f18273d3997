package speedlayer.spark;

import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.sql.connector.read.streaming.Offset;

/** Where a query stands: Kafka's offsets by partition, in a log epoch of a store. */
final class Offsets extends Offset {
  private static final Pattern JSON = Pattern.compile("\\{\"version\":1,\"store\":\"([0-9a-z-]{1,64})\",\"epoch\":([0-9]{1,10}),"
      + "\"topic\":\"([0-9a-z-]{1,64})\",\"starts\":\\[([0-9,]*)\\],\"offsets\":\\[([0-9,]*)\\]\\}");

  final String store;
  final long epoch;
  final String topic;
  /** Where each partition begins in the log epoch. */
  final long[] starts;
  final long[] offsets;

  Offsets(String store, long epoch, String topic, long[] starts, long[] offsets) {
    if (starts.length != offsets.length) {
      throw new IllegalArgumentException("speedlayer: " + starts.length + " starts and " + offsets.length + " offsets");
    }
    this.store = store;
    this.epoch = epoch;
    this.topic = topic;
    this.starts = starts;
    this.offsets = offsets;
  }

  static Offsets parse(String json) {
    Matcher m = JSON.matcher(json);
    if (!m.matches()) {
      throw new IllegalArgumentException("speedlayer: the checkpoint has an offset of another source, or of another version: " + json
          + ". Give the query a checkpoint folder of its own: a new one costs nothing");
    }
    return new Offsets(m.group(1), Protocol.number(m.group(2)), m.group(3), Protocol.numbers(m.group(4)), Protocol.numbers(m.group(5)));
  }

  @Override public String json() {
    return "{\"version\":1,\"store\":\"" + store + "\",\"epoch\":" + epoch + ",\"topic\":\"" + topic + "\",\"starts\":[" + list(starts)
        + "],\"offsets\":[" + list(offsets) + "]}";
  }

  private static String list(long[] numbers) {
    return Arrays.stream(numbers).mapToObj(Long::toString).collect(Collectors.joining(","));
  }

  /** Where the ranges up to this offset begin for a query that stands at start. */
  long[] from(Offsets start) {
    // What an ended log epoch left is in the next one, which begins where the commits stood.
    return start != null && start.epoch == epoch ? start.offsets : starts;
  }

  /** This offset, or as far as max records of all partitions allow, in proportion to what is there. */
  Offsets limited(Offsets start, long max) {
    long[] from = from(start);
    double all = 0;
    for (int p = 0; p < offsets.length; p++) {
      all += Math.max(0, offsets[p] - from[p]);
    }
    if (all <= max) {
      return this;
    }
    long[] until = new long[offsets.length];
    for (int p = 0; p < offsets.length; p++) {
      long there = Math.max(0, offsets[p] - from[p]);
      until[p] = from[p] + Math.min(there, (long) Math.ceil(max * (there / all)));
    }
    return new Offsets(store, epoch, topic, starts, until);
  }
}
