import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;

/** Measures a job from its first record to its last durable commit, and prints the result. */
public final class Meter {
  private static final AtomicLong FIRST = new AtomicLong();
  private static volatile double cpuAtFirst;
  private static double seconds;
  private static double cpuSeconds;

  private Meter() {}

  /** Starts the clock. Calls after the first one change nothing. */
  public static void start() {
    if (FIRST.get() == 0 && FIRST.compareAndSet(0, System.nanoTime())) {
      cpuAtFirst = cpu();
    }
  }

  /** Stops the clock: the last commit is durable. */
  public static void stop() {
    seconds = (System.nanoTime() - FIRST.get()) / 1e9;
    cpuSeconds = cpu() - cpuAtFirst;
  }

  /** Prints one line: RESULT and name=value pairs. seconds are wall time, cpu processor time. */
  public static void print(long events, long unique) throws IOException {
    System.out.printf("RESULT events=%d unique=%d seconds=%.3f cpu=%.3f peak_mib=%d%n",
        events, unique, seconds, cpuSeconds, peakMiB());
  }

  private static double cpu() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
  }

  /** The highest resident memory of the process so far; 0 where the system does not tell it. */
  private static long peakMiB() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return 0;
    }
    for (String line : Files.readAllLines(status)) {
      if (line.startsWith("VmHWM:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
      }
    }
    return 0;
  }
}
