-- The batch run, as DuckDB says it. A test runs this file over an archive and
-- compares it with package compute. Other engines have these steps too; what
-- differs in them is the names of a few functions.
--
-- Given: pageviews and equivs, the archive's tables; vector (epoch, partition, "offset").

-- The log up to the vector. What a row is by itself (its kind) was judged when it was archived.
CREATE TABLE log AS
SELECT p.* FROM pageviews p JOIN vector v USING (epoch, partition) WHERE p."offset" < v."offset";

-- Of a pair's records the last decides whether its edge holds.
CREATE TABLE pairs AS
SELECT a, b FROM (
    SELECT least(id1, id2) AS a, greatest(id1, id2) AS b, retract, ROW_NUMBER() OVER (
        PARTITION BY least(id1, id2), greatest(id1, id2) ORDER BY life DESC, "offset" DESC) AS n
    FROM equivs WHERE reason = '')
WHERE n = 1 AND NOT retract;

-- A connected component is one person. (compute takes the smallest hash for its
-- name, this file the smallest identifier: no answer shows which.)
CREATE TABLE canon AS
WITH RECURSIVE
    links AS (SELECT a, b FROM pairs UNION SELECT b, a FROM pairs),
    reach(raw, b) AS (
        SELECT a, a FROM links
        UNION
        SELECT r.raw, e.b FROM reach r JOIN links e ON r.b = e.a)
SELECT raw, min(b) AS canonical FROM reach GROUP BY raw;

-- scan: a row that was rerouted here is left out if its offset is at or below the
-- highest that came from its source before (law 5); refused rows came too. A
-- misplaced original is of another kind, so no event.
CREATE TABLE candidates AS
SELECT *, split_part(page, '/', 1) AS domain FROM (
    SELECT *, max(source_offset) OVER (
        PARTITION BY epoch, partition, source_epoch, source_partition ORDER BY "offset"
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS had
    FROM log WHERE kind <> 'marker')
WHERE kind = 'pageview' AND (source_offset IS NULL OR had IS NULL OR source_offset > had);

-- persons: of rows with the same nonce and raw person the first in the log
-- counts, over all time and all lives of the topic.
CREATE TABLE events AS
SELECT e.nonce, e.person AS raw, coalesce(canonical, e.person) AS canonical, page, domain, epoch_ms(ts) AS ms
FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY nonce, person ORDER BY epoch, partition, "offset") AS n
    FROM candidates) e
LEFT JOIN canon c ON c.raw = e.person
WHERE n = 1;

-- Visits, by raw persons and by canonical ones: a view more than 30 minutes
-- after the one before begins another.
CREATE TABLE visits AS
SELECT kind, domain, min(ms) AS ms, count(*) AS views FROM (
    SELECT *, sum(first) OVER (PARTITION BY kind, who, domain ORDER BY ms) AS visit FROM (
        SELECT *, CASE WHEN ms - lag(ms) OVER (PARTITION BY kind, who, domain ORDER BY ms) <= 30 * 60 * 1000
            THEN 0 ELSE 1 END AS first
        FROM (
            SELECT 'raw' AS kind, raw AS who, domain, ms FROM events
            UNION ALL
            SELECT 'canonical', canonical, domain, ms FROM events)))
GROUP BY kind, who, domain, visit;

-- cells: by url (a page, and its domain) and bucket of so many hours; begin is
-- the bucket's first hour.
CREATE TABLE hours AS SELECT unnest([1, 24, 7 * 24, 28 * 24]) AS hours;

CREATE TABLE views AS
SELECT url, hours, ms // 3600000 // hours * hours AS begin, count(*) AS pageviews, count(DISTINCT raw) AS visitors
FROM (SELECT page AS url, raw, ms FROM events UNION ALL SELECT domain, raw, ms FROM events), hours
GROUP BY ALL;

CREATE TABLE bounces AS
SELECT domain AS url, hours, ms // 3600000 // hours * hours AS begin,
    count(*) FILTER (kind = 'raw') AS visits, count(*) FILTER (kind = 'raw' AND views = 1) AS bounces,
    count(*) FILTER (kind = 'canonical') AS canonical_visits,
    count(*) FILTER (kind = 'canonical' AND views = 1) AS canonical_bounces
FROM visits, hours
GROUP BY ALL;
