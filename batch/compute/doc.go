// Package compute is the batch run: from the master dataset up to a vector it
// computes the views anew, each time, with no code of the speed layer's views
// and operators. What both share is what a pageview is (event), what a cell's
// bytes are (crdt), and the sketch library. So where both agree, two writings of
// the same laws do.
//
//	log -> scan -> persons -> cells -> batch/views
//
//	scan     by shard     rows that may be events, hashed; by canonical person
//	persons  by person    duplicates go, visits are found; by url
//	cells    by url       counts, sets and sketches by hour, day, week, month
//
// A stage is done unit by unit, as many at a time as there are workers. What a
// unit hands on is one file with a stream for each unit of the next stage
// ([spillWriter]); once its index stands, the unit is finished, also for another
// life of the run. All that is sorted are rows of a few 64-bit words, by radix
// and, where they do not fit, in runs on disk that are merged ([sorter]). So
// memory is bounded whatever the size of the log, and however much of it is one
// person's or one url's.
//
// # The steps, as SQL says them
//
// log is the archive's table of pageviews up to the vector; its kinds were
// judged from the record, its shard, and log time alone. canon is the mapping of
// hashed persons by the edges: the smallest of each connected component of
//
//	SELECT id1, id2 FROM (SELECT *, ROW_NUMBER() OVER (
//	    PARTITION BY least(id1, id2), greatest(id1, id2) ORDER BY life DESC, "offset" DESC) AS n FROM equivs)
//	WHERE n = 1 AND NOT retract
//
// scan: rows that were moved here a second time are left out (law 5); misplaced
// originals are of another kind, so no events. hash is Spark's xxhash64, with
// seed 42.
//
//	CREATE VIEW candidates AS
//	SELECT *, xxhash64(person) AS raw, substring_index(page, '/', 1) AS domain FROM (
//	    SELECT *, max(source_offset) OVER (
//	        PARTITION BY epoch, partition, source_epoch, source_partition ORDER BY "offset"
//	        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS had FROM log WHERE kind <> 'marker')
//	WHERE kind = 'pageview' AND (source_offset IS NULL OR had IS NULL OR source_offset > had)
//
// persons: of records with the same nonce and raw person the first in the log
// counts, over all time and all lives of the topic.
//
//	CREATE VIEW events AS
//	SELECT *, coalesce(canonical, raw) AS person FROM (
//	    SELECT *, ROW_NUMBER() OVER (PARTITION BY nonce, raw ORDER BY epoch, partition, "offset") AS n FROM candidates)
//	LEFT JOIN canon USING (raw) WHERE n = 1
//
// Visits, once with who = raw and once with who = person: a view more than 30
// minutes after the one before begins another.
//
//	CREATE VIEW visits AS
//	SELECT domain, min(ts) AS begins, count(*) AS views FROM (
//	    SELECT *, sum(first) OVER (PARTITION BY who, domain ORDER BY ts) AS visit FROM (
//	        SELECT *, CASE WHEN ts - lag(ts) OVER (PARTITION BY who, domain ORDER BY ts) <= 1800000
//	            THEN 0 ELSE 1 END AS first FROM events))
//	GROUP BY who, domain, visit
//
// cells: for each bucket, of 1, 24, 168 and 672 hours (the urls of an event are
// its page and its domain):
//
//	SELECT url, ts div 3600000 div hours, count(*), collect_set(raw) or sketch(person) FROM events GROUP BY 1, 2
//	SELECT domain, begins div 3600000 div hours, count(*), count_if(views = 1) FROM visits GROUP BY 1, 2
package compute
