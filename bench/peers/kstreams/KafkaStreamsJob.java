import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.CompressionType;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/**
 * Pageviews from Kafka, deduplicated by a window store, repartitioned by page, to a count and the
 * visitors of each page and hour, exactly once.
 *
 * <p>Arguments: brokers, topic, folder for files, number of records, threads.
 */
public final class KafkaStreamsJob {
  private static final AtomicLong DONE = new AtomicLong();
  private static final AtomicLong UNIQUE = new AtomicLong();
  private static final CountDownLatch ALL = new CountDownLatch(1);
  private static long records;

  private KafkaStreamsJob() {}

  private static void done() {
    if (DONE.incrementAndGet() == records) {
      ALL.countDown();
    }
  }

  /** Bounds the memory of RocksDB: one cache and one bound on buffers for all stores. */
  public static final class Rocks implements RocksDBConfigSetter {
    private static final Cache CACHE = new LRUCache(256L << 20);
    private static final WriteBufferManager BUFFERS = new WriteBufferManager(384L << 20, CACHE);

    @Override
    public void setConfig(String store, Options options, Map<String, Object> config) {
      BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
      table.setBlockCache(CACHE);
      table.setFilterPolicy(new BloomFilter(10));
      table.setBlockSize(8 << 10);
      options.setTableFormatConfig(table);
      options.setWriteBufferManager(BUFFERS);
      options.setWriteBufferSize(32L << 20);
      options.setMaxWriteBufferNumber(3);
      options.setMaxBackgroundJobs(2);
      options.setCompressionType(CompressionType.LZ4_COMPRESSION);
    }

    @Override
    public void close(String store, Options options) {}
  }

  /**
   * Drops duplicates and passes on page, hour and person. A nonce lies in the store under its time's
   * bucket of ten minutes, and is looked for in that and in both neighbours.
   */
  static final class Dedupe implements Processor<byte[], byte[], byte[], byte[]> {
    private final Pageview view = new Pageview();
    private WindowStore<byte[], Long> seen;
    private ProcessorContext<byte[], byte[]> context;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      seen = context.getStateStore("dedupe");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      Meter.start();
      view.parse(record.value());
      if (duplicate()) {
        done();
        return;
      }
      UNIQUE.incrementAndGet();
      byte[] page = view.url.getBytes(StandardCharsets.UTF_8);
      byte[] key = ByteBuffer.allocate(12 + page.length)
          .putInt((int) (view.ts / Pageview.HOUR)).putLong(Pageview.hash(view.url)).put(page).array();
      context.forward(new Record<>(key, ByteBuffer.allocate(8).putLong(view.person).array(), record.timestamp()));
    }

    private boolean duplicate() {
      byte[] nonce = ByteBuffer.allocate(16).putLong(view.nonceHigh).putLong(view.nonceLow).array();
      long bucket = view.ts - view.ts % Pageview.DEDUPE;
      for (long at : new long[] {bucket, bucket - Pageview.DEDUPE, bucket + Pageview.DEDUPE}) {
        Long before = seen.fetch(nonce, at);
        if (before != null && Math.abs(before - view.ts) <= Pageview.DEDUPE) {
          return true;
        }
      }
      seen.put(nonce, view.ts, bucket);
      return false;
    }
  }

  static final class Count implements Processor<byte[], byte[], Void, Void> {
    private KeyValueStore<byte[], byte[]> cells;

    @Override
    public void init(ProcessorContext<Void, Void> context) {
      cells = context.getStateStore("cells");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      cells.put(record.key(), Cell.add(cells.get(record.key()), ByteBuffer.wrap(record.value()).getLong()));
      done();
    }
  }

  private static Properties properties(String brokers, String application, Path files, String threads) {
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
    p.put(StreamsConfig.STATE_DIR_CONFIG, files.toString());
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
    p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, Rocks.class);
    p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 20_000);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MIN_BYTES_CONFIG), 1 << 18);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), 100);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 512 << 10);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 50);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128 << 20);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    return p;
  }

  private static Topology topology(String topic, String pages) {
    var bytes = Serdes.ByteArray();
    var dedupe = Stores.windowStoreBuilder(
        Stores.persistentWindowStore("dedupe", Duration.ofMinutes(30), Duration.ofMinutes(10), false), bytes, Serdes.Long());
    var cells = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("cells"), bytes, bytes).withCachingEnabled();
    return new Topology()
        .addSource("pageviews", bytes.deserializer(), bytes.deserializer(), topic)
        .addProcessor("dedupe-step", Dedupe::new, "pageviews")
        .addStateStore(dedupe, "dedupe-step")
        .addSink("by-page", pages, bytes.serializer(), bytes.serializer(), "dedupe-step")
        .addSource("pages", bytes.deserializer(), bytes.deserializer(), pages)
        .addProcessor("count-step", Count::new, "pages")
        .addStateStore(cells, "count-step");
  }

  /** Runs the job until all records are counted and committed. */
  public static void main(String[] args) throws Exception {
    records = Long.parseLong(args[3]);
    String application = "kstreams-" + System.currentTimeMillis();
    String pages = application + "-pages";
    Path files = Files.createTempDirectory(Path.of(args[2]), "kstreams");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
      int partitions = admin.describeTopics(List.of(args[1])).allTopicNames().get().get(args[1]).partitions().size();
      admin.createTopics(List.of(new NewTopic(pages, partitions, (short) 1))).all().get();
      KafkaStreams streams = new KafkaStreams(topology(args[1], pages), properties(args[0], application, files, args[4]));
      streams.start();
      ALL.await();
      streams.close(Duration.ofSeconds(60)); // the last commit
      Meter.stop();
      Meter.print(DONE.get(), UNIQUE.get());
      admin.deleteTopics(admin.listTopics().names().get().stream().filter(t -> t.startsWith(application)).toList()).all().get();
    }
    try (var all = Files.walk(files)) {
      all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
    }
    System.exit(0);
  }
}
