package speedlayer.spark;

import java.io.IOException;
import org.apache.spark.SparkEnv;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.unsafe.types.UTF8String;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Has a range processed, in a task, and returns one row about it. */
final class Reader implements PartitionReader<InternalRow> {
  private static final Logger LOG = LoggerFactory.getLogger(Reader.class);
  private static final String[] COUNTS = {"records", "events", "duplicates", "rejected", "rerouted"};

  private final Settings settings;
  private final String fingerprint;
  private final Ranges.Range range;
  private final long[] counts = new long[COUNTS.length];
  private InternalRow row;

  Reader(Settings settings, String fingerprint, Ranges.Range range) {
    this.settings = settings;
    this.fingerprint = fingerprint;
    this.range = range;
  }

  record Factory(Settings settings, String fingerprint) implements PartitionReaderFactory {
    @Override public PartitionReader<InternalRow> createReader(InputPartition p) {
      return new Reader(settings, fingerprint, (Ranges.Range) p);
    }
  }

  @Override public boolean next() throws IOException {
    if (row != null) {
      return false;
    }
    long began = System.nanoTime();
    String what = "partition " + range.partition() + " [" + range.from() + ", " + range.until() + ")";
    String request = "RUN " + range.epoch() + " " + range.partition() + " " + range.from() + " " + range.until();
    try {
      String[] f = Asker.until(settings, fingerprint, what, c -> Protocol.answer(c.ask(request), "DONE", COUNTS.length));
      for (int i = 0; i < counts.length; i++) {
        counts[i] = Protocol.number(f[i]);
      }
    } catch (Protocol.EndedException e) {
      LOG.warn("{}: its log epoch {} has ended: {}. The next micro-batch has what is left", what, range.epoch(), e.getMessage());
    }
    row = new GenericInternalRow(new Object[] {range.epoch(), range.partition(), range.from(), range.until(),
        counts[0], counts[1], counts[2], counts[3], counts[4], (System.nanoTime() - began) / 1_000_000,
        UTF8String.fromString(SparkEnv.get().executorId())});
    return true;
  }

  @Override public InternalRow get() {
    return row;
  }

  @Override public void close() {
    // What is at work is cancelled by the interrupt, which closes the connection.
  }

  @Override public CustomTaskMetric[] currentMetricsValues() {
    CustomTaskMetric[] all = new CustomTaskMetric[COUNTS.length - 1];
    for (int i = 0; i < all.length; i++) {
      all[i] = metric(COUNTS[i + 1], counts[i + 1]);
    }
    return all;
  }

  private static CustomTaskMetric metric(String name, long value) {
    return new CustomTaskMetric() {
      @Override public String name() {
        return name;
      }

      @Override public long value() {
        return value;
      }
    };
  }
}
