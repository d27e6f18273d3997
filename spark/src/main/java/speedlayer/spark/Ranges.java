package speedlayer.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkEnv;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.streaming.MicroBatchStream;
import org.apache.spark.sql.connector.read.streaming.Offset;
import org.apache.spark.sql.connector.read.streaming.ReadLimit;
import org.apache.spark.sql.connector.read.streaming.ReadMaxRows;
import org.apache.spark.sql.connector.read.streaming.ReportsSourceMetrics;
import org.apache.spark.sql.connector.read.streaming.SupportsTriggerAvailableNow;
import org.apache.spark.storage.BlockManager;
import org.apache.spark.storage.BlockManagerId;

/**
 * Plans micro-batches, in the driver. What is right is in the store's commit records: a query
 * without a checkpoint goes on where these stand, and a range that was committed is skipped.
 */
final class Ranges implements MicroBatchStream, SupportsTriggerAvailableNow, ReportsSourceMetrics {
  private final Settings settings;
  private String fingerprint = "-";
  private boolean checked;
  private Offsets fixed; // with AvailableNow: where the log ended at the start
  private Offsets latest;

  Ranges(Settings settings) {
    this.settings = settings;
  }

  /** The newest log epoch and where its log ends. A checkpoint of another topic or store is refused. */
  private Offsets plan(Offsets at) {
    String request = at == null ? "PLAN - 0 -" : "PLAN " + at.store + " " + at.epoch + " " + at.topic;
    Offsets now = ask("planning", c -> {
      String[] f = Protocol.answer(c.ask(request), "PLANNED", 4);
      return new Offsets(c.store, Protocol.number(f[0]), f[1], Protocol.numbers(f[2]), Protocol.numbers(f[3]));
    });
    checked = true;
    return now;
  }

  private <T> T ask(String what, Asker.Question<T> question) {
    try {
      return Asker.until(settings, fingerprint, what, c -> {
        fingerprint = c.fingerprint;
        return question.ask(c);
      });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (Protocol.EndedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override public Offset initialOffset() {
    while (true) {
      Offsets now = plan(null);
      Offsets at = ask("reading the commits", c -> {
        String[] f = Protocol.answer(c.ask("COMMITS"), "COMMITTED", 3);
        long[] commits = Protocol.numbers(f[2]);
        return Protocol.number(f[0]) != now.epoch ? null : new Offsets(c.store, now.epoch, now.topic, now.starts, commits);
      });
      if (at != null) {
        return at;
      }
    }
  }

  @Override public Offset latestOffset() {
    throw new UnsupportedOperationException("latestOffset(Offset, ReadLimit) is used");
  }

  @Override public Offset reportLatestOffset() {
    return latest;
  }

  @Override public ReadLimit getDefaultReadLimit() {
    return settings.perTrigger() > 0 ? ReadLimit.maxRows(settings.perTrigger()) : ReadLimit.allAvailable();
  }

  @Override public void prepareForTriggerAvailableNow() {
    fixed = plan(null);
  }

  @Override public Offset latestOffset(Offset start, ReadLimit limit) {
    Offsets from = (Offsets) start;
    Offsets now = plan(from);
    if (fixed != null && fixed.epoch != now.epoch) {
      fixed = now; // what was left of the ended log epoch is in this one
    }
    latest = fixed != null ? fixed : now;
    latest = notBefore(from, latest);
    return limit instanceof ReadMaxRows max ? latest.limited(from, max.maxRows()) : latest;
  }

  /** A query never goes back within a log epoch, even if the log seems to end sooner for a moment. */
  private static Offsets notBefore(Offsets start, Offsets end) {
    long[] from = end.from(start);
    long[] until = end.offsets.clone();
    for (int p = 0; p < until.length; p++) {
      until[p] = Math.max(until[p], from[p]);
    }
    return new Offsets(end.store, end.epoch, end.topic, end.starts, until);
  }

  @Override public InputPartition[] planInputPartitions(Offset start, Offset end) {
    Offsets until = (Offsets) end;
    if (!checked) {
      plan(until); // the batch that was at work when the driver ended
    }
    long[] from = until.from((Offsets) start);
    List<String> executors = executors();
    List<InputPartition> tasks = new ArrayList<>();
    for (int p = 0; p < until.offsets.length; p++) {
      if (from[p] < until.offsets[p]) {
        String[] where = executors.isEmpty() ? new String[0] : new String[] {executors.get(p % executors.size())};
        tasks.add(new Range(until.epoch, p, from[p], until.offsets[p], where));
      }
    }
    return tasks.toArray(new InputPartition[0]);
  }

  /** The executors that there are, sorted, so that a partition stays where its state is in memory. */
  private static List<String> executors() {
    BlockManager manager = SparkEnv.get().blockManager();
    List<String> all = new ArrayList<>();
    var peers = manager.master().getPeers(manager.blockManagerId()).iterator();
    while (peers.hasNext()) {
      BlockManagerId id = peers.next();
      all.add("executor_" + id.host() + "_" + id.executorId());
    }
    all.sort(null);
    return all;
  }

  @Override public PartitionReaderFactory createReaderFactory() {
    return new Reader.Factory(settings, fingerprint);
  }

  @Override public Offset deserializeOffset(String json) {
    return Offsets.parse(json);
  }

  @Override public void commit(Offset end) {
    // The commit records are in the store already.
  }

  @Override public void stop() {
    // The worker ends with this JVM; another query may use it.
  }

  @Override public Map<String, String> metrics(Optional<Offset> consumed) {
    Map<String, String> m = new HashMap<>();
    if (consumed.isEmpty() || latest == null || !(consumed.get() instanceof Offsets at)) {
      return m;
    }
    long[] from = latest.from(at);
    long all = 0;
    long most = 0;
    for (int p = 0; p < from.length; p++) {
      long behind = Math.max(0, latest.offsets[p] - from[p]);
      all += behind;
      most = Math.max(most, behind);
    }
    m.put("offsetsBehindLatest", Long.toString(all));
    m.put("maxOffsetsBehindLatest", Long.toString(most));
    m.put("logEpoch", Long.toString(latest.epoch));
    return m;
  }

  /** What a task runs: the records of a partition in [from, until). */
  record Range(long epoch, int partition, long from, long until, String[] where) implements InputPartition {
    @Override public String[] preferredLocations() {
      return where;
    }
  }
}
