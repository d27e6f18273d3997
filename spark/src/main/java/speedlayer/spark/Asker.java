package speedlayer.spark;

import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks the worker until it answers: what a server refuses is asked again after a while. */
final class Asker {
  private static final Logger LOG = LoggerFactory.getLogger(Asker.class);
  private static final long FIRST_MILLIS = 200;
  private static final long MOST_MILLIS = 10_000;

  private Asker() {}

  /** What is asked on a connection; the connection is given back when it returns. */
  interface Question<T> {
    T ask(Worker.Connection c) throws IOException, Protocol.EndedException;
  }

  /**
   * The answer to a question. It waits with growing pauses, for as long as it takes; an interrupt
   * ends that.
   */
  static <T> T until(Settings settings, String fingerprint, String what, Question<T> question) throws IOException, Protocol.EndedException {
    for (int tries = 0; ; tries++) {
      try {
        return once(settings, fingerprint, question);
      } catch (IOException e) {
        if (Thread.currentThread().isInterrupted()) {
          throw e;
        }
        long pause = tries == 0 ? 0 : Math.min(MOST_MILLIS, FIRST_MILLIS << Math.min(tries - 1, 10));
        if (tries == 0 || pause == MOST_MILLIS) {
          LOG.warn("{} is tried again after {} ms ({} tries): {}", what, pause, tries + 1, e.getMessage());
        }
        sleep(pause, e);
      }
    }
  }

  private static <T> T once(Settings settings, String fingerprint, Question<T> question) throws IOException, Protocol.EndedException {
    Worker worker = Worker.get(settings.command());
    Worker.Connection c = worker.connect(fingerprint);
    boolean usable = false;
    try {
      T answer = question.ask(c);
      usable = true;
      return answer;
    } catch (Protocol.RetryException | Protocol.FatalException | Protocol.EndedException e) {
      usable = true;
      throw e;
    } finally {
      if (usable) {
        worker.giveBack(c);
      } else {
        c.close();
      }
    }
  }

  private static void sleep(long millis, IOException cause) throws IOException {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw cause;
    }
  }
}
