package speedlayer.spark;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * The process <code>speedlayer spark-worker</code> beside this JVM: one for each command, started
 * when it is needed and missing. It ends at the end of its standard input, so with this JVM.
 */
final class Worker {
  /** Silence of a worker after which it is killed. It sends a line each second. */
  static final long SILENCE_MILLIS = 30_000;

  /** The exit status of speedlayer after a wrong call. */
  private static final int USAGE = 2;

  private static final Map<List<String>, Worker> WORKERS = new HashMap<>();
  private static final ScheduledExecutorService WATCH = Executors.newSingleThreadScheduledExecutor(r -> {
    Thread t = new Thread(r, "speedlayer-watchdog");
    t.setDaemon(true);
    return t;
  });

  private final Process process;
  private final UnixDomainSocketAddress address;
  private final ConcurrentLinkedDeque<Connection> idle = new ConcurrentLinkedDeque<>();

  private Worker(List<String> command) throws IOException {
    try {
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    } catch (IOException e) {
      throw new Protocol.FatalException(command.get(0) + " cannot be started (" + e.getMessage()
          + "): give the binary with --files, or its path on each machine with the option binary");
    }
    ScheduledFuture<?> late = WATCH.schedule(process::destroyForcibly, SILENCE_MILLIS, TimeUnit.MILLISECONDS);
    try {
      BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      String first = out.readLine();
      String ready = "speedlayer-spark-worker " + Protocol.VERSION + " ";
      if (first == null && process.waitFor(1, TimeUnit.SECONDS) && process.exitValue() == USAGE) {
        throw new Protocol.FatalException(String.join(" ", command) + " is not a right call; its error is in this process's stderr, and the options of the source are at fault");
      }
      if (first == null) {
        throw new IOException("speedlayer: " + String.join(" ", command) + " ended at once; its error is in this process's stderr");
      }
      if (!first.startsWith(ready)) {
        throw new Protocol.FatalException(command.get(0) + " prints \"" + first + "\", not \"" + ready + "SOCKET\": take the jar and the binary of one release");
      }
      address = UnixDomainSocketAddress.of(first.substring(ready.length()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      process.destroyForcibly();
      throw new IOException("speedlayer: interrupted", e);
    } catch (IOException | RuntimeException e) {
      process.destroyForcibly();
      throw e;
    } finally {
      late.cancel(false);
    }
  }

  /** The worker of a command. */
  static Worker get(List<String> command) throws IOException {
    synchronized (WORKERS) {
      Worker w = WORKERS.get(command);
      if (w == null || !w.process.isAlive()) {
        if (w != null) {
          w.remove();
        }
        w = new Worker(command);
        WORKERS.put(command, w);
      }
      return w;
    }
  }

  /** Removes what a worker leaves that was killed. */
  private void remove() {
    Path socket = address.getPath();
    try {
      Files.deleteIfExists(socket);
      Files.deleteIfExists(socket.getParent());
    } catch (IOException e) {
      // An empty folder that stays is no loss.
    }
  }

  /** A connection that said hello; the caller closes it, or gives it back. */
  Connection connect(String fingerprint) throws IOException {
    for (Connection c = idle.pollFirst(); c != null; c = idle.pollFirst()) {
      if (c.fingerprint.equals(fingerprint) || fingerprint.equals("-")) {
        return c;
      }
      c.close();
    }
    return new Connection(this, fingerprint);
  }

  void giveBack(Connection c) {
    idle.addFirst(c);
  }

  /** One request at a time. Closing it cancels what is at work; so does an interrupt. */
  static final class Connection implements Closeable {
    private final Worker worker;
    private final SocketChannel channel;
    private final ByteBuffer in = ByteBuffer.allocate(Protocol.MAX_LINE);
    final String fingerprint;
    final String store;
    private volatile long heard;

    private Connection(Worker worker, String wanted) throws IOException {
      this.worker = worker;
      channel = SocketChannel.open(StandardProtocolFamily.UNIX);
      try {
        channel.connect(worker.address);
        String[] f = Protocol.answer(ask("HELLO " + Protocol.VERSION + " " + wanted), "WELCOME", 3);
        fingerprint = f[1];
        store = f[2];
      } catch (Protocol.EndedException e) {
        throw new IllegalStateException(e);
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    }

    /** The answer to a request. */
    String ask(String request) throws IOException {
      heard = System.nanoTime();
      ScheduledFuture<?> watch = WATCH.scheduleAtFixedRate(this::look, 1, 1, TimeUnit.SECONDS);
      try {
        ByteBuffer out = ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8));
        while (out.hasRemaining()) {
          channel.write(out);
        }
        while (true) {
          String line = readLine();
          heard = System.nanoTime();
          if (!line.equals("BEAT")) {
            return line;
          }
        }
      } finally {
        watch.cancel(false);
      }
    }

    /** Ends a worker that is silent: what it did not commit is run again by another. */
    private void look() {
      if (System.nanoTime() - heard > TimeUnit.MILLISECONDS.toNanos(SILENCE_MILLIS)) {
        worker.process.destroyForcibly();
        close();
      }
    }

    private String readLine() throws IOException {
      for (int seen = 0; ; ) {
        for (; seen < in.position(); seen++) {
          if (in.get(seen) == '\n') {
            String line = new String(in.array(), 0, seen, StandardCharsets.UTF_8);
            in.limit(in.position()).position(seen + 1);
            in.compact();
            return line;
          }
        }
        if (!in.hasRemaining()) {
          throw new IOException("speedlayer: a line of the worker is longer than " + Protocol.MAX_LINE + " bytes");
        }
        if (channel.read(in) < 0) {
          throw new IOException("speedlayer: the worker has ended, or was silent for " + SILENCE_MILLIS / 1000 + " s");
        }
      }
    }

    @Override public void close() {
      try {
        channel.close();
      } catch (IOException e) {
        // Nothing was left to send.
      }
    }
  }
}
