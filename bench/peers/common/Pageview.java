import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.OffsetDateTime;

/** A pageview as the jobs need it: hashes of nonce and person, the page, and the time. */
public final class Pageview {
  /** Milliseconds in an hour. */
  public static final long HOUR = 3_600_000L;

  /** Two events with the same nonce are one if their times are no further apart: ten minutes. */
  public static final long DEDUPE = 600_000L;

  public long nonceHigh;
  public long nonceLow;
  public long person;
  public long ts;
  public String url;

  private static final JsonFactory JSON = JsonFactory.builder().build();

  /** Reads a JSON object. Fields that are not known are skipped. */
  public void parse(byte[] value) {
    try (JsonParser p = JSON.createParser(value)) {
      p.nextToken();
      for (String field = p.nextFieldName(); field != null; field = p.nextFieldName()) {
        p.nextToken();
        switch (field) {
          case "nonce" -> {
            nonceHigh = hash(p, 0xcbf29ce484222325L, 0x100000001b3L);
            nonceLow = hash(p, 0x9e3779b97f4a7c15L, 0xff51afd7ed558ccdL);
          }
          case "person" -> person = hash(p, 0xcbf29ce484222325L, 0x100000001b3L);
          case "url" -> url = page(p.getText());
          case "ts" -> ts = p.currentToken() == JsonToken.VALUE_STRING
              ? OffsetDateTime.parse(p.getText()).toInstant().toEpochMilli() : p.getLongValue();
          default -> p.skipChildren();
        }
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static long hash(JsonParser p, long seed, long factor) throws IOException {
    char[] chars = p.getTextCharacters();
    int from = p.getTextOffset();
    int to = from + p.getTextLength();
    long h = seed;
    for (int i = from; i < to; i++) {
      h = (h ^ chars[i]) * factor;
    }
    return mix(h);
  }

  /** Hashes a page. It comes first in state keys: else ordered stores compare long common prefixes. */
  public static long hash(String text) {
    long h = 0xcbf29ce484222325L;
    for (int i = 0; i < text.length(); i++) {
      h = (h ^ text.charAt(i)) * 0x100000001b3L;
    }
    return mix(h);
  }

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }

  /**
   * Returns the page of a url: the host in lower case without www. and default port, no scheme, no
   * fragment, no tracking parameters, no slash at the end of the path.
   */
  static String page(String url) {
    int scheme = url.indexOf("://");
    int host = scheme < 0 ? 0 : scheme + 3;
    int end = orElse(url.indexOf('#', host), url.length());
    int query = Math.min(orElse(url.indexOf('?', host), end), end);
    int path = Math.min(orElse(url.indexOf('/', host), query), query);
    StringBuilder out = new StringBuilder(url.length());
    for (int i = host; i < hostEnd(url, host, path, scheme == 4); i++) {
      char c = url.charAt(i);
      out.append(c >= 'A' && c <= 'Z' ? (char) (c | 32) : c);
    }
    if (out.length() > 4 && out.indexOf("www.") == 0) {
      out.delete(0, 4);
    }
    int pathEnd = query;
    while (pathEnd > path && url.charAt(pathEnd - 1) == '/') {
      pathEnd--;
    }
    out.append(url, path, pathEnd);
    appendQuery(out, url, query + 1, end);
    return out.toString();
  }

  private static int orElse(int at, int otherwise) {
    return at < 0 ? otherwise : at;
  }

  private static int hostEnd(String url, int host, int path, boolean http) {
    int colon = url.lastIndexOf(':', path - 1);
    boolean standard = colon > host && url.substring(colon + 1, path).equals(http ? "80" : "443");
    return standard ? colon : path;
  }

  private static void appendQuery(StringBuilder out, String url, int from, int end) {
    char separator = '?';
    for (int at = from; at < end; ) {
      int next = Math.min(orElse(url.indexOf('&', at), end), end);
      if (!tracking(url, at)) {
        out.append(separator).append(url, at, next);
        separator = '&';
      }
      at = next + 1;
    }
  }

  private static boolean tracking(String url, int at) {
    return url.startsWith("utm_", at) || url.startsWith("fbclid=", at)
        || url.startsWith("gclid=", at) || url.startsWith("ref=", at);
  }
}
